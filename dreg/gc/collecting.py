"""Garbage collection: what nobody needs is marked on the remote, and deleted weeks later.

Two runs at least, with time between them, stand before a deletion; what is in a manifest is never
unneeded. `dreg.gc_needs` knows what is needed, `dreg.announcing` keeps releases that are just
being made out of harm's way.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from dreg.adapters.dvc_config import remote_of
from dreg.adapters.git import Repository
from dreg.adapters.objects import Missing, Store, many
from dreg.adapters.through_dvc import open_own
from dreg.core.garbage import (
    ANNOUNCED,
    HOUR,
    MAKING,
    MANIFESTS,
    QUARANTINE,
    QUARANTINE_LIMIT,
    Quarantine,
    Sorted,
    in_order,
    sort,
)
from dreg.core.packed import PACKS
from dreg.core.remotes import OBJECTS
from dreg.core.wording import numbered
from dreg.errors import Refused
from dreg.gc.needs import Needs
from dreg.output import out, size
from dreg.push.announcing import Sweep, sweeping
from dreg.registry import Registry
from dreg.release.branch_tip import GIT_REMOTE, refuse_other_remotes

AT_ONCE = 1000
SKEW = HOUR  # clocks differ that much without anybody noticing
USUAL = 14 * 24 * HOUR


@dataclass(frozen=True)
class Amount:
    """Objects and their bytes."""

    objects: int
    size: int

    @classmethod
    def of(cls, sizes: Mapping[str, int]) -> Amount:
        return cls(len(sizes), sum(sizes.values()))

    def __str__(self) -> str:
        return f"{numbered(self.objects, 'object')}, {size(self.size)}"


@dataclass(frozen=True)
class Collected:
    """What of a remote is needed and what isn't. `marked` since now, `waiting` not long enough;
    `deleted` are those that were marked for `older_than` (seconds), or with `dry_run` would be.
    `rescued` is how many are marked no more. `unneeded` lists keys that are not needed, `deleted_keys` some of them.
    """

    remote: str
    dry_run: bool
    older_than: int
    needed: Amount
    marked: Amount
    waiting: Amount
    deleted: Amount
    rescued: int
    unneeded: tuple[str, ...]
    deleted_keys: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        would = "would be " if self.dry_run else ""
        days = self.older_than / HOUR / 24
        age = "1 day" if days == 1 else f"{days:g} days"
        due = f"to be deleted after {age}" if days else "to be deleted by the next `dreg gc`"
        yield f"{self.remote}"
        yield f"  needed    {self.needed}"
        yield f"  unneeded  {self.marked}: {would}marked now, {due}"
        if days:
            yield f"  waiting   {self.waiting}: marked before, for less than {age}"
        yield f"  deleted   {self.deleted}" + (": would be" if self.dry_run else "")
        if self.rescued:
            hold = "holds" if self.rescued == 1 else "hold"
            yield f"  rescued   {numbered(self.rescued, 'mark')} that no longer {hold}"


def gc(
    registry: Registry,
    *,
    remote: str | None = None,
    older_than: int = USUAL,
    also: Sequence[str] = (),
    unreleased: bool = False,
    dry_run: bool = False,
) -> Collected:
    """Mark what nobody needs, and delete what was marked for `older_than` seconds and still isn't needed.

    `also` are URLs of other registries on the same remote. `unreleased`: manifests without a tag
    don't count (other than with their objects they never go). Raises Refused or Outside,
    with nothing deleted, when what is needed cannot be known.
    """
    store = open_own(remote_of(registry.root, remote))
    needs = Needs(registry.root, store, (*_origin(registry), *also), unreleased)
    out.note("reading what releases, branches and locks need")
    quarantine = _quarantine(store)

    def sorted_by(clock: datetime) -> tuple[Sorted, int]:
        there, written = _there(store, unreleased)
        now = _now(registry, quarantine, clock)
        needed = needs.keys() | _being_made(written, now)
        return sort(there, needed, quarantine, written=written, now=now, older_than=older_than), now

    found, _ = sorted_by(datetime.now(UTC))
    if not dry_run:
        with sweeping(store) as sweep:
            # Asked again: from here on, who makes a release has announced it, or waits, and who pushes
            # has written what was marked anew, or waits.
            found, now = sorted_by(sweep.started)
            _carry_out(store, sweep, found, quarantine, now)
    return Collected(
        remote=store.location,
        dry_run=dry_run,
        older_than=older_than,
        needed=Amount.of(found.needed),
        marked=Amount.of(found.fresh),
        waiting=Amount.of(found.waiting),
        deleted=Amount.of(found.due),
        rescued=len(found.rescued),
        unneeded=tuple(sorted({*found.fresh, *found.waiting, *found.due})),
        deleted_keys=tuple(sorted(found.due)),
    )


def _origin(registry: Registry) -> tuple[str, ...]:
    repository = Repository(registry.root)
    if repository.remote_url(GIT_REMOTE) is not None:
        return (GIT_REMOTE,)
    refuse_other_remotes(repository)
    return ()


def _there(store: Store, unreleased: bool) -> tuple[dict[str, int], dict[str, int]]:
    """Sizes of all objects that could be unneeded, and when they were written."""
    places = (OBJECTS, ANNOUNCED, PACKS, *((MANIFESTS,) if unreleased else ()))
    found = [each for place in places for each in store.every(place)]
    return {each.key: each.size for each in found}, {
        each.key: math.ceil(each.at.timestamp()) for each in found
    }


def _being_made(written: Mapping[str, int], now: int) -> set[str]:
    """Announcements that are needed whatever age was asked for: without its own, nothing keeps what a
    slow release has already proven."""
    return {key for key, at in written.items() if key.startswith(ANNOUNCED) and now - at < MAKING}


def _quarantine(store: Store) -> Quarantine:
    try:
        return Quarantine.parse(store.get_bytes(QUARANTINE, QUARANTINE_LIMIT))
    except Missing:
        return Quarantine()


def _now(registry: Registry, quarantine: Quarantine, clock: datetime) -> int:
    """The time by `clock`. Raises Refused if it is before what has happened already.

    A clock that was wrong when objects were marked, and is right when they are looked at again,
    would make weeks of a moment.
    """
    now = int(clock.timestamp())
    said = Repository(registry.root).try_("log", "-1", "--all", "--format=%ct")
    committed = int(said) if said else None
    for what, at in (("the newest mark", quarantine.newest), ("the newest commit", committed)):
        if at is not None and now + SKEW < at:
            raise Refused(
                f"the clock says {_shown(now)}, and {what} is of {_shown(at)} (UTC)",
                hint="nothing was marked or deleted; correct the clock, then run it again",
            )
    return now


def _shown(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _carry_out(store: Store, sweep: Sweep, found: Sorted, quarantine: Quarantine, now: int) -> None:
    since = {**quarantine.marks, **dict.fromkeys(found.fresh, now)}
    left = {key: since[key] for key in {*found.fresh, *found.waiting, *found.due}}
    _write(store, left, quarantine)
    with out.progress("deleting", len(found.due)) as advance:

        def delete(key: str) -> None:
            sweep.check()
            store.delete(key)
            advance(1)

        keys = in_order(found.due)
        folders = [key for key in keys if key.endswith(".dir")]
        for some in (folders, keys[len(folders) :]):  # never a folder's object without its files
            for at in range(0, len(some), AT_ONCE):
                many([functools.partial(delete, key) for key in some[at : at + AT_ONCE]])
    if found.due:
        _write(store, {key: at for key, at in left.items() if key not in found.due}, None)


def _write(store: Store, marks: Mapping[str, int], before: Quarantine | None) -> None:
    quarantine = Quarantine(marks)
    if quarantine != before:
        store.put_bytes(QUARANTINE, quarantine.to_bytes())
