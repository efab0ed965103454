"""What the person who releases may decide, and what has to be said for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from semver import Version

from dreg.core.decision import Decision
from dreg.core.version import Bump, next_prerelease, parse_version
from dreg.errors import BadRequest, Refused

LABEL = re.compile(r"[A-Za-z][0-9A-Za-z-]*")


@dataclass(frozen=True)
class Choices:
    """Another bump than the computed one, the first version, a prerelease's label, and why."""

    bump: Bump | None = None
    initial: Version | None = None
    prerelease: str = ""
    reason: str = ""

    @classmethod
    def of(
        cls,
        *,
        bump: Bump | None = None,
        initial: str | None = None,
        prerelease: str | None = None,
        reason: str | None = None,
    ) -> Choices:
        """Choices as they were typed. Raises BadRequest for those that mean nothing."""
        first = parse_version(initial) if initial is not None else None
        if first and (first.prerelease or first.build):
            raise BadRequest(
                f"`--initial {initial}` is not a plain version",
                hint="name three numbers: --initial 0.1.0; for a prerelease add --prerelease rc",
            )
        if prerelease is not None and not LABEL.fullmatch(prerelease):
            raise BadRequest(
                f"`--prerelease {prerelease}` cannot be part of a version",
                hint="use a word such as rc, beta or alpha; dreg counts: rc.1, rc.2",
            )
        said = " ".join((reason or "").split())
        if reason is not None and not said:
            raise BadRequest("`--reason` is empty", hint='say why: --reason "..."')
        if said and bump is None:
            raise BadRequest(
                "`--reason` explains nothing",
                hint="it says why a release gets another bump: add --bump minor",
            )
        return cls(bump, first, prerelease or "", said)


def chosen(decision: Decision, choices: Choices, dataset: str) -> Decision:
    """The decision with the bump that was asked for, if there is anything to release.

    Raises Refused for a lower one without a reason, BadRequest for a first version of a dataset
    that has one.
    """
    if decision.last is None:
        return decision
    if choices.initial is not None:
        raise BadRequest(
            f"`{dataset}` has a first release already, and is at {decision.last}",
            hint="leave out --initial; to raise the version: --bump major",
        )
    if choices.bump is None or decision.bump is Bump.NONE:
        return decision
    if choices.bump < decision.bump and not choices.reason:
        raise Refused(
            f"`--bump {choices.bump}` is lower than what changed in `{dataset}`: {decision.bump}",
            hint=f'see why: dreg diff {dataset}; to release it so nevertheless, add --reason "..."',
            details=[finding.told for finding in decision.findings],
        )
    # Asked for by name, major leaves 0.x; what is computed there never does.
    major = choices.bump is Bump.MAJOR
    version = decision.last.bump_major() if major else choices.bump.after(decision.last)
    return replace(decision, bump=choices.bump, version=version, computed=decision.bump)


def as_prerelease(
    decision: Decision, choices: Choices, versions: list[Version], dataset: str
) -> Decision:
    """The decision on the next prerelease of its version, by the label that was chosen.

    `versions` are all that there are. Raises Refused when it would be older than one that is there.
    """
    version = next_prerelease(decision.version, choices.prerelease, versions)
    newer = [v for v in versions if v.finalize_version() == decision.version and v > version]
    if newer:
        raise Refused(
            f"`{dataset}` has the prerelease {max(newer)}, which counts as newer than {version}",
            hint=f"go on with it: --prerelease {str(max(newer).prerelease).split('.')[0]}",
        )
    return replace(decision, version=version)
