"""What the person who releases may decide, and what has to be said for it."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from semver import Version

from dreg.core.decision import Decision
from dreg.core.evidence import told
from dreg.core.gates import GATES, Breach
from dreg.core.rules import Finding
from dreg.core.secrets import without_secrets
from dreg.core.version import Bump, next_prerelease, parse_version
from dreg.errors import BadRequest, Refused

DECLARED = Finding(
    "declared-stable",
    Bump.MAJOR,
    "declared stable: from 1.0.0 on, what breaks is a major version",
    hurts="Nobody: it is a promise.",
)
LABEL = re.compile(r"[A-Za-z][0-9A-Za-z-]*")


@dataclass(frozen=True)
class Choices:
    """Another bump than the computed one, gates to let pass, and why; the first version, a
    prerelease's label. `named`: it is this dataset that is to be released, not whichever changed."""

    bump: Bump | None = None
    initial: Version | None = None
    prerelease: str = ""
    allow: tuple[str, ...] = ()
    reason: str = ""
    named: bool = True

    @classmethod
    def of(
        cls,
        *,
        bump: Bump | None = None,
        initial: str | None = None,
        prerelease: str | None = None,
        allow: Sequence[str] = (),
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
        said = str(without_secrets(" ".join((reason or "").split())))
        if reason is not None and not said:
            raise BadRequest("`--reason` is empty", hint='say why: --reason "..."')
        for gate in allow:
            if gate not in GATES:
                close = difflib.get_close_matches(gate, GATES, n=1)
                raise BadRequest(
                    f"there is no gate `{gate}`",
                    hint=f"did you mean `{close[0]}`?" if close else f"gates: {', '.join(GATES)}",
                )
        if allow and not said:
            raise BadRequest(
                f"`--allow {allow[0]}` lacks a reason",
                hint='say why the release may pass: --reason "..."',
            )
        if said and bump is None and not allow:
            raise BadRequest(
                "`--reason` explains nothing",
                hint="it says why a gate lets a release pass, or why it gets another bump: "
                "add --allow GATE or --bump minor",
            )
        return cls(bump, first, prerelease or "", tuple(dict.fromkeys(allow)), said)


def chosen(decision: Decision, choices: Choices, dataset: str) -> Decision:
    """The decision with the bump that was asked for, if there is anything to release.

    That an unchanged 0.x is stable now, a person may say: then it is released as 1.0.0. Raises
    Refused for a lower one without a reason, BadRequest for a first version of a dataset that has
    one, and for another bump of one that has none.
    """
    if decision.last is None:
        if choices.bump is not None and choices.named:
            raise BadRequest(
                f"`{dataset}` has no release yet that `--bump {choices.bump}` could follow",
                hint=f"leave out --bump: the first is {decision.version}; "
                "for another: --initial 0.1.0",
            )
        return decision
    if choices.initial is not None:
        raise BadRequest(
            f"`{dataset}` has a first release already, and is at {decision.last}",
            hint="leave out --initial; to raise the version: --bump major",
        )
    stable = choices.bump is Bump.MAJOR and decision.last.major == 0
    unchanged = decision.bump is Bump.NONE
    if choices.bump is None or (unchanged and not (stable and choices.named)):
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
    findings = (*([DECLARED] if stable else []), *decision.findings)
    return replace(
        decision, findings=findings, bump=choices.bump, version=version, computed=decision.bump
    )


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


def exceptions(
    decision: Decision, breaches: Iterable[Breach], choices: Choices, dataset: str
) -> tuple[str, ...]:
    """What is released against a gate or the computed bump, in words, each with the reason.

    Raises Refused with every breach that no choice lets pass.
    """
    breaches = list(breaches)
    kept_out = [breach for breach in breaches if breach.gate not in choices.allow]
    if kept_out:
        options = " ".join(f"--allow {gate}" for gate in dict.fromkeys(b.gate for b in breaches))
        raise Refused(
            f"`{dataset}` does not pass its gates",
            hint="correct the data, or the bound in the contract; to release it nevertheless: "
            f'dreg release {dataset} {options} --reason "..."',
            details=told(kept_out),
        )
    decided = [f"{breach} (allowed: {choices.reason})" for breach in breaches]
    declared = any(finding == DECLARED for finding in decision.findings)
    if decision.computed not in (None, decision.bump) and not (declared and not choices.reason):
        why = choices.reason or "it was asked for"  # who raises a bump need not say why
        decided.append(f"{decision.bump} instead of {decision.computed}: {why}")
    return tuple(decided)
