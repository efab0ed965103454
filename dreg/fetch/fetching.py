"""Fetching: `name@range` -> tag -> manifest -> missing objects -> verify -> place -> lock.

Without a clone and without DVC. Nothing in the target changes before everything has arrived and
checks out; the lock is written last.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path

from dreg.adapters.dvc_config import Remotely
from dreg.adapters.git import Signers
from dreg.adapters.lock_file import read_lock, write_pin
from dreg.adapters.os_errors import naming
from dreg.adapters.placing import Contents, Staging, inspect
from dreg.adapters.receipt_file import write_receipt
from dreg.core.lock import Pin
from dreg.core.receipt import Receipt, check_placeable
from dreg.core.release import Release
from dreg.core.subset import Subset
from dreg.core.yank import Yank
from dreg.errors import DregError, Refused
from dreg.fetch.answer import Fetched, Fetches
from dreg.fetch.fill import fill, kept_if_much
from dreg.fetch.outside import refuse_outside
from dreg.fetch.pin import Found, Request, check_signed, find, resolve
from dreg.fetch.requested import requests
from dreg.fetch.spare import answering, at
from dreg.fetch.target import refuse_read_only, target_of
from dreg.output import out
from dreg.yank.known import Yanks, warn, warn_as_known

SHOWN = 10


def fetch(
    request: str | None = None,
    *,
    repo: str | None = None,
    output: str | None = None,
    remote: Remotely = None,
    raw: bool = False,
    subset: Subset | None = None,
    force: bool = False,
    only_locked: bool = False,
    signers: Signers | None = None,
    instead: str | None = None,
) -> Fetches:
    """Bring the newest release in the request's range; without one, what is asked for and locked.

    `instead` is a mirror that is asked instead of the registry, which is what is locked.
    `subset` is the part that is wanted, None what dreg.toml or dreg.lock says. With `only_locked`
    dreg.lock has to cover the request, or dreg.toml, and stays as it is.

    Raises BadRequest for what does not exist; Refused for local changes (unless `force`, which
    moves them aside), a moved tag, unsafe paths or a signature that is not one of the `signers`'; Outside when a neighbour fails or bytes arrive
    corrupt. The target then is as it was.
    """
    folder = Path.cwd()
    lock = read_lock(folder)
    asked = requests(
        lock,
        request,
        repo=repo,
        output=output,
        raw=raw,
        subset=subset,
        folder=folder,
        only_locked=only_locked,
        more=_options(remote, signers),
    )
    wanted = [replace(one, signers=signers, only_locked=only_locked) for one in asked]
    yanks = Yanks()
    return Fetches(tuple([_fetch(one, folder, remote, force, yanks, instead) for one in wanted]))


def _options(remote: Remotely, signers: Signers | None) -> list[str]:
    """What was said besides what is wanted, as options."""
    remotes = [remote] if isinstance(remote, str) else remote or ()
    found = [word for one in remotes for word in ("--remote", one)]
    if signers is not None:
        signed = signers.allowed is None
        found += ["--require-signed"] if signed else ["--allowed-signers", str(signers.allowed)]
    return found


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
    said: Request,
    folder: Path,
    remote: Remotely,
    force: bool,
    yanks: Yanks,
    instead: str | None,
) -> Fetched:
    target = target_of(said.output, folder)
    contents = inspect(target)
    placement = _in_place(contents, said, said.settled)
    if placement is not None:  # nobody is asked, so only what is known can be told
        check_signed(said, placement.release)
        Staging(target).tidy()
        yank = warn_as_known(said.repo, placement.release)
        return _settle(said, placement, folder, yank)
    request = at(said, instead) if instead else answering(said, yanks)
    release = _wanted(request, yanks)
    pin = request.pin
    same = pin is not None and (pin.tag, pin.commit) == (release.tag, release.commit)
    known = pin if same else None
    placement = _in_place(contents, request, known)
    if placement is not None:
        check_signed(request, placement.release)
        Staging(target).tidy()
    else:
        refuse_outside(request, target, folder)
        if contents.changes and not force:
            raise _changed(request, contents)
        found = find(request, release, remote)
        if yanks.misses(request.repo, release):
            out.warn(
                f"the tag `{release.tag}`, which dreg.lock has, is gone from the registry: "
                "only what is in dreg's cache can be had"
            )
        elif yanks.answered(request.repo):
            found.revision  # noqa: B018 (it refuses a tag that moved, even if all is in the cache)
        refuse_read_only(target, folder, locks=_changes_lock(said, release))
        placement = place(request, found, target, force)
    return _settle(said, placement, folder, warn(request.repo, release))


def _wanted(request: Request, yanks: Yanks) -> Release:
    """The release to be brought; a locked one only as it was locked."""
    pin = request.settled
    if pin is None:
        release = resolve(request)
        out.phase(f"{request.dataset}@{request.revision or request.wanted.text} is {release.tag}")
        return release
    release = yanks.marked(request.repo, _release(pin))
    pin.check_not_moved(release.commit, pin.manifest)
    return release


def place(request: Request, found: Found, target: Path, force: bool) -> _Placement:
    """Bring the files into the target; another process may be doing so, and is awaited."""
    check_placeable(found.files)
    digest = found.snapshot.published.digest()
    waiting = functools.partial(out.note, f"another dreg is filling {request.output}; waiting")
    with naming(target), Staging(target).locked(waiting) as staging:
        contents = inspect(target)
        if contents.changes and not force:
            raise _changed(request, contents)
        there = contents.complete
        if there is not None and _is(there, request, found.release):
            staging.discard()
            if not there.digest:
                write_receipt(target, replace(there, digest=digest))
            return _Placement(found.release, digest, there)
        with kept_if_much(staging):
            filled = fill(found, staging, contents)
            receipt = replace(_receipt(request, found, staging), protection=filled.protection)
            backup = staging.swap(receipt, backup=bool(contents.changes))
        return _Placement(found.release, digest, receipt, True, filled.downloaded, backup)


def _in_place(contents: Contents, request: Request, pin: Pin | None) -> _Placement | None:
    """The placement, if the target has just what the pin says; None also where an older dreg did not
    note what that is. Raises Refused for another digest."""
    receipt = contents.complete
    if pin is None or receipt is None or not _is(receipt, request, _release(pin)):
        return None
    digest = receipt.published_digest
    if digest is None:
        return None
    pin.check_digest(digest)
    return _Placement(_release(pin), pin.digest, receipt)


def _is(receipt: Receipt, request: Request, release: Release) -> bool:
    placed = (receipt.dataset, receipt.commit, receipt.manifest, receipt.raw, receipt.subset)
    wanted = (release.dataset, release.commit, release.manifest, request.raw, str(request.subset))
    return placed == wanted


def _release(pin: Pin) -> Release:
    return Release(pin.dataset, pin.version, pin.tag, pin.commit, manifest=pin.manifest)


def _changed(request: Request, contents: Contents) -> DregError:
    more = len(contents.changes) - SHOWN
    return Refused(
        f"`{request.output}` has changes that fetching would lose",
        hint="move them away, or keep a backup of the folder: dreg fetch --force",
        details=[*contents.changes[:SHOWN], *([f"and {more} more"] if more > 0 else [])],
    )


def _receipt(request: Request, found: Found, staging: Staging) -> Receipt:
    release = found.release
    return Receipt(
        dataset=release.dataset,
        version=str(release.version),
        tag=release.tag,
        commit=release.commit,
        manifest=release.manifest,
        raw=request.raw,
        subset=str(request.subset),
        files=staging.placed,
        digest=found.snapshot.published.digest(),
    )


def _pin(request: Request, release: Release, digest: str) -> Pin:
    old = request.pin
    return Pin(
        dataset=release.dataset,
        request=old.request if request.exact and old else request.revision or request.wanted.text,
        repo=request.public_repo,
        version=release.version,
        tag=release.tag,
        commit=release.commit,
        manifest=release.manifest,
        digest=digest,
        output=request.output,
        raw=request.raw,
        subset=request.subset,
    )


def _changes_lock(request: Request, release: Release) -> bool:
    """Whether dreg.lock will be written once the release is here."""
    old = request.pin
    return not request.only_locked and (old is None or _pin(request, release, old.digest) != old)


def _settle(request: Request, placement: _Placement, folder: Path, yank: Yank | None) -> Fetched:
    """Write the lock, unless it says so already, and answer."""
    old, release, receipt = request.pin, placement.release, placement.receipt
    pin = _pin(request, release, placement.digest)
    if pin != old and not request.only_locked:
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
        protection=receipt.protection or ("sha256" if release.manifest else "md5"),
        backup=str(placement.backup) if placement.backup else None,
        yanked=yank,
    )
