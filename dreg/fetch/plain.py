"""A release that dreg did not make: the snapshot of a tag in a plain DVC repository.

Its files are in `pipelines/<name>/dvc.lock` and `data/<name>/*.dvc`, as in a registry, or in any other
of DVC's files, by their name: `imgs.dvc`. DVC records md5 only, and no sizes inside folders: those are
asked of the remote.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import PurePosixPath

from dreg.adapters.git import Revision
from dreg.adapters.objects import Checksums, Stores, many
from dreg.adapters.yaml_files import parse_yaml
from dreg.core.dvc_files import Out, children, outs
from dreg.core.remotes import object_key
from dreg.core.snapshot import File, Snapshot
from dreg.errors import Outside, Refused

FOLDER_LIMIT = 1 << 30  # bytes of one `.dir` object; about ten million files


def plain_snapshot(revision: Revision, store: Stores, name: str) -> Snapshot:
    """The dataset's files at `revision`: what DVC tracks in `data/<name>/`, else what is called `name`.

    Raises Refused when DVC's files say nothing usable.
    """
    data = f"data/{name}/"
    in_git = set(revision.files(data))
    locks = [f"pipelines/{name}/dvc.lock", *sorted(p for p in in_git if p.endswith(".dvc"))]
    found: dict[str, Out] = {}
    for where in locks:
        text = revision.read(where)
        if text is not None:
            for out in outs(parse_yaml(text.decode(), where), where):
                if f"{out.path}/".startswith(data):
                    found[out.path] = out
    if not found:
        data, found = _elsewhere(revision, name)
    if not found:
        raise Refused(
            f"there is no manifest of dreg's, and DVC tracks nothing of `{name}` in {revision.commit[:12]}",
            hint="tell the registry's owner: `dreg release` makes releases that can be fetched",
        )
    metadata = f"data/{name}/metadata.json"
    committed = [path for path in sorted({*found, metadata}) if path in in_git]
    files = [_committed(revision, path, data) for path in committed]
    tracked = [out for path, out in found.items() if path not in in_git]
    return Snapshot.of([*files, *sized(store, leaves(store, tracked), data)])


def _elsewhere(revision: Revision, name: str) -> tuple[str, dict[str, Out]]:
    """What DVC tracks by this name wherever it is, and the folder that its paths are relative to.

    A folder of that name and all in it, or one with such in it; else a file, with any suffix. The
    nearest to the root is meant.
    """
    blobs = {
        path: oid
        for path, oid in revision.blobs().items()
        if path.endswith(".dvc") or PurePosixPath(path).name == "dvc.lock"
    }
    texts = revision.contents(list(blobs.values()))
    tracked = {
        out.path: out
        for where, text in zip(blobs, texts, strict=True)
        for out in outs(parse_yaml(text.decode(errors="replace"), where), where)
    }
    folders = [
        str(folder)
        for path, out in tracked.items()
        for folder in (
            *([PurePosixPath(path)] if out.is_folder else []),
            *PurePosixPath(path).parents,
        )
        if folder.name == name
    ]
    if folders:
        below = f"{min(folders, key=_depth)}/"
        return below, {path: out for path, out in tracked.items() if f"{path}/".startswith(below)}
    files = [path for path in tracked if PurePosixPath(path).name.partition(".")[0] == name]
    if not files:
        return "", {}
    file = min(files, key=_depth)
    return file[: file.rfind("/") + 1], {file: tracked[file]}


def _depth(path: str) -> tuple[int, str]:
    return path.count("/"), path


def leaves(store: Stores, tracked: Iterable[Out]) -> Iterable[Out]:
    for out in tracked:
        if not out.is_folder:
            yield out
            continue
        text = store.get_bytes(object_key(out.md5, legacy=out.legacy), FOLDER_LIMIT)
        actual = hashlib.md5(text, usedforsecurity=False).hexdigest()
        if f"{actual}.dir" != out.md5:
            raise Outside(
                f"the list of `{out.path}` arrived corrupt from {store.location}: "
                f"expected md5 {out.md5.removesuffix('.dir')}, got {actual}",
                hint="nothing was written; tell the registry's owner",
            )
        yield from children(out, text)


def sized(store: Stores, leaves: Iterable[Out], data: str) -> Iterable[File]:
    listed = list(leaves)
    unknown = sorted({_key(out) for out in listed if out.size is None})
    sizes = dict(zip(unknown, many([partial(store.size, key) for key in unknown]), strict=True))
    for out in listed:
        size = sizes[_key(out)] if out.size is None else out.size
        yield File(out.path.removeprefix(data), size, out.md5, legacy=out.legacy)


def _key(out: Out) -> str:
    return object_key(out.md5, legacy=out.legacy)


def _committed(revision: Revision, path: str, data: str) -> File:
    content = revision.read(path) or b""
    checksums = Checksums()
    checksums.update(content)
    return File(
        path=path.removeprefix(data),
        size=checksums.size,
        md5=checksums.md5,
        sha256=checksums.sha256,
        in_git=True,
    )
