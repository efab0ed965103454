"""A release: dataset + semantic version = one annotated tag, whose message says why.

The tag's message reads well in `git show` and ends in trailers that
`git interpret-trailers --parse` understands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from semver import Version

from dreg.core.manifest import digest_in, trailers
from dreg.core.version import FIRST, Bump, parse_tag, tag_of
from dreg.core.yank import records

EXCEPTIONS = "Exceptions:"


@dataclass(frozen=True)
class Release:
    """What a release's tag says. `samples`, `size` (bytes) and `manifest` (SHA-256 in hex) are
    None for a tag that dreg did not make. `yanked` is the tag that yanks it, if one does; `tag_object` the id of the annotated tag, where known.
    `light`: a lightweight tag beside releases that dreg made, which is one only to who asks for just that.
    `remembered`: the registry did not answer, and this is what is known of before."""

    dataset: str
    version: Version
    tag: str
    commit: str
    samples: int | None = None
    size: int | None = None
    manifest: str | None = None
    yanked: str | None = None
    tag_object: str | None = field(default=None, compare=False)
    light: bool = False
    remembered: bool = False

    @classmethod
    def of(cls, tag: str, commit: str, message: str | None = None) -> Release | None:
        """The release that a tag marks, or None for a tag of another kind."""
        parsed = parse_tag(tag)
        if parsed is None:
            return None
        said = trailers(message or "")
        return cls(
            dataset=parsed[0],
            version=parsed[1],
            tag=tag,
            commit=commit,
            samples=_number(said.get("Dreg-Samples")),
            size=_number(said.get("Dreg-Size")),
            manifest=digest_in(said),
        )


@dataclass(frozen=True)
class Story:
    """Why a release has its version, by its tag's message.

    `changes` and `exceptions` are sentences, `upstream` the tags of the releases it was made from,
    `automated` the run that made it, if no person did.
    """

    bump: str = ""
    previous: str | None = None
    changes: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    automated: str = ""

    @classmethod
    def of(cls, message: str) -> Story:
        """What the message says; of one that dreg did not write, nothing."""
        said = trailers(message)
        if "Dreg-Bump" not in said:
            return cls()
        before = parse_tag(said.get("Dreg-Previous", ""))
        body, _, excepted = message.partition(f"\n{EXCEPTIONS}\n")
        upstream = said.get("Dreg-Upstream", "")
        return cls(
            bump=said["Dreg-Bump"],
            previous=str(before[1]) if before else None,
            changes=_listed(body),
            exceptions=_listed(excepted),
            upstream=tuple(upstream.split(", ")) if upstream else (),
            automated=said.get("Dreg-Automated", ""),
        )


def _listed(text: str) -> tuple[str, ...]:
    return tuple(line[2:] for line in text.splitlines() if line.startswith("- "))


def newest(releases: Iterable[Release]) -> Release | None:
    """The release with the highest version; a prerelease only if there is nothing else."""
    return max(
        releases, key=lambda r: (r.version.prerelease is None, *order(r.version)), default=None
    )


def order(version: Version) -> tuple[tuple[int, ...], Version]:
    """Numbers first: comparing those takes a tenth of what comparing versions does."""
    return (version.major, version.minor, version.patch), version


def marked(releases: Iterable[Release], tags: Iterable[str]) -> list[Release]:
    """The releases, those among them marked that one of all the repository's `tags` yanks."""
    about = records(tags)
    return [
        replace(release, yanked=about[release.tag].yanked) if release.tag in about else release
        for release in releases
    ]


def usable(releases: Iterable[Release]) -> list[Release]:
    """The releases that a range may resolve to: those that are neither yanked nor light."""
    return [release for release in releases if release.yanked is None and not release.light]


def finals(releases: Iterable[Release]) -> list[Release]:
    """The releases without the prereleases."""
    return [release for release in releases if release.version.prerelease is None]


def last_final(releases: Iterable[Release]) -> Release | None:
    """The release that the next one is compared with: no prerelease, and none that is yanked
    while there is another."""
    final = finals(releases)
    return newest(usable(final) or final)


def highest_final(releases: Iterable[Release]) -> Version | None:
    """The version that the next one is above; that of a yanked release stays taken."""
    return max((release.version for release in finals(releases)), default=None)


def first_version(releases: Iterable[Release]) -> Version:
    """The version of the first release: what prereleases announced, else 1.0.0."""
    announced = newest(releases)
    return announced.version.finalize_version() if announced else FIRST


def tag_message(
    *,
    dataset: str,
    version: Version,
    previous: Version | None,
    bump: Bump,
    reasons: Sequence[str],
    samples: int,
    size: int,
    manifest: str,
    exceptions: Sequence[str] = (),
    reason: str = "",
    allowed: Sequence[str] = (),
    upstream: Sequence[str] = (),
    automated: str = "",
) -> str:
    """The annotated tag's message: what and why in words, then trailers.

    `size` is in bytes. `exceptions` are what a person decided against dreg, `reason` is why,
    `allowed` are the gates that let it pass, `upstream` the tags of the releases it was made from,
    `automated` names the run that no person started by hand.
    """
    since = f"since {previous}" if previous else "first release"
    lines = [
        f"{dataset} {version}",
        "",
        f"A {bump} release, {since}:" if previous else "The first release.",
        "",
    ]
    lines += [f"- {reason}" for reason in reasons]
    lines += [""] if reasons else []
    if exceptions:
        lines += [EXCEPTIONS, "", *(f"- {exception}" for exception in exceptions), ""]
    said = {
        "Dreg-Dataset": dataset,
        "Dreg-Version": str(version),
        "Dreg-Bump": str(bump),
        "Dreg-Samples": str(samples),
        "Dreg-Size": str(size),
        "Dreg-Manifest": f"sha256:{manifest}",
    }
    if previous:
        said["Dreg-Previous"] = tag_of(dataset, previous)
    if upstream:
        said["Dreg-Upstream"] = ", ".join(upstream)
    if allowed:
        said["Dreg-Allowed"] = ", ".join(allowed)
    if reason:
        said["Dreg-Reason"] = reason
    if automated:
        said["Dreg-Automated"] = automated
    return "\n".join(lines + [f"{key}: {value}" for key, value in said.items()]) + "\n"


def commit_message(dataset: str, version: Version, reasons: Sequence[str]) -> str:
    """The release commit's message."""
    return (
        "\n".join(
            [f"data({dataset}): release {version}", "", *(f"- {reason}" for reason in reasons)]
        ).rstrip()
        + "\n"
    )


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isdigit() else None
