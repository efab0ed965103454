"""Whether objects on a store are what their address says, with as few requests as that takes.

An object's address is its MD5. S3 reports the MD5 of what was uploaded in one part, so one listing
proves a thousand objects. What a store doesn't prove is read back: always from a folder; from a
network where the caller asks for it, or where the store reports another MD5 (it may be of the
encrypted bytes: AWS with KMS), so that nothing is called wrong which isn't.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dreg.adapters.objects import Checksums, Missing, Store, T, many
from dreg.core.remotes import OBJECTS
from dreg.core.stored import State, Stored, parts_etag

FEW = 16
PAGES_FOR = 8  # a listing may cost one page for as many single questions
WINDOW = 4096


@dataclass(frozen=True)
class Wanted:
    """An object that should be there: `size` and `sha256` where they are known.

    `source` is a local file with the very bytes (checked by who says so), if there is one.
    """

    key: str
    md5: str
    size: int | None = None
    sha256: str | None = None
    source: Path | None = None


def inspect(
    store: Store,
    wanted: Sequence[Wanted],
    *,
    read: bool = False,
    deep: bool = False,
    done: Callable[[int], None] = lambda n: None,
) -> list[State]:
    """The state of each object, in order. `read`: what the store doesn't prove is read back,
    `deep`: everything is. Raises Outside when the store cannot be asked."""
    found = stored(store, [each.key for each in wanted])
    states: list[State] = []

    def one(each: Wanted, seen: Stored | None) -> State:
        state = _state(store, each, seen, read=read, deep=deep)
        done(1)
        return state

    for window in _windows(list(zip(wanted, found, strict=True))):
        states += many([functools.partial(one, *pair) for pair in window])
    return states


def stored(store: Store, keys: Sequence[str]) -> list[Stored | None]:
    """What the store says of each object, None of those it lacks.

    Many are looked up in one listing of DVC's folder. Where it is much longer than what is asked
    for, the listing is given up and the rest are asked for one by one.
    """
    seen: dict[str, Stored] = {}
    complete = False
    if len(keys) > FEW:
        asked = set(keys)
        pages = store.listed(OBJECTS)
        for page in islice(pages, max(1, len(keys) // PAGES_FOR)):
            seen.update((key, one) for key, one in page if key in asked)
        complete = pages.complete
    left = [] if complete else [key for key in keys if key not in seen]
    for window in _windows(left):
        one_by_one = many([functools.partial(store.stat, key) for key in window])
        seen.update((k, one) for k, one in zip(window, one_by_one, strict=True) if one)
    return [seen.get(key) for key in keys]


def _state(store: Store, each: Wanted, seen: Stored | None, *, read: bool, deep: bool) -> State:
    if seen is None:
        return State.MISSING
    if each.size is not None and seen.size != each.size:
        return State.WRONG_SIZE
    if deep:
        return _by_reading(store, each)
    if seen.md5 is not None:
        return State.RIGHT if seen.md5 == each.md5 else _by_reading(store, each)
    if _as_uploaded(each, seen):
        return State.RIGHT
    return _by_reading(store, each) if store.near or read else State.UNREAD


def _as_uploaded(each: Wanted, seen: Stored) -> bool:
    """Whether the ETag is that of the local bytes, sent in parts."""
    for size in seen.part_sizes if each.source else ():
        assert each.source is not None
        with each.source.open("rb") as file:
            if parts_etag(file.read, size) == seen.etag:
                return True
    return False


def _by_reading(store: Store, each: Wanted) -> State:
    sums = Checksums()
    try:
        for chunk in store.read(each.key):
            sums.update(chunk)
    except Missing:
        return State.MISSING
    if each.size is not None and sums.size != each.size:
        return State.WRONG_SIZE
    right = sums.md5 == each.md5 and each.sha256 in (None, sums.sha256)
    return State.RIGHT if right else State.WRONG_BYTES


def _windows(items: Sequence[T]) -> Iterator[Sequence[T]]:
    """Bounds how many questions wait at once."""
    return (items[at : at + WINDOW] for at in range(0, len(items), WINDOW))
