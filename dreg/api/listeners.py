"""Who is told of what training code does with datasets: `dreg.autolog()` listens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dreg.api.dataset import Dataset

on_load: list[Callable[[Dataset], None]] = []  # of every `dreg.load`
on_read: list[Callable[[Dataset, Sequence[str] | None], None]] = []  # of splits; None: of all


def tell_read(dataset: Dataset, split: str | None) -> None:
    """Some of the split, or of everything, is handed out."""
    for tell in on_read:
        tell(dataset, None if split is None else (split,))
