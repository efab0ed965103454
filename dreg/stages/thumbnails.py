"""A picture of a dataset of images, for its card: some of each class, a row a class.

    data/<name>/thumbnails.png

It is part of the dataset, as a table of contents is of a book. Its PNG is not compressed: what
compressors make of the same pixels differs from one version to the next.
"""

from __future__ import annotations

import io

import numpy as np

from dreg.adapters.formats import opened, pieces
from dreg.adapters.split_files import split_files
from dreg.adapters.written import written
from dreg.core.contract import Contract
from dreg.errors import BadRequest, Outside
from dreg.stages.progress import say
from dreg.stages.workspace import Workspace, here

FILE = "thumbnails.png"
SIDE = 64  # pixels; larger images are thinned out
WHITE = 255


def write(image: str = "image", per_class: int = 10) -> None:
    """Draw the first `per_class` images of each class of the contract's first split.

    The column `image` has tensors of bytes, of height, width and maybe three colours. Raises
    BadRequest for a contract without classes or such a column, Outside for files that are missing
    or broken, or without an image.
    """
    from PIL import Image

    workspace = here()
    contract = workspace.contract()
    label = contract.label
    column = contract.columns.get(image)
    if (
        not contract.classes
        or label is None
        or column is None
        or len(column.shape or ()) not in (2, 3)
    ):
        raise BadRequest(
            f"thumbnails need `{image}`, a tensor of pixels, and a label with classes",
            hint="see `columns` and `label` in dataset.yaml",
        )
    rows = first_of_each(workspace, contract, image, label, per_class)
    if not any(rows):
        raise Outside("there is no image to draw", hint="see how the pipeline splits")
    memory = io.BytesIO()
    Image.fromarray(sheet(rows, per_class)).save(memory, "PNG", compress_level=0)
    with written(workspace.data / FILE) as file:
        file.write(memory.getvalue())
    say(f"{FILE}: {sum(map(len, rows)):,} images of {len(rows):,} classes")


def first_of_each(
    workspace: Workspace, contract: Contract, image: str, label: str, per_class: int
) -> list[list[np.ndarray]]:
    """Pixels of the first images of each class, in the contract's order of classes."""
    rows: list[list[np.ndarray]] = [[] for _ in contract.classes]
    split = next(iter(contract.splits.values()))
    shape = contract.columns[image].shape or ()
    for piece in pieces(split_files(workspace.data, split), contract):
        with opened(piece, contract) as found:
            for batch in found.batches:
                classes = batch.column(label).to_pylist()
                values = batch.column(image)
                flat = np.asarray(getattr(values, "storage", values).flatten()).reshape(-1, *shape)
                for at, told in enumerate(classes):
                    place = contract.classes.index(told) if isinstance(told, str) else told
                    if len(rows[place]) < per_class:
                        rows[place].append(small(flat[at]))
                if all(len(row) == per_class for row in rows):
                    return rows
    return rows


def small(pixels: np.ndarray) -> np.ndarray:
    """Every so many-th pixel, so that it is no larger than a thumbnail."""
    step = -(-max(pixels.shape[:2]) // SIDE)
    return np.ascontiguousarray(pixels[::step, ::step])


def sheet(rows: list[list[np.ndarray]], per_class: int) -> np.ndarray:
    """The rows below each other, white where a class has fewer."""
    shape = next(one.shape for row in rows for one in row)
    blank = np.full(shape, WHITE, np.uint8)
    lines = [np.concatenate([*row, *[blank] * (per_class - len(row))], axis=1) for row in rows]
    return np.concatenate(lines, axis=0)
