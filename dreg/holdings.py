"""What a release would hold: the tree's files with checksums, and which objects the remote lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.inspection import Wanted, inspect
from dreg.adapters.objects import Advance, Checksums, Store, open_store
from dreg.core.remotes import object_key
from dreg.core.snapshot import File, Snapshot
from dreg.core.stored import State
from dreg.errors import Outside, Refused
from dreg.registry import Dataset

CHUNK = 4 * 1024 * 1024
DAMAGED = (State.WRONG_SIZE, State.WRONG_BYTES)


@dataclass(frozen=True)
class Object:
    """One object of a release: key on the remote, path below `data/<name>/`, the file with its bytes."""

    key: str
    md5: str
    path: str
    size: int
    source: Path
    is_directory: bool = False


@dataclass(frozen=True)
class Holdings:
    """The files of a release, the objects that carry them, and those the remote lacks.

    `directories` maps DVC-tracked folders to their `.dir` objects. `wrong` are those among the
    `missing` that are there with other bytes than their address says.
    """

    store: Store
    snapshot: Snapshot
    directories: Mapping[str, str]
    objects: tuple[Object, ...]
    missing: tuple[Object, ...]
    wrong: tuple[Object, ...] = ()

    def push(self, entry: Object, advance: Advance) -> None:
        """Write one object. Raises Outside when the remote fails."""
        self.store.put_file(entry.key, entry.source, advance)

    def absent(self) -> tuple[Object, ...]:
        """Objects that the remote does not have as they should be, asked anew."""
        return absent(self.store, self.objects)


def holdings(dataset: Dataset) -> Holdings:
    """The tree's holdings, read and compared with the remote.

    Every file is read once: its bytes must have the md5 that DVC recorded, so a damaged cache is
    found before anything is pushed. Raises Refused for bytes that are not here, Outside for
    damaged ones and for a remote that fails.
    """
    store = open_store(remote_of(dataset.root))
    files, objects = [], []
    for file in dvc.tracked_files(dataset.root, dataset.name):
        source = _source(dataset, file)
        files.append(File(file.path, file.size, file.md5, _sha256(source, file), file.in_git))
        if not file.in_git:
            objects.append(Object(object_key(file.md5), file.md5, file.path, file.size, source))
    folders = dvc.directories(dataset.root, dataset.name)
    for path, md5 in folders.items():
        source = dvc.cache_path(dataset.root, md5)
        if not source.is_file():
            raise _not_here(dataset, path)
        size = source.stat().st_size
        _sha256(source, File(path, size, md5[:32]))
        objects.append(Object(object_key(md5), md5[:32], path, size, source, True))
    unique = tuple({entry.key: entry for entry in objects}.values())
    states = _states(store, unique)
    lacking = tuple(e for e, state in zip(unique, states, strict=True) if state is not State.RIGHT)
    wrong = tuple(e for e, s in zip(unique, states, strict=True) if s in DAMAGED)
    return Holdings(store, Snapshot.of(files), folders, unique, lacking, wrong)


def absent(store: Store, objects: tuple[Object, ...]) -> tuple[Object, ...]:
    """Those of the objects that the store does not have with the bytes their address says."""
    states = _states(store, objects)
    return tuple(o for o, state in zip(objects, states, strict=True) if state is not State.RIGHT)


def _states(store: Store, objects: tuple[Object, ...]) -> list[State]:
    wanted = [Wanted(o.key, o.md5, o.size, source=o.source) for o in objects]
    return inspect(store, wanted, read=True)


def _source(dataset: Dataset, file: File) -> Path:
    """The local file with the bytes: DVC's cache, else the work tree."""
    cached = dvc.cache_path(dataset.root, file.md5)
    placed = dataset.data / file.path
    for path in (placed,) if file.in_git else (cached, placed):
        if path.is_file():
            return path
    raise _not_here(dataset, file.path)


def _not_here(dataset: Dataset, path: str) -> Refused:
    return Refused(
        f"the bytes of `data/{dataset.name}/{path}` are not here",
        hint=f"dreg run {dataset.name}",
    )


def _sha256(source: Path, file: File) -> str:
    checksums = Checksums()
    with source.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            checksums.update(chunk)
    if checksums.md5 != file.md5:
        raise Outside(
            f"the local copy of `{file.path}` is damaged: it has md5 {checksums.md5}, and dvc.lock says {file.md5}",
            hint=f"remove `{source}`, then run the pipeline again with --force",
        )
    return checksums.sha256
