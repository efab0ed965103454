"""Remotes of a registry: which there are, which is the default, and whether one works."""

from __future__ import annotations

import contextlib
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass

from dreg.adapters.dvc_config import read_remotes, remote_of, write_default
from dreg.adapters.objects import Store
from dreg.adapters.objects.opening import endpoint_of
from dreg.adapters.through_dvc import open_own
from dreg.core.secrets import without_credentials
from dreg.errors import DregError, Outside
from dreg.output import table
from dreg.push.announcing import is_dead, this_process
from dreg.push.mounted import refuse_unmounted
from dreg.registry import Registry

CHECKS = "dreg/checks/"


@dataclass(frozen=True)
class Listed:
    """A remote in the list; `endpoint` is empty where the URL says all."""

    name: str
    url: str
    endpoint: str
    default: bool


@dataclass(frozen=True)
class Listing:
    """The remotes of a registry, in the order of the configuration."""

    remotes: tuple[Listed, ...]

    def lines(self) -> Iterable[str]:
        if not self.remotes:
            return ["no remotes; add one with `dvc remote add -d disk PATH`"]
        rows = [("*" if r.default else "", r.name, r.url, r.endpoint or "-") for r in self.remotes]
        return table(("", "REMOTE", "URL", "ENDPOINT"), rows)


@dataclass(frozen=True)
class Used:
    """The remote that is the default from now on, and the file that says so."""

    remote: str
    file: str

    def lines(self) -> Iterable[str]:
        return [f"`{self.remote}` is the default remote now ({self.file})"]


@dataclass(frozen=True)
class Checked:
    """A remote that wrote, read back and deleted one object, and how long that took."""

    remote: str
    url: str
    endpoint: str
    seconds: float

    def lines(self) -> Iterable[str]:
        at = f" at {self.endpoint}" if self.endpoint else ""
        yield (
            f"`{self.remote}` works: wrote, read back and deleted one object "
            f"in {self.seconds:.2f} s ({self.url}{at})"
        )


def names(registry: Registry) -> tuple[str, ...]:
    """Names of the configured remotes."""
    return tuple(read_remotes(registry.root).by_name)


def listing(registry: Registry) -> Listing:
    """What `dreg remote list` answers."""
    remotes = read_remotes(registry.root)
    return Listing(
        tuple(
            Listed(r.name, r.url, r.endpoint, r.name == remotes.default)
            for r in remotes.by_name.values()
        )
    )


def use(registry: Registry, name: str, *, local: bool = False) -> Used:
    """Make `name` the default, for everyone or (`local`) for this work tree only.

    Raises BadRequest for an unknown name. All other lines of the file stay as they are.
    """
    remote = read_remotes(registry.root).named(name)
    path = write_default(registry.root, remote.name, local=local)
    return Used(remote.name, f".dvc/{path.name}")


def check(registry: Registry, name: str | None = None) -> Checked:
    """Write, read back and delete one object.

    Raises Outside when the remote cannot be reached, refuses, gives other bytes back, or is a folder that is
    gone.
    """
    remote = remote_of(registry.root, name)
    store = open_own(remote)
    refuse_unmounted(registry.root, store)
    nonce = secrets.token_hex(8)
    key, data = f"{CHECKS}{nonce}", json.dumps({**this_process(), "nonce": nonce}).encode()
    _tidy(store)
    started = time.monotonic()
    store.put_bytes(key, data)
    try:
        if store.get_bytes(key, limit=1024) != data:
            raise Outside(
                f"{store.location} gave other bytes back than were written",
                hint="don't release to it; check what lies between here and there",
            )
    finally:
        store.delete(key)
    seconds = round(time.monotonic() - started, 3)
    # Not what the registry says: the environment may have led elsewhere.
    at = endpoint_of(remote) if remote.scheme == "s3" else remote.endpoint
    return Checked(remote.name, remote.url, without_credentials(at), seconds)


def _tidy(store: Store) -> None:
    """Remove what processes of this machine left that were killed while they tried."""
    with contextlib.suppress(DregError):  # a remote that lists nothing may do the rest
        for each in list(store.every(CHECKS)):
            if is_dead(store, each.key):
                store.delete(each.key)
