"""Small files out of packs: a few requests for thousands of them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence

from dreg.adapters.objects import Missing, Room, Store, for_each, missing, patiently
from dreg.core.packed import (
    FEWEST,
    Listed,
    Pack,
    Span,
    is_small,
    is_worth_it,
    list_key,
    parse_list,
    spans,
)
from dreg.core.snapshot import File
from dreg.errors import Refused

LIST_LIMIT = 64 * 1024  # bytes
IN_MEMORY = 16_000_000  # bytes of spans
AT_ONCE = 32  # spans
TRIES = 2  # there are single objects to go on with

Place = Callable[[File, memoryview], None]


def unpack(store: Store, manifest: str, files: Sequence[File], place: Place) -> None:
    """`place` those of the files that the store has in packs, if they are many.

    What is given to `place` may be wrong bytes, and the same file more than once. Raises DregError
    where there are no packs, or the store fails; some files may have been placed then.
    """
    left: dict[str, list[File]] = defaultdict(list)
    for file in files:
        if is_small(file):
            left[file.md5].append(file)
    if len(left) < FEWEST:
        return
    for each in listed(store, manifest):
        try:
            pack = opened(store, each)
            sizes = {md5: size for md5, size in pack.files if md5 in left}
            wanted = {md5 for md5, size in sizes.items() if left[md5][0].size == size}
            _bring(store, pack, wanted, left, place)
        except (Missing, Refused):
            continue  # another one may be there
        for md5 in wanted:
            del left[md5]


def _bring(
    store: Store, pack: Pack, wanted: set[str], files: dict[str, list[File]], place: Place
) -> None:
    found = list(spans(pack, wanted))
    if len(wanted) < FEWEST or not is_worth_it(found):
        return
    room = Room(IN_MEMORY)

    def bring(span: Span) -> None:
        with room.taken(span.length):
            data = _read(store, pack.listed, span.start, span.length)
            for member in span.members:
                at = member.start - span.start
                for file in files[member.md5]:
                    place(file, data[at : at + member.size])

    for_each(found, bring, AT_ONCE)


def listed(store: Store, manifest: str) -> tuple[Listed, ...]:
    """The packs of the release with this manifest. Raises Missing where it has none, Refused for
    what is no list of them."""
    key = list_key(manifest)
    return parse_list(patiently(lambda: store.get_bytes(key, LIST_LIMIT), TRIES), key)


def opened(store: Store, pack: Listed) -> Pack:
    """What is in a pack, by its head. Raises Missing, or Refused for what isn't that pack."""
    return Pack.parse(bytes(_read(store, pack, 0, pack.head_size)), pack)


def _read(store: Store, pack: Listed, start: int, length: int) -> memoryview:
    data = patiently(lambda: store.read_range(pack.key, start, length), TRIES)
    if data is None or len(data) != length:
        raise missing(pack.key, store.location)
    return memoryview(data)


def is_right(store: Store, pack: Pack) -> bool:
    """Whether every file in the pack has its bytes; all of them are read. Raises Outside."""
    wrong: list[str] = []
    room = Room(IN_MEMORY)

    def check(span: Span) -> None:
        with room.taken(span.length):
            data = _read(store, pack.listed, span.start, span.length)
            for md5, start, size in span.members:
                part = data[start - span.start : start - span.start + size]
                if hashlib.md5(part, usedforsecurity=False).hexdigest() != md5:
                    wrong.append(md5)

    for_each(spans(pack, {md5 for md5, _ in pack.files}), check, AT_ONCE)
    return not wrong
