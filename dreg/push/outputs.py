"""Bringing what a pipeline made to the default remote, released or not: `dreg run --push`."""

from __future__ import annotations

from collections.abc import Set
from typing import TYPE_CHECKING

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.looking_up import stored
from dreg.adapters.objects import Missing, Store
from dreg.adapters.pushed import Pushed, remember, remembered
from dreg.adapters.through_dvc import open_own
from dreg.core.garbage import QUARANTINE, QUARANTINE_LIMIT, Quarantine
from dreg.core.remotes import object_key
from dreg.errors import Refused
from dreg.registry import Dataset

if TYPE_CHECKING:
    from dreg.adapters.dvc.process import Processes


def is_pushed(dataset: Dataset) -> bool:
    """Whether what dvc.lock records is on the default remote, by what the last push remembers and a
    few questions, as `dvc push` tells; a release looks closer. Raises Outside when the remote fails.
    """
    remote = remote_of(dataset.root)
    before = remembered(dataset.root, dataset.name)
    if before is None or not before.is_of(remote, _pushed_outputs(dataset)):
        return False
    marks, *seen = stored(open_own(remote), [QUARANTINE, *before.probes])
    if marks is not None and marks.size > len(Quarantine().to_bytes()):
        return False  # some of it may be marked, and about to be deleted
    return [one.size if one else None for one in seen] == list(before.probes.values())


def push_outputs(dataset: Dataset, processes: Processes) -> None:
    """Bring what dvc.lock records to the default remote, as far as it isn't there.

    Raises Refused for bytes that are neither here nor there, Outside when the remote fails.
    """
    if is_pushed(dataset):
        return
    # What there is nothing to do for should not wait for these.
    from dreg.push.announcing import wait_for_sweeps
    from dreg.push.holdings import not_here, outputs_of
    from dreg.push.mounted import refuse_unmounted
    from dreg.push.pushing import lacking, push, refuse_absent

    remote = remote_of(dataset.root)
    store = open_own(remote)
    refuse_unmounted(dataset.root, store)
    objects = outputs_of(dataset)
    marks = _marks(store)
    marked = [entry for entry in objects if entry.source and entry.key in marks]
    absent = lacking(store, objects)
    if away := next((entry for entry in absent if entry.source is None), None):
        raise not_here(dataset, away.path)
    sent = push(dataset, store, list({o.key: o for o in (*absent, *marked)}.values()), processes)
    refuse_absent(store, lacking(store, [o for o in absent if o.key not in sent]))
    if marked:  # and written anew, so that they are not old enough; one that is deleting may know older ones
        wait_for_sweeps(store)
        push(dataset, store, lacking(store, marked), processes)
    here = {o.key: o.size for o in objects if o.source is not None}
    outputs = _pushed_outputs(dataset)
    named = {key: here.pop(key) for md5 in outputs if (key := object_key(md5)) in here}
    remember(dataset.root, dataset.name, Pushed.of(remote, outputs, named, list(here.items())))


def _marks(store: Store) -> Set[str]:
    """Keys of objects that a garbage collection may delete soon."""
    if stored(store, [QUARANTINE]) == [None]:
        return frozenset()
    try:
        return Quarantine.parse(store.get_bytes(QUARANTINE, QUARANTINE_LIMIT)).marks.keys()
    except (Missing, Refused):  # none, or one that nothing can be deleted by
        return frozenset()


def _pushed_outputs(dataset: Dataset) -> list[str]:
    return [out.md5 for out in dvc.lock_outputs(dataset.root, dataset.name) if out.pushed]
