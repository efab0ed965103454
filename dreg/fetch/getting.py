"""Any path of any DVC repository at any revision: what `dvc get` does, without a clone and without DVC.

Git keeps some of it, DVC the rest: single files, folders, or a part of a folder that it tracks.
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dreg.adapters import git
from dreg.adapters.dvc_config import Remotely, wanted_remotes
from dreg.adapters.lock_file import read_lock
from dreg.adapters.objects import Stores
from dreg.adapters.placing import Staging, inspect
from dreg.adapters.requests_file import read_requests
from dreg.adapters.yaml_files import parse_yaml
from dreg.core.dvc_files import Out, outs
from dreg.core.receipt import Receipt, check_placeable
from dreg.core.snapshot import File, Snapshot, check_path
from dreg.core.version import as_revision
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Refused
from dreg.fetch.fill import fill, kept_if_much
from dreg.fetch.plain import leaves, sized
from dreg.fetch.requested import refuse_place_of_another
from dreg.fetch.target import refuse_read_only, target_of
from dreg.manifests import remotes_at
from dreg.output import out, size


@dataclass(frozen=True)
class Got:
    """One path that is in place. `downloaded` is in bytes; `changed` is False when it was there.

    `protection` is `md5`, or `git` where DVC keeps none of it. `backup` is where `--force` moved
    what was there.
    """

    path: str
    repo: str
    commit: str
    output: str
    files: int
    size: int
    downloaded: int
    changed: bool
    protection: str
    backup: str | None = None

    def lines(self) -> Iterator[str]:
        amount = f"{numbered(self.files, 'file')}, {size(self.size)}"
        at = f"{self.path} at {self.commit[:12]}"
        if self.changed:
            yield f"got {at} as {self.output} ({amount}; downloaded {size(self.downloaded)})"
        else:
            yield f"{at} is in place as {self.output} ({amount})"
        if self.backup:
            yield f"  what was there is {self.backup}"


def get(
    paths: Sequence[str],
    *,
    repo: str | None,
    revision: str | None,
    output: str | None = None,
    remote: Remotely = None,
    force: bool = False,
) -> Got:
    """Bring one path of the repository, at `revision` or the tip of its default branch.

    Raises BadRequest for a path or revision that is not there, Refused for a target with something
    else in it (unless `force`, which moves it aside), Outside when a neighbour fails.
    """
    if len(paths) != 1:
        raise BadRequest("--rev brings one path at a time", hint="name one: --path DIR --rev V")
    try:
        path = check_path(paths[0].strip("/"))
    except Refused as error:
        raise BadRequest(
            f"--path {paths[0]!r} leads out of the repository",
            hint="name it from the repository's root: --path models/bert",
        ) from error
    where = repo or os.environ.get("DREG_REPO") or os.environ.get("DVC_REPO")
    where = where or read_requests(Path.cwd()).repo
    if where is None:
        raise BadRequest("no repository to get from", hint="name it with --repo URL")
    if revision is not None:
        as_revision(revision)  # raises for what is none
    there = _There(where, git.revision(where, revision or "HEAD"), path, remote)
    target = (Path.cwd() / Path(output or path.rpartition("/")[2]).expanduser()).resolve()
    if there.is_file and target.is_dir():
        target /= path.rpartition("/")[2]
    target = target_of(str(target), Path.cwd())
    refuse_place_of_another(str(target), read_lock(Path.cwd()))
    place = _place_file if there.is_file else _place_folder
    changed, downloaded, backup = place(there, target, force)
    shown = os.path.relpath(target)
    return Got(
        path=path,
        repo=git.public_url(where),
        commit=there.revision.commit,
        output=output or shown,
        files=len(there.files),
        size=sum(file.size for file in there.files),
        downloaded=downloaded,
        changed=changed,
        protection="git" if all(file.in_git for file in there.files) else "md5",
        backup=str(backup) if backup else None,
    )


class _There:
    """A path of a repository at a revision; its `files` are named relative to it."""

    def __init__(self, repo: str, revision: git.Revision, path: str, remote: Remotely) -> None:
        self.repo = repo
        self.revision = revision
        self.path = path
        self.remote = remote
        self.columns: Sequence[str] = ()
        self.manifest: str | None = None
        self.called = f"{path} at {revision.commit[:12]}"

    @functools.cached_property
    def store(self) -> Stores:
        """The repository's remotes, as they are reached from here."""
        return self._stores(None)

    def _stores(self, own: str | None) -> Stores:
        asked = read_requests(Path.cwd())
        remotes = asked.as_seen_from_here(remotes_at(self.repo, self.revision.read(".dvc/config")))
        wanted = wanted_remotes(self.remote) or ((own,) if own else asked.remote)
        return Stores([remotes.choose(name) for name in wanted or (None,)])

    @functools.cached_property
    def _blobs(self) -> dict[str, str]:
        return self.revision.blobs()

    @functools.cached_property
    def _tracked(self) -> list[Out]:
        """What DVC tracks that is the path, in it, or around it, and that git does not have."""
        names = [n for n in self._blobs if n.rpartition("/")[2] == "dvc.lock" or _is_dvc(n)]
        texts = self.revision.contents([self._blobs[name] for name in names])
        found = {}
        for name, text in zip(names, texts, strict=True):
            for one in outs(parse_yaml(text.decode(errors="replace"), name), name):
                related = _below(one.path, self.path) or _below(self.path, one.path)
                if related and one.path not in self._blobs:
                    found[one.path] = one
        return list(found.values())

    @functools.cached_property
    def files(self) -> list[File]:
        """Raises BadRequest when nothing is at the path."""
        own = [name for name in self._blobs if _below(name, self.path)]
        texts = self.revision.contents([self._blobs[name] for name in own])
        found = {name: _in_git(name, text) for name, text in zip(own, texts, strict=True)}
        for tracked in self._tracked:
            store = self._stores(tracked.remote) if tracked.remote else self.store
            wanted = [one for one in leaves(store, [tracked]) if _below(one.path, self.path)]
            found |= {file.path: file for file in sized(store, wanted, "")}
        if not found:
            raise BadRequest(
                f"`{git.public_url(self.repo)}` has nothing at `{self.path}` in {self.called[-12:]}",
                hint="check the path, from the repository's root, and --rev",
            )
        self.is_file = found.keys() == {self.path}
        start = self.path.rpartition("/")[0] if self.is_file else self.path
        below = len(start) + 1 if start else 0
        return list(Snapshot.of(replace(f, path=p[below:]) for p, f in found.items()).files)

    @functools.cached_property
    def is_file(self) -> bool:
        """Whether there is one file of that name, no folder."""
        self.files  # noqa: B018 (they tell)
        return self.__dict__["is_file"]  # type: ignore[no-any-return]

    def rows(self, file: File) -> int | None:
        """Nobody tells."""
        return None

    def from_git(self, file: File) -> bytes:
        """The bytes of a file that git keeps."""
        name = self.path if self.is_file else f"{self.path}/{file.path}"
        return self.revision.contents([self._blobs[name]])[0]


def _is_dvc(name: str) -> bool:
    return name.endswith(".dvc") and not name.endswith("/.dvc") and name != ".dvc"


def _below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder}/")


def _in_git(path: str, data: bytes) -> File:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return File(path, len(data), md5, hashlib.sha256(data).hexdigest(), in_git=True)


def _place_folder(there: _There, target: Path, force: bool) -> tuple[bool, int, Path | None]:
    contents = inspect(target)
    check_placeable(there.files)
    if contents.changes and not force:
        raise _in_the_way(target)
    commit = there.revision.commit
    receipt = contents.complete
    if receipt and (receipt.dataset, receipt.commit) == (there.path, commit):
        return False, 0, None
    refuse_read_only(target, Path.cwd(), locks=False)
    with Staging(target).locked(lambda: out.note(f"another dreg is filling {target}")) as staging:
        with kept_if_much(staging):
            downloaded = fill(there, staging, contents).downloaded
            placed = Receipt(there.path, commit, commit, commit, None, True, staging.placed)
            backup = staging.swap(placed, backup=bool(contents.changes))
        return True, downloaded, backup


def _place_file(there: _There, target: Path, force: bool) -> tuple[bool, int, Path | None]:
    (file,) = there.files
    if target.exists() and _has(target, file):
        return False, 0, None
    if target.exists() and not force:
        raise _in_the_way(target)
    refuse_read_only(target, Path.cwd(), locks=False)
    with Staging(target).locked(lambda: out.note(f"another dreg is making {target}")) as staging:
        with kept_if_much(staging):
            downloaded = fill(there, staging, inspect(staging.path / "none")).downloaded
            backup = staging.release(file, backup=target.exists())
        return True, downloaded, backup


def _has(target: Path, file: File) -> bool:
    if target.is_symlink() or target.stat().st_size != file.size:
        return False
    return hashlib.md5(target.read_bytes(), usedforsecurity=False).hexdigest() == file.md5


def _in_the_way(target: Path) -> Refused:
    return Refused(
        f"`{target}` is there, with something else in it",
        hint="choose another place with -o, or keep a backup of it: --force",
    )
