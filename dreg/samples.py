"""What became of single samples since a release, by the sample indexes of both sides.

Only indexes are read. One that is not here comes from the DVC remote, alone, and stays in DVC's
cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.git import Repository
from dreg.adapters.index_diff import IndexDiff
from dreg.adapters.objects import open_store
from dreg.adapters.yaml_files import parse_yaml
from dreg.core.profile import Profile
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.samples import Entry, SampleChanges, same_contents
from dreg.core.snapshot import INDEX
from dreg.core.stages import Record, below, parse_lock
from dreg.errors import Refused
from dreg.output import count, out
from dreg.registry import Dataset


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
    entries: tuple[Entry, ...] | None = None
    more: int = 0

    def table(self) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
        """Headers and rows of the counts by split, without columns that are all zero."""
        names = ("added", "removed", "changed", "came", "went")
        shown = [name for name in names if any(getattr(split, name) for split in self.splits)]
        rows = [
            (split.split, *(count(getattr(split, name)) for name in (*shown, "kept")))
            for split in self.splits
        ]
        return ("split", *shown, "kept"), rows


@dataclass(frozen=True)
class Compared:
    """What became of the samples, in counts, and the two indexes, if they had to be read."""

    changes: SampleChanges
    diff: IndexDiff | None = None

    def answer(self, limit: int | None = None) -> Samples:
        """For people and programs; `limit` asks for samples one by one, 0 for all of them."""
        changes = self.changes
        total = changes.total.touched + sum(changes.moved.values())
        entries: tuple[Entry, ...] | None = None
        if limit is not None:
            entries = tuple(islice(self.diff.entries(), limit or None)) if self.diff else ()
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
            more=total - len(entries) if entries is not None else 0,
        )


def samples_since(
    dataset: Dataset, old: Release, before: Profile, new: Release | None, after: Profile
) -> Compared | None:
    """What became of the samples from release `old` to `new`, or to the tree if that is None.

    None where nothing can be said: a release from before there were indexes, other keys, or other
    columns and no keys. Raises Outside when an index cannot be had from the remote.
    """
    if before.snapshot == after.snapshot:
        return Compared(SampleChanges())
    if not before.snapshot.samples or not after.snapshot.samples:
        which = old.version if not before.snapshot.samples else new.version if new else "the tree"
        out.note(f"{which} has no sample index, so single samples are not compared")
        return None
    if before.snapshot.samples == after.snapshot.samples:
        return Compared(SampleChanges())
    contents = same_contents(before, after)
    diff = IndexDiff(_index(dataset, old), _index(dataset, new), contents=contents)
    changes = diff.changes()
    if changes is None:
        why = (
            "their keys are others"
            if contents
            else "their columns are others, and they have no key"
        )
        out.note(f"single samples are not compared: {why}")
        return None
    return Compared(changes, diff)


def _index(dataset: Dataset, release: Release | None) -> Path:
    """The sample index of the release, or of the tree, as a file here."""
    placed = dataset.data / INDEX
    if release is None and placed.is_file():
        return placed
    record = _record(dataset, release)
    cached = dvc.cache_path(dataset.root, record.md5)
    if not dvc.cached(dataset.root, record.md5):
        version = f"{dataset.name} {release.version}" if release else dataset.name
        store = open_store(remote_of(dataset.root))
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


def _record(dataset: Dataset, release: Release | None) -> Record:
    """What dvc.lock says of the index. Raises Refused if nothing."""
    folder, data = dataset.folders
    path = f"{folder}/dvc.lock"
    if release is None:
        text, where = (dataset.pipeline / "dvc.lock").read_bytes(), path
    else:
        text = Repository(dataset.root).read(release.commit, path) or b""
        where = f"{release.tag}:{path}"
    stages = parse_lock(parse_yaml(text.decode(errors="replace"), where), where)
    for stage in stages.values():
        for record in stage.outs.values():
            if below(folder, record.path) == f"{data}/{INDEX}" and record.size is not None:
                return record
    raise Refused(
        f"`{where}` does not list the sample index, although the profile has its digest",
        hint=f"let the last stage have `{INDEX}` among its outs, then: dreg run {dataset.name}",
    )
