"""Bringing what a pipeline made to the default remote, released or not: `dreg run --push`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.looking_up import stored
from dreg.adapters.pushed import Pushed, remember, remembered
from dreg.adapters.through_dvc import open_own
from dreg.core.remotes import object_key
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
    seen = stored(open_own(remote), list(before.probes))
    return [one.size if one else None for one in seen] == list(before.probes.values())


def push_outputs(dataset: Dataset, processes: Processes) -> None:
    """Bring what dvc.lock records to the default remote, as far as it isn't there.

    Raises Refused for bytes that are neither here nor there, Outside when the remote fails.
    """
    if is_pushed(dataset):
        return
    # What there is nothing to do for should not wait for these.
    from dreg.push.holdings import not_here, outputs_of
    from dreg.push.pushing import lacking, push, refuse_absent

    remote = remote_of(dataset.root)
    store = open_own(remote)
    objects = outputs_of(dataset)
    absent = lacking(store, objects)
    if away := next((entry for entry in absent if entry.source is None), None):
        raise not_here(dataset, away.path)
    sent = push(dataset, store, absent, processes)
    refuse_absent(store, lacking(store, [o for o in absent if o.key not in sent]))
    here = {o.key: o.size for o in objects if o.source is not None}
    outputs = _pushed_outputs(dataset)
    named = {key: here.pop(key) for md5 in outputs if (key := object_key(md5)) in here}
    remember(dataset.root, dataset.name, Pushed.of(remote, outputs, named, list(here.items())))


def _pushed_outputs(dataset: Dataset) -> list[str]:
    return [out.md5 for out in dvc.lock_outputs(dataset.root, dataset.name) if out.pushed]
