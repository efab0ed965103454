"""Fetching: `name@range` -> tag -> manifest -> missing objects -> verify -> place -> lock.

Without a clone and without DVC. Nothing in the target changes before everything has arrived and
checks out; the lock is written last.
"""

from __future__ import annotations

import errno
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from semver import Version

from dreg.adapters.git import Signers
from dreg.adapters.lock_file import read_lock, write_pin
from dreg.adapters.objects import Advance, many
from dreg.adapters.placing import Contents, Staging, inspect
from dreg.core.lock import Pin
from dreg.core.receipt import Receipt, check_placeable
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.snapshot import File
from dreg.core.yank import Yank
from dreg.errors import BadRequest, DregError, Outside, Refused
from dreg.output import count, out, size
from dreg.pin import Found, Request, check_signed, find, requests, resolve
from dreg.yanks import Yanks, warn

SHOWN = 10
WORTH_KEEPING = 16_000_000  # bytes; less is fetched again sooner than it is wondered about


@dataclass(frozen=True)
class Fetched:
    """One dataset that is in place. `downloaded` is in bytes; `previous` the version locked before.

    `protection` is `sha256`, or `md5` for a plain DVC repository. `backup` is where `--force`
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
        moved = self.previous is not None and self.previous != self.version
        name = f"{self.dataset} {f'{self.previous} -> ' if moved else ''}{self.version}"
        amount = f"{count(self.files)} files, {size(self.size)}"
        if self.changed:
            yield f"fetched {name} into {self.output} ({amount}; downloaded {size(self.downloaded)})"
        else:
            yield f"{name} is in place in {self.output} ({amount})"
        if self.backup:
            yield f"  the old folder with local changes is {self.backup}"
        if self.protection == "md5":
            yield "  made without dreg: no manifest, so only md5 protects these files"


@dataclass(frozen=True)
class Fetches:
    """The answer of `dreg fetch`: one entry a dataset."""

    datasets: tuple[Fetched, ...]

    def lines(self) -> Iterator[str]:
        for fetched in self.datasets:
            yield from fetched.lines()


def fetch(
    request: str | None = None,
    *,
    repo: str | None = None,
    output: str | None = None,
    remote: str | None = None,
    raw: bool = False,
    force: bool = False,
    signers: Signers | None = None,
) -> Fetches:
    """Bring the newest release in the request's range, or without one, exactly what is locked.

    Raises BadRequest for what does not exist; Refused for local changes (unless `force`, which
    moves them aside), a moved tag, unsafe paths or a signature that is not one of the `signers`'; Outside when a neighbour fails or bytes arrive
    corrupt. The target then is as it was.
    """
    folder = Path.cwd()
    asked = requests(read_lock(folder), request, repo=repo, output=output, raw=raw)
    wanted, yanks = [replace(one, signers=signers) for one in asked], Yanks()
    return Fetches(tuple([_fetch(one, folder, remote, force, yanks) for one in wanted]))


def locked() -> tuple[str, ...]:
    """Names of the datasets that dreg.lock here pins."""
    return tuple(read_lock(Path.cwd()).pins)


@dataclass(frozen=True)
class _Placement:
    """A release in its folder, and what it took to bring it there."""

    release: Release
    digest: str
    receipt: Receipt
    changed: bool = False
    downloaded: int = 0
    backup: Path | None = None


def _fetch(
    request: Request, folder: Path, remote: str | None, force: bool, yanks: Yanks
) -> Fetched:
    target = _target(request.output, folder)
    contents = inspect(target)
    if request.settled is not None:  # the network is asked only whether this is yanked by now
        release = yanks.marked(request.repo, _release(request.settled))
    placement = _in_place(contents, request, request.settled)
    if placement is None:  # only now is an answer needed, and of git only the tags' names
        if not request.exact or request.settled is None:
            release = resolve(request)
        pin = request.pin
        known = pin if pin is not None and pin.commit == release.commit else None
        placement = _in_place(contents, request, known)
    if placement is not None:
        check_signed(request, placement.release)
        Staging(target).tidy()
    else:
        if contents.changes and not force:
            raise _changed(request, contents)
        placement = place(request, find(request, release, remote), target, force)
    return _settle(request, placement, folder, warn(request.repo, release))


def place(request: Request, found: Found, target: Path, force: bool) -> _Placement:
    """Bring the files into the target; another process may be doing so, and is awaited."""
    check_placeable(found.snapshot.files)
    digest = found.snapshot.published.digest()
    waiting = functools.partial(out.note, f"another dreg is filling {request.output}; waiting")
    with Staging(target).locked(waiting) as staging:
        contents = inspect(target)
        if contents.changes and not force:
            raise _changed(request, contents)
        there = contents.complete
        if there is not None and _is(there, request, found.release):
            staging.discard()
            return _Placement(found.release, digest, there)
        downloaded = _stage(request, found, staging, contents)
        receipt = _receipt(request, found, staging)
        backup = staging.swap(receipt, backup=bool(contents.changes))
        return _Placement(found.release, digest, receipt, True, downloaded, backup)


def _target(output: str, folder: Path) -> Path:
    target = (folder / Path(output).expanduser()).resolve()
    if target == folder or target in folder.parents:
        raise BadRequest(
            f"`{output}` is the folder you are in, and fetch replaces its target as a whole",
            hint="name a folder for the dataset: -o data/NAME",
        )
    return target


def _in_place(contents: Contents, request: Request, pin: Pin | None) -> _Placement | None:
    """The placement, if the target has just what the pin says."""
    receipt = contents.complete
    if pin is None or receipt is None or not _is(receipt, request, _release(pin)):
        return None
    return _Placement(_release(pin), pin.digest, receipt)


def _is(receipt: Receipt, request: Request, release: Release) -> bool:
    placed = (receipt.dataset, receipt.commit, receipt.manifest, receipt.raw)
    return placed == (release.dataset, release.commit, release.manifest, request.raw)


def _release(pin: Pin) -> Release:
    return Release(pin.dataset, pin.version, pin.tag, pin.commit, manifest=pin.manifest)


def _changed(request: Request, contents: Contents) -> DregError:
    more = len(contents.changes) - SHOWN
    return Refused(
        f"`{request.output}` has changes that fetching would lose",
        hint="move them away, or keep a backup of the folder: dreg fetch --force",
        details=[*contents.changes[:SHOWN], *([f"and {more} more"] if more > 0 else [])],
    )


def _stage(request: Request, found: Found, staging: Staging, contents: Contents) -> int:
    """Fill the staged tree; how many bytes came from the remote."""
    files = found.snapshot.files
    try:
        staging.salvage(files)
        for file in files:
            placed = contents.intact.get(file.path)
            if file.path not in staging.placed and placed is not None and placed.is_(file):
                # A backup that shared its bytes with the new tree would protect nothing.
                staging.keep(file, placed, copy=bool(contents.changes))
        absent = [file for file in files if file.path not in staging.placed]
        for file in (file for file in absent if file.in_git):
            _read_from_git(found, file, staging)
        absent = [file for file in absent if not file.in_git]
        total = sum(file.size for file in absent)
        what = f"fetching {request.dataset} {found.release.version}"
        with out.progress(what, total, "bytes") as advance:
            many([functools.partial(_download, found, file, staging, advance) for file in absent])
    except BaseException as error:
        full = isinstance(error, OSError) and error.errno == errno.ENOSPC
        if full or staging.size < WORTH_KEEPING:
            staging.discard()
        else:
            out.note(f"what arrived is kept for the next try: {staging.path}")
        raise
    return total


def _download(found: Found, file: File, staging: Staging, advance: Advance) -> None:
    sha256 = found.store.download(
        object_key(file.md5),
        staging.path / file.path,
        size=file.size,
        md5=file.md5,
        sha256=file.sha256,
        advance=advance,
        called=file.path,
    )
    staging.arrived(file, sha256)


def _read_from_git(found: Found, file: File, staging: Staging) -> None:
    path = f"data/{found.release.dataset}/{file.path}"
    data = found.revision.read(path)
    if data is None:
        raise Outside(
            f"the commit of `{found.release.tag}` lacks `{path}`, which its manifest lists",
            hint="nothing was written; tell the registry's owner",
        )
    staging.write(file, data, f"the commit of `{found.release.tag}`")


def _receipt(request: Request, found: Found, staging: Staging) -> Receipt:
    release = found.release
    return Receipt(
        dataset=release.dataset,
        version=str(release.version),
        tag=release.tag,
        commit=release.commit,
        manifest=release.manifest,
        raw=request.raw,
        files=staging.placed,
    )


def _settle(request: Request, placement: _Placement, folder: Path, yank: Yank | None) -> Fetched:
    """Write the lock, unless it says so already, and answer."""
    old, release, receipt = request.pin, placement.release, placement.receipt
    pin = Pin(
        dataset=release.dataset,
        request=old.request if request.exact and old else request.wanted.text,
        repo=request.public_repo,
        version=release.version,
        tag=release.tag,
        commit=release.commit,
        manifest=release.manifest,
        digest=placement.digest,
        output=request.output,
        raw=request.raw,
    )
    if pin != old:
        write_pin(folder, pin)
    return Fetched(
        dataset=release.dataset,
        version=release.version,
        previous=old.version if old else None,
        tag=release.tag,
        commit=release.commit,
        manifest=release.manifest,
        output=request.output,
        files=len(receipt.files),
        size=receipt.size,
        downloaded=placement.downloaded,
        changed=placement.changed,
        protection="sha256" if release.manifest else "md5",
        backup=str(placement.backup) if placement.backup else None,
        yanked=yank,
    )
