"""Figures of Arrow's arrays, as core.statistics keeps them: exact, whatever the batches are."""

from dreg.adapters.figures.arrays import counts, feature, first_row, plain, storage, values
from dreg.adapters.figures.columns import column
from dreg.adapters.figures.images import Undecodable, has_pixels, images, pixels
from dreg.adapters.figures.numbers import MOST_ROWS, numbers

__all__ = [
    "MOST_ROWS",
    "Undecodable",
    "column",
    "counts",
    "feature",
    "first_row",
    "has_pixels",
    "images",
    "numbers",
    "pixels",
    "plain",
    "storage",
    "values",
]
