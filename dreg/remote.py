"""Remotes of a registry: which there are, which is the default, and whether one works."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.objects import open_store
from dreg.core.remotes import Remote, Remotes, with_default
from dreg.errors import Outside
from dreg.output import table
from dreg.registry import Registry


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


def remotes_of(registry: Registry) -> Remotes:
    """The remotes in `.dvc/config` and `.dvc/config.local`. Raises BadRequest when malformed."""
    return remotes_in(registry.root)


def remotes_in(root: Path) -> Remotes:
    """As `remotes_of`, for the work tree at `root`."""
    folder = root / ".dvc"
    return Remotes.parse(
        _text(folder / "config"), _text(folder / "config.local"), folder=str(folder)
    )


def wanted_remote(given: str | None) -> str | None:
    """The remote asked for: `given` on the command line, else DREG_REMOTE, else DVC_REMOTE."""
    return given or os.environ.get("DREG_REMOTE") or os.environ.get("DVC_REMOTE") or None


def chosen(registry: Registry, given: str | None = None) -> Remote:
    """The registry's remote called `given`, else by environment, else the default.

    Raises BadRequest when there is none of that name.
    """
    return remotes_of(registry).choose(wanted_remote(given))


def listing(registry: Registry) -> Listing:
    """What `dreg remote list` answers."""
    remotes = remotes_of(registry)
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
    remote = remotes_of(registry).named(name)
    path = registry.root / ".dvc" / ("config.local" if local else "config")
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_text(with_default(_text(path), remote.name), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return Used(remote.name, f".dvc/{path.name}")


def check(registry: Registry, name: str | None = None) -> Checked:
    """Write, read back and delete one object.

    Raises Outside when the remote cannot be reached, refuses, or gives other bytes back.
    """
    remote = chosen(registry, name)
    store = open_store(remote)
    key, data = f"dreg-check-{secrets.token_hex(8)}", secrets.token_bytes(64)
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
    return Checked(remote.name, remote.url, remote.endpoint, round(time.monotonic() - started, 3))


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
