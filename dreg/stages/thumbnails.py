"""A picture of a dataset of images, for its card: some of each class, a row a class.

    data/<name>/thumbnails.png

It is part of the dataset, as a table of contents is of a book. Its PNG is not compressed: what
compressors make of the same pixels differs from one version to the next.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from dreg.adapters.figures.images import Undecodable, in_colour
from dreg.adapters.formats import opened, pieces
from dreg.adapters.formats.file_types import ImageType, content
from dreg.adapters.split_files import split_files
from dreg.adapters.written import written
from dreg.core.contract import Contract
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside
from dreg.stages.progress import say
from dreg.stages.workspace import Workspace, here

FILE = "thumbnails.png"
SIDE = 64  # pixels; larger images are thinned out
WHITE = 255


def write(image: str = "image", per_class: int = 10) -> None:
    """Draw the first `per_class` images of each class of the contract's first split.

    The column `image` has image files, or tensors of bytes, of height, width and maybe three colours.
    Files need no classes: then there is one row. One that does not decode is left out; the profile
    names it. Raises BadRequest for a contract without such a column, or without classes for tensors,
    Outside for files that are missing or broken, or without an image.
    """
    from PIL import Image

    workspace = here()
    contract = workspace.contract()
    column = contract.columns.get(image)
    files = column is not None and column.type == ImageType.word
    if not files and (
        not contract.classes or column is None or len(column.shape or ()) not in (2, 3)
    ):
        raise BadRequest(
            f"thumbnails need `{image}`, image files, or a tensor of pixels and a label with classes",
            hint="see `columns` and `label` in dataset.yaml",
        )
    rows = first_of_each(workspace, contract, image, per_class)
    if not any(rows):
        raise Outside("there is no image to draw", hint="see how the pipeline splits")
    memory = io.BytesIO()
    Image.fromarray(sheet(rows, per_class)).save(memory, "PNG", compress_level=0)
    with written(workspace.data / FILE) as file:
        file.write(memory.getvalue())
    of = f" of {numbered(len(rows), 'class')}" if contract.classes else ""
    say(f"{FILE}: {numbered(sum(map(len, rows)), 'image')}{of}")


def first_of_each(
    workspace: Workspace, contract: Contract, image: str, per_class: int
) -> list[list[np.ndarray]]:
    """Pixels of the first images of each class, in the contract's order of classes."""
    rows: list[list[np.ndarray]] = [[] for _ in contract.classes or (None,)]
    split = next(iter(contract.splits.values()))
    for piece in pieces(split_files(workspace.data, split), contract):
        with opened(piece, contract) as found:
            for batch in found.batches:
                for row, place in enumerate(places(batch, contract)):
                    if len(rows[place]) < per_class:
                        rows[place].extend(drawn(batch.column(image), row, contract, image))
                if all(len(row) == per_class for row in rows):
                    return rows
    return rows


def places(batch: pa.RecordBatch, contract: Contract) -> Iterator[int]:
    """The number of the class of each sample; there is but one where the contract names none."""
    if not contract.classes or contract.label is None:
        yield from (0 for _ in range(batch.num_rows))
        return
    for told in batch.column(contract.label).to_pylist():
        yield contract.classes.index(told) if isinstance(told, str) else told


def drawn(values: pa.Array, row: int, contract: Contract, image: str) -> Iterator[np.ndarray]:
    """The thumbnail of a sample; none of an image that is missing, or that does not decode."""
    if not isinstance(values.type, ImageType):
        one = values.slice(row, 1)
        flat = np.asarray(getattr(one, "storage", one).flatten())
        yield small(flat.reshape(contract.columns[image].shape))
        return
    octets = content(values)[row].as_buffer()
    if octets is None:
        return
    try:
        yield in_the_middle(small(in_colour(octets, row)))
    except Undecodable:
        return


def in_the_middle(pixels: np.ndarray) -> np.ndarray:
    """Files are of many sizes: each is put in the middle of a square."""
    square = np.full((SIDE, SIDE, 3), WHITE, np.uint8)
    height, width = pixels.shape[:2]
    top, left = (SIDE - height) // 2, (SIDE - width) // 2
    square[top : top + height, left : left + width] = pixels
    return square


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
