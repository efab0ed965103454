"""Which data a training run uses, written to MLflow: `ds.log_to_mlflow()` and `dreg.autolog()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dreg.api.listeners import on_load, on_read
from dreg.core.lineage import learned_from
from dreg.errors import BadRequest, DregError
from dreg.output import out

if TYPE_CHECKING:
    from dreg.api.dataset import Dataset


def log(dataset: Dataset, splits: Sequence[str] = (), run_id: str | None = None) -> str:
    """Record the release in the run, by default the active one; its id. See `Dataset.log_to_mlflow`."""
    from dreg.adapters.mlflow.recording import record

    for name in splits:
        if name not in dataset.splits:
            raise BadRequest(
                f"{dataset.name} {dataset.version} has no split `{name}`",
                hint=f"splits: {', '.join(dataset.splits)}",
            )
    return record(dataset.lineage(splits), dataset.profile, run_id)


def autolog(disable: bool = False) -> None:
    """From now on, record in MLflow what `dreg.load` gives while a run is active, and what is read of it.

    Of the splits that were read, those count that models learn from; if there are none, all. What
    can't be recorded is warned of, and never ends a training. `disable` stops it.
    """
    for told in (on_load, on_read):
        told.clear()
    _read.clear()
    if not disable:
        on_load.append(_loaded)
        on_read.append(_was_read)


_read: dict[tuple[str, str], set[str]] = {}  # the splits, by run and release


def _loaded(dataset: Dataset) -> None:
    _was_read(dataset, ())


def _was_read(dataset: Dataset, splits: Sequence[str] | None) -> None:
    """Note the splits, None for all of them, in the active run."""
    from dreg.adapters.mlflow.recording import active_run, record, record_splits

    try:
        run_id = active_run()
        if run_id is None:
            return
        known = _read.get((run_id, dataset.tag))
        if known is None:
            known = _read[run_id, dataset.tag] = set()
            record(replace(dataset.lineage(), splits=()), dataset.profile, run_id)
        new = set(dataset.splits if splits is None else splits) - known
        if new:
            known |= new
            used = learned_from(known, dataset.training_splits)
            record_splits(dataset.name, used, run_id)
    except DregError as error:
        out.warn(f"{dataset.name} {dataset.version} is not recorded in MLflow: {error.fact}")
