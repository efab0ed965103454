"""What `dreg fetch` answers: what is in place now, and how it came there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semver import Version

from dreg.core.wording import numbered
from dreg.core.yank import Yank
from dreg.output import size

WEAK = {
    "etag": "the store's own one, the number of rows",
    "size": "its size, the number of rows",
}


@dataclass(frozen=True)
class Fetched:
    """One dataset that is in place. `downloaded` is in bytes; `previous` the version locked before.

    `protection` is `sha256`, or `md5` for a plain DVC repository; of columns from afar `etag`, where the
    store has the released object by its own checksum, else `size`. `backup` is where `--force`
    moved a folder with local changes. `changed` is False when everything was in place. `yanked`
    says why the release is, None if it isn't or the registry did not answer at once.
    """

    dataset: str
    version: Version
    previous: Version | None
    tag: str
    commit: str
    manifest: str | None
    output: str
    files: int
    size: int
    downloaded: int
    changed: bool
    protection: str
    backup: str | None = None
    yanked: Yank | None = None

    def lines(self) -> Iterator[str]:
        moved = self.previous is not None and str(self.previous) != str(self.version)  # also +g1234
        name = f"{self.dataset} {f'{self.previous} -> ' if moved else ''}{self.version}"
        amount = f"{numbered(self.files, 'file')}, {size(self.size)}"
        if self.changed:
            yield f"fetched {name} into {self.output} ({amount}; downloaded {size(self.downloaded)})"
        else:
            yield f"{name} is in place in {self.output} ({amount})"
        if self.backup:
            yield f"  the old folder with local changes is {self.backup}"
        if self.protection == "md5":
            yield "  made without dreg: no manifest, so only md5 protects these files"
        if self.protection in WEAK:
            yield f"  columns: instead of the file's checksum, {WEAK[self.protection]} and those of pages count"


@dataclass(frozen=True)
class Fetches:
    """The answer of `dreg fetch`: one entry a dataset."""

    datasets: tuple[Fetched, ...]

    def lines(self) -> Iterator[str]:
        for fetched in self.datasets:
            yield from fetched.lines()
