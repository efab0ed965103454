"""What a release would hold: the tree's files with checksums, and which objects the remote lacks.

A manifest of an earlier release that is on the very remote says of every object in it that it was
verified there, so its checksums are known. Whether it is there still is asked all the same, of the
store's listing: `dvc gc --cloud`, a lifecycle rule or a person may have removed it since. What was
touched since the manifest was written, by the store's own times, is read again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.inspection import Wanted, inspect
from dreg.adapters.objects import Checksums, Store, many
from dreg.adapters.through_dvc import open_own
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.release import Release
from dreg.core.remotes import Remote, object_key
from dreg.core.snapshot import File, Snapshot
from dreg.core.stored import State
from dreg.errors import DregError, Outside, Refused
from dreg.manifests import MANIFEST_LIMIT
from dreg.output import out
from dreg.push.mounted import refuse_no_folder
from dreg.registry import Dataset

CHUNK = 4 * 1024 * 1024
WORTH_THREADS = 64_000_000  # bytes
BATCH = 100  # files that a thread reads at a time
DAMAGED = (State.WRONG_SIZE, State.WRONG_BYTES)


@dataclass(frozen=True)
class Object:
    """One object of a release: key on the remote, path of the file or folder, the bytes' own file.

    `source` is None where they are not here; then `size` may be unknown, and 0. `vouched`: when a
    manifest that names the object was written to the remote, as in Wanted.
    """

    key: str
    md5: str
    path: str
    size: int
    source: Path | None
    is_directory: bool = False
    vouched: int | None = None


@dataclass(frozen=True)
class Holdings:
    """The files of a release, the objects that carry them, and those the remote lacks.

    `directories` maps DVC-tracked folders to their `.dir` objects. `wrong` are those among the
    `missing` that are there with other bytes than their address says. `opaque`: as in Vouched.
    `before` is the SHA-256 of the manifest that vouches, None if none does.
    """

    remote: Remote
    snapshot: Snapshot = field(default_factory=lambda: Snapshot(()))
    directories: Mapping[str, str] = field(default_factory=dict)
    objects: tuple[Object, ...] = ()
    missing: tuple[Object, ...] = ()
    wrong: tuple[Object, ...] = ()
    opaque: bool = False
    before: str | None = None

    @functools.cached_property
    def store(self) -> Store:
        """The remote, open. Raises as `open_store` does."""
        return open_own(self.remote)


@dataclass(frozen=True)
class Vouched:
    """What a manifest on the remote says of objects there: files by md5, and folders' objects.

    `at`: when it was written, by the remote's clock in nanoseconds. `opaque`: the remote's ETags are not
    what they look like, so they prove and disprove nothing.
    """

    files: Mapping[str, File] = field(default_factory=dict)
    directories: frozenset[str] = frozenset()
    at: int = 0
    opaque: bool = False

    @classmethod
    def by(cls, manifest: Manifest, at: int, *, opaque: bool = False) -> Vouched:
        files = {file.md5: file for file in manifest.snapshot.files if not file.in_git}
        return cls(files, frozenset(manifest.directories.values()), at, opaque)

    def of(self, md5: str) -> int | None:
        """Since when the object's bytes are known to have been right; None if they aren't."""
        return self.at if md5 in self.files or md5 in self.directories else None


def holdings(dataset: Dataset, last: Release | None = None) -> Holdings:
    """The tree's holdings, read and compared with the remote.

    Every file that the manifest of the `last` release doesn't know is read: its bytes must have
    the md5 that DVC recorded, so a damaged cache is found before anything is pushed. Raises Refused
    for bytes that are neither here nor there, Outside for damaged ones and for a remote that fails.
    """
    remote = remote_of(dataset.root)
    store = open_own(remote)
    vouched = _vouched(store, last)
    sizes = {md5: file.size for md5, file in vouched.files.items()}
    tracked = dvc.tracked_files(dataset.root, dataset.name, sizes)
    sources = [_source(dataset, file) for file in tracked]
    files = _with_sha256(dataset, tracked, sources, vouched)
    objects = [
        Object(object_key(f.md5), f.md5, f.path, f.size, source, vouched=vouched.of(f.md5))
        for f, source in zip(files, sources, strict=True)
        if not f.in_git
    ]
    folders = dvc.directories(dataset.root, dataset.name)
    objects += [_folder(dataset, path, md5, vouched) for path, md5 in folders.items()]
    unique = tuple({entry.key: entry for entry in objects}.values())
    lacking, wrong = lacks(store, unique, opaque=vouched.opaque)
    if away := next((entry for entry in lacking if entry.source is None), None):
        raise not_here(dataset, f"data/{dataset.name}/{away.path}")
    before = last.manifest if last and vouched.files else None
    snapshot = Snapshot.of(files)
    return Holdings(remote, snapshot, folders, unique, lacking, wrong, vouched.opaque, before)


def here(held: Holdings) -> Callable[[str], bytes | None]:
    """What reads the bytes with an MD5 that are on this disk."""
    sources = {entry.md5: os.fspath(entry.source) for entry in held.objects if entry.source}

    def read(md5: str) -> bytes | None:
        if md5 not in sources:
            return None
        with open(sources[md5], "rb", buffering=0) as file:  # noqa: PTH123 (of many thousands)
            return file.read()

    return read


def nothing(dataset: Dataset) -> Holdings:
    """The holdings of a dataset that there is nothing to release of: no file and no remote is asked."""
    return Holdings(remote_of(dataset.root))


def lacks(
    store: Store,
    objects: Sequence[Object],
    sent: Mapping[str, str] | None = None,
    *,
    opaque: bool = False,
) -> tuple[tuple[Object, ...], tuple[Object, ...]]:
    """The objects that the store does not have as they should be, and those of them that are there.

    `sent` are the ETags that the store gave, by key, for bytes that were right; `opaque`: its ETags
    mean nothing.
    """
    known = sent or {}
    wanted = [
        Wanted(o.key, o.md5, o.size, source=o.source, sent=known.get(o.key, ""), vouched=o.vouched)
        for o in objects
    ]
    states = inspect(store, wanted, read=True, opaque=opaque)
    lacking = tuple(o for o, s in zip(objects, states, strict=True) if s is not State.RIGHT)
    return lacking, tuple(o for o, s in zip(objects, states, strict=True) if s in DAMAGED)


def _vouched(store: Store, last: Release | None) -> Vouched:
    """What the manifest of the last release says, if it is on this very store."""
    if last is None or last.manifest is None:
        return Vouched()
    key = manifest_key(last.manifest)
    seen = store.stat(key)
    if seen is None:  # released to another remote, or lost
        refuse_no_folder(store, last)
        out.warn(
            f"`{last.tag}` is not on {store.location}; if it should be: dreg fsck --remote says more"
        )
        return Vouched()
    text = store.get_bytes(key, MANIFEST_LIMIT)
    try:
        manifest = Manifest.parse(text, last.manifest)
    except DregError as error:
        out.warn(f"{error.fact}; every file is read: dreg fsck --remote says more")
        return Vouched()
    # These bytes are right; so if they have another ETag, ETags here are no MD5s (AWS with KMS).
    md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    return Vouched.by(manifest, seen.touched, opaque=seen.md5 not in (None, md5))


def _with_sha256(
    dataset: Dataset, files: Sequence[File], sources: Sequence[Path | None], vouched: Vouched
) -> list[File]:
    known = {
        file.md5: vouched.files[file.md5].sha256 or ""
        for file in files
        if not file.in_git and file.md5 in vouched.files
    }
    unread = {}
    for file, source in zip(files, sources, strict=True):
        if file.md5 in known:
            continue
        if source is None:
            raise not_here(dataset, f"data/{dataset.name}/{file.path}")
        unread[file.md5] = (source, file.path, file.md5)
    total = sum(file.size for file in files if file.md5 in unread)
    pairs = list(unread.values())
    batches = [pairs[at : at + BATCH] for at in range(0, len(pairs), BATCH)]
    with out.progress("reading", total, "bytes") as advance:
        jobs = [functools.partial(_sha256s, batch, advance) for batch in batches]
        threads = (os.cpu_count() or 1) if total > WORTH_THREADS else 1
        for batch, found in zip(batches, many(jobs, threads), strict=True):
            known.update((md5, sha256) for (_, _, md5), sha256 in zip(batch, found, strict=True))
    return [File(f.path, f.size, f.md5, known[f.md5], f.in_git) for f in files]


def _sha256s(batch: Iterable[tuple[Path, str, str]], advance: Callable[[int], None]) -> list[str]:
    return [_sha256(source, path, md5, advance) for source, path, md5 in batch]


def _folder(dataset: Dataset, path: str, md5: str, vouched: Vouched) -> Object:
    source = dvc.cache_path(dataset.root, md5)
    if not source.is_file():
        raise not_here(dataset, f"data/{dataset.name}/{path}")
    _sha256(source, path, md5[:32], lambda n: None)
    size = source.stat().st_size
    return Object(object_key(md5), md5[:32], path, size, source, True, vouched.of(md5))


def _source(dataset: Dataset, file: File) -> Path | None:
    """The local file with the bytes: DVC's cache, else the work tree."""
    placed = f"{dataset.data}/{file.path}"  # no Path: there may be many thousands
    cached = f"{dvc.cache_folder(dataset.root)}/{object_key(file.md5)}"
    for path in (placed,) if file.in_git else (cached, placed):
        if os.path.isfile(path):  # noqa: PTH113
            return Path(path)
    return None


def not_here(dataset: Dataset, path: str) -> Refused:
    """The error for bytes of the dataset that are nowhere; `path` is relative to the registry."""
    return Refused(f"the bytes of `{path}` are not here", hint=f"dreg run {dataset.name}")


def _sha256(source: Path, path: str, md5: str, advance: Callable[[int], None]) -> str:
    checksums = Checksums()
    with source.open("rb", buffering=0) as stream:
        while chunk := stream.read(CHUNK):
            checksums.update(chunk)
            advance(len(chunk))
    if checksums.md5 != md5:
        raise Outside(
            f"the local copy of `{path}` is damaged: it has md5 {checksums.md5}, and dvc.lock says {md5}",
            hint=f"remove `{source}`, then run the pipeline again with --force",
        )
    return checksums.sha256


def outputs_of(dataset: Dataset) -> list[Object]:
    """What DVC would push, each object once."""
    cache = dvc.cache_folder(dataset.root)
    found: dict[str, Object] = {}
    for md5, path in dvc.objects(dataset.root, dataset.name):
        key = object_key(md5)
        if key in found:
            continue
        for source in (f"{cache}/{key}", f"{dataset.root}/{path}"):  # no Path: there may be many
            with contextlib.suppress(OSError):
                about = os.stat(source)  # noqa: PTH116
                if stat.S_ISREG(about.st_mode):
                    is_directory = md5.endswith(".dir")
                    found[key] = Object(
                        key, md5[:32], path, about.st_size, Path(source), is_directory
                    )
                    break
        else:
            found[key] = Object(key, md5[:32], path, 0, None)
    return list(found.values())
