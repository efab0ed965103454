"""A release that is being made, and a garbage collection that is deleting, look out for each other.

Either writes a note on the remote first and then reads the other's. So at least one of them sees
the other, whatever happens in between: the release waits until nothing is being deleted and only then
proves that its objects are there; the collection keeps what any announced release needs. Nobody compares clocks.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from datetime import datetime
from typing import Any

from dreg.adapters.living import Process
from dreg.adapters.objects import Store
from dreg.core.garbage import ANNOUNCED, SWEEPS
from dreg.core.json_text import parse_json
from dreg.core.manifest import Manifest
from dreg.errors import DregError, Outside
from dreg.output import out

DELETING = 600.0  # seconds; a sweep deletes nothing that much later than it was written down
PATIENCE = 900.0  # a sweep that is there for so long is nobody's any more
PAUSE = 0.5
LIMIT = 64 * 1024


@contextmanager
def announced(store: Store, manifest: Manifest) -> Iterator[None]:
    """Nothing that the manifest names is deleted from here to the end of the block.

    Waits for a sweep that is going on. A killed release leaves its announcement, which a later
    garbage collection removes as it does all else.
    """
    text = manifest.to_text().encode()
    digest = hashlib.sha256(text).hexdigest()  # of one read from elsewhere it may be another
    key = f"{ANNOUNCED}{digest}-{secrets.token_hex(4)}.json"
    store.put_bytes(key, text)
    try:
        wait_for_sweeps(store)
        yield
    finally:
        with suppress(DregError):
            store.delete(key)


class Sweep:
    """One garbage collection's time of deleting. `started` is by the store's clock."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.key = f"{SWEEPS}{secrets.token_hex(8)}.json"
        self._until = _seconds() + DELETING
        store.put_bytes(self.key, json.dumps(this_process()).encode())
        self.started: datetime = next(
            each.at for each in store.every(SWEEPS) if each.key == self.key
        )

    def check(self) -> None:
        """Raises Outside once others may think that it is over."""
        if _seconds() > self._until:
            raise Outside(
                f"deleting took more than {DELETING / 60:.0f} minutes, and releases wait for it",
                hint="run it again: it goes on from here",
            )

    def end(self) -> None:
        self._store.delete(self.key)


@contextmanager
def sweeping(store: Store) -> Iterator[Sweep]:
    """A time in which objects are deleted; releases wait for its end."""
    for each in list(store.every(SWEEPS)):
        if is_dead(store, each.key):
            store.delete(each.key)
    sweep = Sweep(store)
    try:
        yield sweep
    finally:
        sweep.end()


def _seconds() -> float:
    """A clock that goes on while the machine sleeps, as that of who waits for it elsewhere does."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


def wait_for_sweeps(store: Store, patience: float = PATIENCE) -> None:
    """Wait until nothing is being deleted on the store: what is there then, and needed, stays."""
    first: dict[str, float] = {}
    while True:
        try:
            going_on = [each.key for each in store.every(SWEEPS)]
        except Outside as error:
            if "does not list" not in error.fact:
                raise
            out.note(f"{store.location} can't be listed: no `dreg gc` should run there now")
            return
        now = time.monotonic()
        left = [
            key
            for key in going_on
            if now - first.setdefault(key, now) < patience and not is_dead(store, key)
        ]
        if not left:
            return
        if first and now - min(first.values()) < PAUSE:
            out.note(f"a garbage collection is deleting on {store.location}; waiting")
        time.sleep(PAUSE)


def this_process() -> dict[str, Any]:
    """What tells this process from all others, as far as its machine goes."""
    return {"host": os.uname().nodename, **asdict(Process.here())}


def is_dead(store: Store, key: str) -> bool:
    """Whether the process that wrote this certainly ended: one that this machine would know of."""
    try:
        who = parse_json(store.get_bytes(key, LIMIT))
        return Process(str(who["machine"]), int(who["pid"]), str(who["start"])).is_gone
    except (DregError, KeyError, TypeError, ValueError):
        return False
