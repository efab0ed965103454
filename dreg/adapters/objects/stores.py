"""Several remotes that have the same objects, tried in order; most often it is one."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import ChainMap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from dreg.adapters.objects.checksums import Corrupt
from dreg.adapters.objects.credentials import TRAVELS
from dreg.adapters.objects.patience import patiently
from dreg.adapters.objects.place import Advance, Buffer, Missing
from dreg.adapters.objects.store import Store, open_store
from dreg.adapters.objects.transfer import Downloads, Wanted, fetch_one
from dreg.core.remotes import Remote
from dreg.errors import DregError, Outside

T = TypeVar("T")


class Stores(Downloads):
    """The remotes, each opened when it is first needed; one that cannot be used is left out then.

    May be sent to other processes: keys and endpoints of the environment go with it.
    """

    def __init__(self, remotes: Sequence[Remote], told: Mapping[str, str] | None = None) -> None:
        self.remotes = tuple(remotes)
        self._told = told or {}
        self._opened: dict[int, Store] = {}
        self._unusable: dict[int, DregError] = {}
        self._opening = threading.Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        from dreg.adapters.objects import clouds

        known = {
            name: os.environ[name] for name in (*TRAVELS, *clouds.TRAVELS) if os.environ.get(name)
        }
        return Stores, (self.remotes, {**known, **self._told})

    def first(self, action: Callable[[Store], T]) -> T:
        """What `action` gives for the first remote that it succeeds with.

        Raises what the first remote raised, and names the others in its details.
        """
        failures: list[DregError] = []
        for number in range(len(self.remotes)):
            try:
                return action(self._store(number))
            except DregError as error:
                failures.append(error)
                if isinstance(error, Outside) and not isinstance(error, Missing | Corrupt):
                    self._unusable[number] = error
        first = failures[0]
        if len(failures) > 1:
            first.details = (*first.details, *(error.fact for error in failures[1:]))
        raise first

    def any(self, action: Callable[[Store], T]) -> T | None:
        """What `action` gives for the first remote that it succeeds with, None if there is none.

        For what may be missing without anything being wrong: no remote is left out later for it.
        """
        for number in range(len(self.remotes)):
            with contextlib.suppress(DregError):
                return action(self._store(number))
        return None

    def _store(self, number: int) -> Store:
        if number in self._unusable and len(self.remotes) > 1:
            raise self._unusable[number]
        with self._opening:
            if number not in self._opened:
                self._opened[number] = open_store(
                    self.remotes[number], ChainMap(dict(self._told), os.environ)
                )
            return self._opened[number]

    def urls(self, keys: Sequence[str]) -> list[str]:
        """Where the objects are on the first remote that has the first of them; asks only if there
        are several remotes. Raises Missing."""
        several = len(self.remotes) > 1 and bool(keys)
        remote = self.remotes[0]
        if several:
            remote = self.first(lambda store: (store.known_size(keys[0]), store.remote)[1])
        if remote.scheme:
            return [f"{remote.url.rstrip('/')}/{key}" for key in keys]
        return [(Path(remote.url).expanduser() / key).as_uri() for key in keys]

    @property
    def near(self) -> bool:
        """Whether objects are read as quickly as they are asked for."""
        return self.remotes[0].scheme == ""

    @property
    def location(self) -> str:
        """The first remote as messages name it."""
        return self.first(lambda store: store).location

    def size(self, key: str) -> int:
        """Bytes of the object. Raises Missing."""
        return self.first(lambda store: patiently(lambda: store.known_size(key)))

    def get_bytes(self, key: str, limit: int) -> bytes:
        """The whole object. Raises Missing, and Outside if it has more than `limit` bytes."""
        return self.first(lambda store: patiently(lambda: store.get_bytes(key, limit)))

    def fetch(self, wanted: Wanted, advance: Advance, parts: Path | None = None) -> str:
        return self.first(lambda store: fetch_one(store, wanted, advance, parts))

    def read_range(self, key: str, start: int, length: int) -> Buffer | None:
        """Bytes of a part, fewer at the object's end; None where the store has no ranges."""
        return self.first(lambda store: patiently(lambda: store.read_range(key, start, length)))
