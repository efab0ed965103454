"""dreg's cache: how large it is, and making it smaller, while others use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from dreg.adapters.cache import cache_place
from dreg.adapters.cache_entries import PURPOSES, Entry, entries, remove
from dreg.core.wording import numbered
from dreg.output import count, size, table

JUST_NOW = 600.0  # seconds; what was used since may be in use


@dataclass(frozen=True)
class Part:
    """What is kept for one purpose. `size` and `own` are in bytes; `own` is what removal frees, as
    placed files share the rest. `unused` is how long ago the oldest was used, in days."""

    name: str
    what: str
    entries: int
    size: int
    own: int
    unused: float | None


@dataclass(frozen=True)
class Listing:
    """The answer of `dreg cache list`."""

    place: str
    size: int
    own: int
    parts: tuple[Part, ...]

    def lines(self) -> Iterator[str]:
        yield f"{self.place}: {size(self.size)}, of which {size(self.own)} are shared with no placed file"
        if self.parts:
            yield from table(
                ("PART", "ENTRIES", "SIZE", "OWN", "OLDEST", "WHAT"),
                [
                    (
                        p.name,
                        count(p.entries),
                        size(p.size),
                        size(p.own),
                        f"{p.unused:.0f} d",
                        p.what,
                    )
                    for p in self.parts
                ],
            )


@dataclass(frozen=True)
class Pruned:
    """The answer of `dreg cache prune`. `freed` and `size` (of what stays) are in bytes, without what
    placed files share; of what would have gone, `in_use` counts what was held by a process, and `fresh`
    what was used in the last ten minutes."""

    removed: int
    freed: int
    in_use: int
    fresh: int
    size: int
    dry_run: bool

    def lines(self) -> Iterator[str]:
        would = "would remove" if self.dry_run else "removed"
        yield f"{would} {numbered(self.removed, 'entry')}, {size(self.freed)}; {size(self.size)} stay"
        if self.fresh:
            used = "was used in the last ten minutes, and stays"
            kept = used if self.fresh == 1 else "were used in the last ten minutes, and stay"
            yield f"  {count(self.fresh)} more {kept}"
        if self.in_use:
            yield f"  {count(self.in_use)} more {'is' if self.in_use == 1 else 'are'} in use"


def listing() -> Listing:
    """What the cache has, by purpose."""
    now, parts = time.time(), []
    for name, what in PURPOSES.items():
        found = list(entries(name))
        if found:
            oldest = max(0.0, now - min(entry.used for entry in found)) / 86400
            whole, own = sum(e.size for e in found), sum(e.own for e in found)
            parts.append(Part(name, what, len(found), whole, own, oldest))
    place = str(cache_place("objects").parent)
    return Listing(place, sum(p.size for p in parts), sum(p.own for p in parts), tuple(parts))


def prune(*, older_than: int | None, keep: int | None, dry_run: bool = False) -> Pruned:
    """Remove what was not used for `older_than` seconds and, the longest unused first, what is
    beyond `keep` bytes. What was used just now, or is held by a process, stays."""
    now = time.time()
    found = sorted((e for name in PURPOSES for e in entries(name)), key=lambda e: e.used)
    left = sum(entry.own for entry in found)
    removed, freed, in_use, fresh = 0, 0, 0, 0
    for entry in found:
        old = older_than is not None and now - entry.used >= older_than
        beyond = keep is not None and left > keep and entry.own > 0
        if not (old or beyond):
            continue
        if now - entry.used < JUST_NOW:
            fresh += 1
            continue
        if dry_run or remove(entry):
            removed, freed, left = removed + 1, freed + entry.own, left - entry.own
        else:
            in_use += _is_there(entry)
    return Pruned(removed, freed, in_use, fresh, left, dry_run)


def _is_there(entry: Entry) -> bool:
    return entry.path.exists()
