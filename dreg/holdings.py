"""What a release would hold: the tree's files with checksums, and which objects the remote lacks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.objects import Advance, Checksums, Store, many, open_store
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.snapshot import File, Snapshot
from dreg.errors import Outside, Refused
from dreg.registry import Dataset

CHUNK = 4 * 1024 * 1024
MANIFEST_LIMIT = 1 << 30  # bytes; about five million files


@dataclass(frozen=True)
class Object:
    """One object of a release: its key on the remote, and the local file with its bytes.

    `source` is None when the bytes are only on the remote.
    """

    key: str
    path: str
    size: int
    source: Path | None
    is_directory: bool = False


@dataclass(frozen=True)
class Holdings:
    """The files of a release, the objects that carry them, and those the remote lacks."""

    store: Store
    snapshot: Snapshot
    directories: dict[str, str]
    objects: tuple[Object, ...]
    missing: tuple[Object, ...]

    def push(self, entry: Object, advance: Advance) -> None:
        """Write one object. Raises Outside when the remote fails."""
        assert entry.source is not None, "an object without bytes is refused when planning"
        self.store.put_file(entry.key, entry.source, advance)

    def absent(self) -> list[str]:
        """Paths whose object is not on the remote with the right size, asked anew."""
        there = many([lambda o=o: self.store.size(o.key) for o in self.objects])  # type: ignore[misc]
        return [o.path for o, size in zip(self.objects, there, strict=True) if size != o.size]


def holdings(dataset: Dataset, last: Release | None) -> Holdings:
    """The tree's holdings, read and compared with the remote.

    Every file is read once: its bytes must have the md5 that DVC recorded, so a damaged cache is
    found before anything is pushed. Bytes that are only on the remote are taken on the word of
    the last release's manifest. Raises Refused for bytes that are nowhere, Outside otherwise.
    """
    store = open_store(remote_of(dataset.root))
    proven = _proven(store, last)
    files, objects = [], []
    for file in dvc.tracked_files(dataset.root, dataset.name):
        source = _source(dataset, file)
        if source is None and file.md5 not in proven:
            raise Refused(
                f"the bytes of `data/{dataset.name}/{file.path}` are not here",
                hint=f"dreg run {dataset.name} (it pulls what the remote has)",
            )
        sha256 = _sha256(source, file) if source else proven[file.md5]
        files.append(File(file.path, file.size, file.md5, sha256, file.in_git))
        if not file.in_git:
            objects.append(Object(object_key(file.md5), file.path, file.size, source))
    folders = dvc.directories(dataset.root, dataset.name)
    for path, md5 in folders.items():
        source = dvc.cache_path(dataset.root, md5)
        if source.is_file():
            objects.append(Object(object_key(md5), path, source.stat().st_size, source, True))
    unique = tuple({entry.key: entry for entry in objects}.values())
    there = many([lambda o=o: store.size(o.key) for o in unique])  # type: ignore[misc]
    missing = [o for o, size in zip(unique, there, strict=True) if size != o.size]
    lost = next((o for o in missing if o.source is None), None)
    if lost is not None:
        raise Refused(
            f"the bytes of `data/{dataset.name}/{lost.path}` are neither here nor on {store.location}",
            hint=f"dreg run {dataset.name} --force",
        )
    return Holdings(store, Snapshot.of(files), folders, unique, tuple(missing))


def _source(dataset: Dataset, file: File) -> Path | None:
    """The local file with the bytes: DVC's cache, else the work tree."""
    cached = dvc.cache_path(dataset.root, file.md5)
    placed = dataset.data / file.path
    candidates = (placed,) if file.in_git else (cached, placed)
    return next((path for path in candidates if path.is_file()), None)


def _sha256(source: Path, file: File) -> str:
    checksums = Checksums()
    with source.open("rb") as stream:
        while chunk := stream.read(CHUNK):
            checksums.update(chunk)
    if checksums.md5 != file.md5:
        raise Outside(
            f"the local copy of `{file.path}` is damaged: md5 {checksums.md5}, dvc.lock says {file.md5}",
            hint=f"remove `{source}`, then run the pipeline again",
        )
    return checksums.sha256


def _proven(store: Store, last: Release | None) -> dict[str, str]:
    """SHA-256 by md5 of the files that the last release proved to be on this remote."""
    if last is None or last.manifest is None:
        return {}
    key = manifest_key(last.manifest)
    if store.size(key) is None:
        return {}  # released to another remote; everything is checked by its own bytes instead
    manifest = Manifest.parse(store.get_bytes(key, MANIFEST_LIMIT), last.manifest)
    return {file.md5: file.sha256 for file in manifest.snapshot.files if file.sha256}
