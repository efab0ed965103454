"""Whether objects on a store are what their address says, with as few requests as that takes.

An object's address is its MD5. S3 reports the MD5 of what was uploaded in one part, so one listing
proves a thousand objects. What a store doesn't prove is read back: always from a folder; from a
network where the caller asks for it, or where the store reports another MD5 (it may be of the
encrypted bytes: AWS with KMS), so that nothing is called wrong which isn't.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dreg.adapters.looking_up import stored
from dreg.adapters.objects import Checksums, Missing, Store, many
from dreg.core.stored import State, Stored, parts_etag


@dataclass(frozen=True)
class Wanted:
    """An object that should be there: `size` and `sha256` where they are known.

    `source` is a local file with the very bytes (checked by who says so), if there is one. `sent`
    is the ETag under which the store took them. `vouched`: when a manifest that names the object was
    written to the store, by the store's clock in nanoseconds. So it was verified there before; that it
    is there still, and was not touched since, is to be found out. None where no manifest does.
    """

    key: str
    md5: str
    size: int | None = None
    sha256: str | None = None
    source: Path | None = None
    sent: str = ""
    vouched: int | None = None


def inspect(
    store: Store,
    wanted: Sequence[Wanted],
    *,
    read: bool = False,
    deep: bool = False,
    opaque: bool = False,
    done: Callable[[int], None] = lambda n: None,
) -> list[State]:
    """The state of each object, in order. `read`: what neither the store nor a manifest on it
    proves is read back, `deep`: everything is. `opaque`: ETags mean nothing here. Raises Outside when the store cannot be asked."""
    found = stored(store, [each.key for each in wanted])
    if opaque:
        found = [replace(seen, etag="") if seen else None for seen in found]
    states = [_told(each, seen, deep) for each, seen in zip(wanted, found, strict=True)]
    unknown = [at for at, state in enumerate(states) if state is None]
    done(len(states) - len(unknown))

    def one(at: int) -> State:
        state = _found_out(store, wanted[at], found[at], deep=deep, read=read)
        done(1)
        return state

    for at, state in zip(
        unknown, many([functools.partial(one, at) for at in unknown]), strict=True
    ):
        states[at] = state
    return [state for state in states if state is not None]


def _told(each: Wanted, seen: Stored | None, deep: bool) -> State | None:
    """The state, if what the store says of the object is enough."""
    if seen is None:
        return State.MISSING
    if each.size is not None and seen.size != each.size:
        return State.WRONG_SIZE
    if deep:
        return None
    if seen.md5 is not None:
        return State.RIGHT if seen.md5 == each.md5 else None
    if each.sent and seen.etag == each.sent:
        return State.RIGHT
    if each.vouched is not None and seen.touched <= each.vouched:
        return State.RIGHT
    return None


def _found_out(store: Store, each: Wanted, seen: Stored | None, *, deep: bool, read: bool) -> State:
    """The state by the local bytes' ETag or by reading, where that is allowed."""
    another_md5 = seen is not None and seen.md5 is not None
    if not deep and seen is not None and _as_uploaded(each, seen):
        return State.RIGHT
    if deep or read or store.near or another_md5:
        return _by_reading(store, each)
    return State.UNREAD


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
