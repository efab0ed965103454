"""Splits as who loads a dataset names them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dreg.errors import BadRequest

if TYPE_CHECKING:
    from dreg.api.dataset import Dataset


def known(dataset: Dataset, names: Sequence[str]) -> tuple[str, ...]:
    """The names. Raises BadRequest for one that no split has, and for what is no list of texts."""
    if isinstance(names, str) or not all(isinstance(name, str) for name in names):
        raise BadRequest(
            "splits are named one by one", hint='as in ds.log_to_mlflow("train", "val")'
        )
    for name in names:
        if name not in dataset.splits:
            raise no_split(dataset, name)
    return tuple(names)


def no_split(dataset: Dataset, name: str) -> BadRequest:
    """The error for a split that there is not."""
    return BadRequest(
        f"{dataset.name} {dataset.version} has no split `{name}`",
        hint=f"splits: {', '.join(dataset.splits) or 'none'}",
    )
