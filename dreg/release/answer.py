"""What a release came to: the answer of `dreg release`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semver import Version

from dreg.core.decision import priced
from dreg.core.rules import Finding
from dreg.core.version import Bump
from dreg.core.wording import numbered
from dreg.output import count, size

MOST_PUSHES = 20


@dataclass(frozen=True)
class Pushed:
    """An object that the remote lacked: the file or folder below data/<name>/ that it is of."""

    path: str
    size: int


@dataclass(frozen=True)
class Released:
    """What happened to one dataset. `state`: released, unchanged, or planned (`--dry-run`).

    `exceptions` are what was decided against dreg, each with its reason. `changelog` is the release's entry there, empty if there is nothing to release. `unpushed`: commit and tag are here only, for `--no-push`.
    """

    dataset: str
    state: str
    version: Version
    previous: Version | None
    bump: Bump
    tag: str
    findings: tuple[Finding, ...]
    exceptions: tuple[str, ...]
    samples: int
    files: int
    size: int
    objects_pushed: int
    pushes: tuple[Pushed, ...]
    manifest: str | None
    changelog: str
    commit: str | None
    pushed_to: str | None
    unpushed: bool = False

    def lines(self) -> Iterator[str]:
        if self.state == "unchanged":
            free = (
                "nothing that changed has a price" if self.findings else "the tree is this release"
            )
            yield f"{self.dataset} {self.version}: nothing to release, {free}"
            return
        since = f"{self.previous} -> " if self.previous else ""
        would = "would release " if self.state == "planned" else "released "
        price = priced(self.bump, self.version) if self.previous else "first release"
        yield f"{would}{self.dataset} {since}{self.version} ({price})"
        yield from (f"  {line}" for line in self._why())
        yield from (f"  exception  {exception}" for exception in self.exceptions)
        yield f"  {numbered(self.samples, 'sample')}, {numbered(self.files, 'file')}, {size(self.size)}"
        yield f"  objects   {count(self.objects_pushed)} {'to push' if self.state == 'planned' else 'pushed'}"
        if self.state == "planned":
            yield from (f"    {p.path}  {size(p.size)}" for p in self.pushes[:MOST_PUSHES])
            if len(self.pushes) > MOST_PUSHES:
                yield f"    and {count(len(self.pushes) - MOST_PUSHES)} more"
        yield f"  manifest  sha256:{self.manifest}"
        where = f" on {self.pushed_to}" if self.pushed_to else ", only in this repository"
        yield f"  tag       {self.tag}{where}"
        if self.state == "released" and self.unpushed:
            yield f"  push it   dreg release {self.dataset}"
        if self.state == "planned":
            yield f"  changelog, in data/{self.dataset}/CHANGELOG.md:"
            yield from (f"    {line}".rstrip() for line in self.changelog.splitlines())

    def _why(self) -> Iterator[str]:
        """The whole plan; of a release that was made, the findings that decided it."""
        dearest = max((finding.bump for finding in self.findings), default=Bump.NONE)
        told = [f for f in self.findings if self.state == "planned" or f.bump is dearest]
        for finding in told:
            override = f" ({finding.override})" if finding.override else ""
            yield f"{finding.bump}  {finding.rule}: {finding.text}{override}"
        if len(told) < len(self.findings):
            yield f"and {numbered(len(self.findings) - len(told), 'lesser finding')}, in the tag's message"


@dataclass(frozen=True)
class Releases:
    """The answer of `dreg release`: one entry a dataset. `never_run` have nothing to release yet."""

    releases: tuple[Released, ...]
    never_run: tuple[str, ...] = ()

    def lines(self) -> Iterator[str]:
        if not self.releases:
            which = "no dataset that was run" if self.never_run else "no dataset"
            yield f"nothing to release: {which} has changed since its last release"
        for i, released in enumerate(self.releases):
            if i:
                yield ""
            yield from released.lines()
        if self.releases and self.never_run:
            yield ""
        yield from self.told_of_never_run()

    def told_of_never_run(self) -> Iterator[str]:
        """Just the lines about these."""
        yield from (f"{name} was never run: dreg run {name}" for name in self.never_run)
