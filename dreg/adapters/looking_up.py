"""What a store says of many objects, asked with as few requests as that takes.

Addresses are hashes, so those on a store are spread evenly: how far the first page of a listing
gets tells how many there are, and so whether a listing or single questions are fewer.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from itertools import pairwise

from dreg.adapters.objects import PAGE, Page, Store, many
from dreg.core.remotes import OBJECTS
from dreg.core.stored import Stored

FEW = 16
PAGES_FOR = 8  # a page of a listing costs as much as that many single questions, about
STRETCH = 8  # pages that one thread lists
MOST_STRETCHES = 16
SPACE = 1 << 32  # of which a position in the order of addresses is a part


def stored(store: Store, keys: Sequence[str]) -> list[Stored | None]:
    """What the store says of each object, None of those it lacks.

    More than a few are looked up in a listing of DVC's folder, several stretches of it at once.
    Where that is much longer than what is asked for, or refused, each is asked for.
    """
    seen = _listed(store, keys) if len(keys) > FEW else None
    if seen is None:
        found = many([functools.partial(store.stat, key) for key in keys])
        return list(found)
    return [seen.get(key) for key in keys]


def _listed(store: Store, keys: Sequence[str]) -> dict[str, Stored] | None:
    """Those of the objects that are there; None where it is better to ask for each."""
    asked = set(keys)
    seen: dict[str, Stored] = {}
    pages = store.listed(OBJECTS)

    def keep(page: Page) -> None:
        seen.update((key, one) for key, one in page if key in asked)

    page = next(pages, None)
    if page is None:
        return seen if pages.complete else None
    keep(page)
    last = page[-1][0]
    if any(a >= b for (a, _), (b, _) in pairwise(page)):
        last = ""  # S3 Express has no order: read on, for as long as it is worth it
    share = position(last) / SPACE
    most = len(keys) / PAGES_FOR
    left = len(page) * (1 / share - 1) / PAGE if share else 0  # in pages
    if left > most:
        return None
    stretches = min(MOST_STRETCHES, int(left / STRETCH)) if last else 0
    if stretches < 2:
        for number, page in enumerate(pages, start=1):
            keep(page)
            if not share and number > most:
                return None
        return seen if pages.complete else None
    first = position(last)
    ends = [first + (SPACE - first) * n // stretches for n in range(1, stretches)]
    starts = [last, *(address(end) for end in ends)]
    jobs = [
        functools.partial(_stretch, store, asked, start, end)
        for start, end in zip(starts, [*ends, SPACE + 1], strict=True)
    ]
    for part in many(jobs):
        if part is None:
            return None
        seen.update(part)
    return seen


def _stretch(store: Store, asked: set[str], start: str, end: int) -> dict[str, Stored] | None:
    """Those asked for that are listed behind the key `start`, up to the position `end`."""
    seen: dict[str, Stored] = {}
    pages = store.listed(OBJECTS, start)
    for page in pages:
        seen.update((key, one) for key, one in page if key in asked)
        if position(page[-1][0]) >= end:
            return seen
    return seen if pages.complete else None


def position(key: str) -> int:
    """Where the object's address is in their order, from 0 to SPACE."""
    digits = key.removeprefix(OBJECTS).replace("/", "")[:8]
    try:
        return int(digits.ljust(8, "0"), 16)
    except ValueError:
        return SPACE  # nothing of DVC's: behind all that is


def address(place: int) -> str:
    """The key at a position, whether there is such an object or not."""
    digits = f"{min(place, SPACE - 1):08x}"
    return f"{OBJECTS}{digits[:2]}/{digits[2:]}"
