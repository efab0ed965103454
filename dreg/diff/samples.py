"""What became of single samples since a release, by the sample indexes of both sides.

Only indexes are read. One that is not here comes from the DVC remote, alone, and stays in DVC's
cache.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.git import Repository
from dreg.adapters.through_dvc import open_own
from dreg.adapters.yaml_files import parse_yaml, shown
from dreg.core.profile import Profile
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.samples import Entry, SampleChanges, other_keys, same_contents
from dreg.core.snapshot import INDEX
from dreg.core.stages import Record, below, parse_lock
from dreg.core.wording import numbered
from dreg.errors import Outside
from dreg.output import count, out
from dreg.registry import Dataset

if TYPE_CHECKING:
    from dreg.adapters.index.comparing import IndexDiff

OTHER_KEYS = "they are told apart by another key"


@dataclass(frozen=True)
class Moved:
    """How many samples of split `before` are in split `split` now."""

    before: str
    split: str
    samples: int


@dataclass(frozen=True)
class InSplit:
    """What became of the samples of a split; `came` and `went` are those of other splits."""

    split: str
    added: int
    removed: int
    changed: int
    came: int
    went: int
    kept: int


@dataclass(frozen=True)
class Samples:
    """What became of single samples. `keyed`: they are told apart by key, not by content.

    Not `contents`: there are other columns than before, so only keys were compared. `entries` are
    samples one by one, in the order of the index, `more` says how many are left out; None if not
    asked for.
    """

    keyed: bool
    contents: bool
    splits: tuple[InSplit, ...]
    moved: tuple[Moved, ...]
    entries: Iterable[Entry] | None = None
    more: int = 0

    @property
    def listed(self) -> bool:
        """Whether there are samples one by one; all of them may be too many to look."""
        return self.entries is not None and self.changed

    @property
    def changed(self) -> bool:
        """Whether any sample came, went, changed or moved."""
        return bool(self.moved or any(s.added or s.removed or s.changed for s in self.splits))

    def places(self) -> list[str]:
        """What an entry may say of its split."""
        return [*(s.split for s in self.splits), *(f"{m.before} -> {m.split}" for m in self.moved)]

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headers and rows of the counts by split, without columns that are all zero."""
        names = ("added", "removed", "changed", "came", "went")
        shown = [name for name in names if any(getattr(split, name) for split in self.splits)]
        rows = [
            (split.split, *(count(getattr(split, name)) for name in (*shown, "kept")))
            for split in self.splits
        ]
        return ("split", *shown, "kept" if self.contents else "same key"), rows


class Listing:
    """Samples that are not as before, read from the indexes each time that one goes through them."""

    def __init__(self, diff: IndexDiff, limit: int) -> None:
        self._diff = diff
        self._limit = limit

    def __iter__(self) -> Iterator[Entry]:
        # No list is longer than `sys.maxsize`, and no slice may be.
        return islice(self._diff.entries(), min(self._limit, sys.maxsize) or None)


@dataclass(frozen=True)
class Compared:
    """What became of the samples, in counts, and the two indexes, if they had to be read."""

    changes: SampleChanges
    diff: IndexDiff | None = None

    def answer(self, limit: int | None = None) -> Samples:
        """For people and programs; `limit` asks for samples one by one, 0 for all of them."""
        changes = self.changes
        total = changes.total.touched + sum(changes.moved.values())
        entries: Iterable[Entry] | None = None
        if limit is not None:
            entries = Listing(self.diff, limit) if self.diff else ()
        return Samples(
            keyed=changes.keyed,
            contents=changes.contents,
            splits=tuple(
                InSplit(
                    split=name,
                    added=split.added,
                    removed=split.removed,
                    changed=split.changed,
                    came=changes.came(name),
                    went=changes.went(name),
                    kept=split.kept,
                )
                for name, split in changes.splits.items()
            ),
            moved=tuple(Moved(out, to, n) for (out, to), n in sorted(changes.moved.items())),
            entries=entries,
            more=max(0, total - limit) if limit else 0,
        )


def samples_since(
    dataset: Dataset, old: Release, before: Profile, new: Release | None, after: Profile
) -> Compared | None:
    """What became of the samples from release `old` to `new`, or to the tree if that is None.

    None where nothing can be said: a release from before there were indexes, other keys, or other
    columns and no keys. Raises Outside when an index cannot be had from the remote.
    """
    if not before.snapshot.samples or not after.snapshot.samples:
        if before.snapshot.same_files(after.snapshot):
            return None
        which = _called(new if before.snapshot.samples else old)
        out.note(f"{which} has no sample index, so single samples are not compared")
        return None
    if before.snapshot.samples == after.snapshot.samples:
        return Compared(SampleChanges())
    if other_keys(before, after):
        out.note(f"single samples are not compared: {OTHER_KEYS}")
        return None
    indexes = _index(dataset, old), _index(dataset, new)
    for index, release in zip(indexes, (old, new), strict=True):
        if index is None:
            out.note(
                f"the dvc.lock of {_called(release)} does not list `{INDEX}`, so single samples "
                "are not compared"
            )
    if indexes[0] is None or indexes[1] is None:
        return None
    from dreg.adapters.index.comparing import IndexDiff  # Arrow: most releases need none of it

    contents = same_contents(before, after)
    diff = IndexDiff(indexes[0], indexes[1], contents=contents)
    changes = diff.changes()
    if changes is None:
        why = OTHER_KEYS if contents else "their columns are others, and they have no key"
        out.note(f"single samples are not compared: {why}")
        return None
    _refuse_other_numbers(indexes[0], dataset, before, changes.before())
    _refuse_other_numbers(indexes[1], dataset, after, changes.after())
    return Compared(changes, diff)


def between(old: Path, new: Path, before: Profile, after: Profile, *, limit: int) -> Samples | None:
    """What became of the samples from one index to the other, up to `limit` of them by name.

    None where they cannot be compared. The files are not needed afterwards.
    """
    from dreg.adapters.index.comparing import IndexDiff

    if other_keys(before, after):
        return None
    diff = IndexDiff(old, new, contents=same_contents(before, after))
    changes = diff.changes()
    if changes is None:
        return None
    answer = Compared(changes, diff).answer(limit)
    return replace(answer, entries=tuple(answer.entries or ()))


def _called(release: Release | None) -> str:
    return str(release.version) if release else "the tree"


def _refuse_other_numbers(
    index: Path, dataset: Dataset, profile: Profile, samples: Mapping[str, int]
) -> None:
    """Raises Outside when index and profile are not of the same samples: better none than wrong."""
    for name in sorted({*profile.splits, *samples}):
        split = profile.splits.get(name)
        measured, listed = split.num_samples if split else 0, samples.get(name, 0)
        if measured != listed:
            raise Outside(
                f"`{shown(index)}` lists {numbered(listed, 'sample')} of split `{name}`, and the profile has "
                f"{measured:,}: they are not of the same data",
                hint=f"bring the data of this commit here (dvc pull), or measure it: dreg run {dataset.name}",
            )


def _index(dataset: Dataset, release: Release | None) -> Path | None:
    """The sample index of the release, or of the tree, as a file here; None if there is none."""
    records = recorded(dataset, release)
    placed = dataset.data / INDEX
    if release is None and placed.is_file() and not _left_behind(dataset, records):
        return placed
    record = records.get(f"{dataset.folders[1]}/{INDEX}")
    if record is None:
        return None
    cached = dvc.cache_path(dataset.root, record.md5)
    if not dvc.cached(dataset.root, record.md5):
        version = f"{dataset.name} {release.version}" if release else dataset.name
        store = open_own(remote_of(dataset.root))
        what, size = f"getting the sample index of {version}", record.size or 0
        cached.parent.mkdir(parents=True, exist_ok=True)
        with out.progress(what, size, "bytes") as advance:
            store.download(
                object_key(record.md5),
                cached,
                size=size,
                md5=record.md5,
                sha256=None,
                advance=advance,
                called=INDEX,
            )
    return cached


def _left_behind(dataset: Dataset, records: Mapping[str, Record]) -> bool:
    """Whether the profile is that of dvc.lock and the index isn't: git brought it without the data."""
    index, metadata = (
        (record := records.get(f"{dataset.folders[1]}/{path.name}")) is not None
        and dvc.remembered_md5(dataset.root, dataset.name, path) == record.md5
        for path in (dataset.data / INDEX, dataset.metadata)
    )
    return metadata and not index and f"{dataset.folders[1]}/{INDEX}" in records


def recorded(dataset: Dataset, release: Release | None) -> dict[str, Record]:
    """What dvc.lock says that stages made, by path relative to the registry."""
    folder = dataset.folders[0]
    path = f"{folder}/dvc.lock"
    if release is None:
        file = dataset.pipeline / "dvc.lock"
        text, where = file.read_bytes() if file.is_file() else b"", path
    else:
        text = Repository(dataset.root).read(release.commit, path) or b""
        where = f"{release.tag}:{path}"
    if not text.strip():
        return {}
    stages = parse_lock(parse_yaml(text.decode(errors="replace"), where), where)
    made = (record for stage in stages.values() for record in stage.outs.values())
    return {below(folder, record.path): record for record in made if record.size is not None}
