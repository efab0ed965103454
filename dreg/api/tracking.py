"""Which data a training run uses, written to MLflow: `ds.log_to_mlflow()` and `dreg.autolog()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dreg.api.listeners import on_load, on_read
from dreg.core.lineage import learned_from
from dreg.errors import DregError, Refused
from dreg.output import out

if TYPE_CHECKING:
    from dreg.api.dataset import Dataset


def log(dataset: Dataset, splits: Sequence[str] = (), run_id: str | None = None) -> str:
    """Record the release in the run, by default the active one; its id. See `Dataset.log_to_mlflow`."""
    from dreg.adapters.mlflow.recording import record

    return record(dataset.lineage(splits), dataset.profile, run_id)


def autolog(disable: bool = False) -> None:
    """From now on, record in MLflow what `dreg.load` gives while a run is active, and what is read of it.

    Of the splits that were read, those count that models learn from; if there are none, all. What
    can't be recorded is warned of, and never ends a training. `disable` stops it.
    """
    for told in (on_load, on_read):
        told.clear()
    _read.clear()
    _beside.clear()
    if not disable:
        on_load.append(_loaded)
        on_read.append(_was_read)


_read: dict[tuple[str, str], set[str]] = {}  # the splits, by run and release
_beside: set[tuple[str, str]] = set()  # releases in runs that name another version of the dataset


def _loaded(dataset: Dataset) -> None:
    _was_read(dataset, ())


def _was_read(dataset: Dataset, splits: Sequence[str] | None) -> None:
    """Note the splits, None for all of them, in the active run."""
    from dreg.adapters.mlflow.recording import active_run, record_splits

    try:
        run_id = active_run()
        if run_id is None:
            return
        both = run_id, dataset.tag
        if both not in _read:
            _begin(dataset, run_id)
            _read[both] = set()  # only now: what failed is tried again by the next read
        known = _read[both]
        new = set(dataset.splits if splits is None else splits) - known
        known |= new
        if new and both in _beside:
            _note_beside(dataset, learned_from(known, dataset.training_splits), run_id)
        elif new:
            record_splits(dataset.name, known, dataset.training_splits, run_id)
    except DregError as error:
        out.warn(f"{dataset.name} {dataset.version} is not recorded in MLflow: {error.fact}")


def _begin(dataset: Dataset, run_id: str) -> None:
    """Record the release, without splits; beside the other one where the run names another version."""
    from dreg.adapters.mlflow.recording import record

    try:
        record(replace(dataset.lineage(), splits=()), dataset.profile, run_id)
    except Refused as error:
        _note_beside(dataset, (), run_id)
        _beside.add((run_id, dataset.tag))
        out.warn(f"{dataset.name} {dataset.version} is recorded by tags alone: {error.fact}")


def _note_beside(dataset: Dataset, splits: Sequence[str], run_id: str) -> None:
    from dreg.adapters.mlflow.recording import record_beside

    record_beside(replace(dataset.lineage(), splits=tuple(splits)), run_id)
