"""Which data a training run uses, written to MLflow: `ds.log_to_mlflow()` and `dreg.autolog()`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

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
    """From now on, record in MLflow what `dreg.load` gives while a run is active.

    What can't be recorded is warned of, and never ends a training. `disable` stops it.
    """
    from dreg.api.loading import on_load

    if _log_if_active in on_load:
        on_load.remove(_log_if_active)
    if not disable:
        on_load.append(_log_if_active)


def _log_if_active(dataset: Dataset) -> None:
    from dreg.adapters.mlflow.recording import active_run

    try:
        run_id = active_run()
        if run_id is not None:
            log(dataset, (), run_id)
    except DregError as error:
        out.warn(f"{dataset.name} {dataset.version} is not recorded in MLflow: {error.fact}")
