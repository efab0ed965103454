"""What came of making a release again: the answer of `dreg reproduce`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semver import Version

from dreg.core.wording import numbered, printable
from dreg.diff.samples import Samples
from dreg.output import size, table

SHOWN = 20


@dataclass(frozen=True)
class Differing:
    """A file that is not as released. `state`: differs, missing (it was not made), or extra (the
    release has none). `expected` and `actual` are SHA-256."""

    path: str
    state: str
    expected: str | None
    actual: str | None


@dataclass(frozen=True)
class OtherVersion:
    """What is of another version than where the data was made; null where it was or is not there."""

    what: str
    then: str | None
    now: str | None


@dataclass(frozen=True)
class Reproduced:
    """A release made again. `proven`: every byte is as its manifest says.

    `ran` are the datasets whose stages ran, `cached_sources` says whether sources may have come out
    of the download cache. `samples` are single samples that are others, null where that is not
    known. `surroundings` are what differs from where the data was made. `kept` is the folder that
    the work tree was left in.
    """

    dataset: str
    version: Version
    tag: str
    commit: str
    manifest: str
    proven: bool
    files: int
    size: int
    ran: tuple[str, ...]
    seconds: float
    cached_sources: bool
    different: tuple[Differing, ...] = ()
    samples: Samples | None = None
    surroundings: tuple[OtherVersion, ...] = ()
    kept: str | None = None

    def lines(self) -> Iterator[str]:
        name = f"{self.dataset} {self.version}"
        amount = f"{numbered(self.files, 'file')}, {size(self.size)}"
        if self.proven:
            yield f"reproduced {name}: {amount}, equal byte for byte ({self.seconds:.1f} s)"
        else:
            yield f"{name} came out otherwise: {len(self.different)} of {amount}"
        yield from (f"  {line}" for line in self._different())
        if self.cached_sources:
            yield "  sources may have come out of the download cache: not proven that they can be had"
        if self.kept:
            yield f"  kept      {self.kept}"

    def _different(self) -> Iterator[str]:
        for one in self.different[:SHOWN]:
            yield f"{one.state:<9} {printable(one.path)}"
            if one.expected:
                yield f"          expected sha256 {one.expected}"
            if one.actual:
                yield f"          actual   sha256 {one.actual}"
        if len(self.different) > SHOWN:
            yield f"and {len(self.different) - SHOWN} more; --json has them all"
        yield from self._samples()
        for other in self.surroundings[:SHOWN]:
            yield f"made with {other.what} {other.then or '-'}, now {other.now or '-'}"
        if len(self.surroundings) > SHOWN:
            more = numbered(len(self.surroundings) - SHOWN, "more version")
            yield f"and {more} other than then"

    def _samples(self) -> Iterator[str]:
        if self.samples is None:
            return
        if not self.samples.changed:
            if self.different:
                yield "no sample is another: the same samples are in other bytes"
            return
        yield from table(*self.samples.table())
        for entry in self.samples.entries or ():
            yield f"{entry.kind:<9} {entry.split}  {printable(entry.key)}"
        if self.samples.more:
            yield f"and {numbered(self.samples.more, 'more sample')}"
