"""Which data a training run uses, written to MLflow: `ds.log_to_mlflow()` and `dreg.autolog()`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dreg.api.listeners import on_load, on_read
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
    if disable:
        _noted.clear()
    else:
        on_load.append(_loaded)
        on_read.append(_was_read)


@dataclass
class _Noted:
    """Of a release in a run: the splits that were read, and those that the run was told of; None before
    it was told of the release, which is tried again until it works."""

    read: set[str] = field(default_factory=set)
    told: frozenset[str] | None = None
    refused: bool = False


_noted: dict[tuple[str, str, str], _Noted] = {}  # by run, tag and commit


def _loaded(dataset: Dataset) -> None:
    _was_read(dataset, ())


def _was_read(dataset: Dataset, splits: Sequence[str] | None) -> None:
    """Note the splits, None for all of them, in the active run."""
    from dreg.adapters.mlflow.recording import active_run

    try:
        run_id = active_run()
        if run_id is None:
            return
        noted = _noted.setdefault((run_id, dataset.tag, dataset.commit), _Noted())
        noted.read |= set(dataset.splits if splits is None else splits)
        if not noted.refused:
            _tell(dataset, noted, run_id)
    except DregError as error:
        out.warn(f"{dataset.name} {dataset.version} is not recorded in MLflow: {error.fact}")


def _tell(dataset: Dataset, noted: _Noted, run_id: str) -> None:
    """Tell the run what it was not told yet. Raises as MLflow fails, and Refused once."""
    from dreg.adapters.mlflow.recording import AnotherVersion, record, record_splits

    lineage = replace(dataset.lineage(), splits=())
    if noted.told is None:
        try:
            record(lineage, dataset.profile, run_id)
        except AnotherVersion as error:
            record(lineage, dataset.profile, run_id, another_version=True)
            out.warn(f"{error.fact}; that it uses both is in its tags")
        except Refused:
            noted.refused = True
            raise
        noted.told = frozenset()
    if noted.read - noted.told:
        record_splits(lineage, noted.read, dataset.training_splits, run_id)
        noted.told = frozenset(noted.read)
