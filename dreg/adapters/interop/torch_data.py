"""A split for PyTorch: samples by number, or one after the other, in shards.

The split is written once as an Arrow file in dreg's cache and mapped into memory: processes of a
DataLoader share its pages, however they were started, and none holds the data twice.
"""

from __future__ import annotations

import io
import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from dreg.adapters.interop import tables
from dreg.adapters.interop.kept import kept, mapped
from dreg.adapters.interop.tables import IMAGE, Split
from dreg.errors import BadRequest

Sample = dict[str, Any]
Transform = Callable[[Sample], Any]


def to_torch(split: Split, transform: Transform | None = None) -> Samples:
    """The split as a map-style dataset."""
    parts = tables.batches(split)
    first = next(parts)
    file = kept(split, "plain", first.schema, chain([first], parts))
    described = split.contract.columns
    shapes = {
        field.name: shape
        for field in first.schema
        if (shape := tables.shaped(field.type, getattr(described.get(field.name), "shape", ())))
    }
    classes = {n: c.classes for n, c in described.items() if c.classes and n in first.schema.names}
    return Samples(file, shapes, classes, transform)


def to_torch_iterable(
    split: Split,
    transform: Transform | None = None,
    *,
    rank: int | None = None,
    world: int | None = None,
    seed: int | None = None,
) -> Stream:
    """The split as an iterable dataset that gives each of `world` processes its own part."""
    if (rank is None) != (world is None):
        raise BadRequest(
            "a rank needs a world",
            hint="give both, or neither: to_torch_iterable(..., rank=0, world=4)",
        )
    if rank is not None and world is not None and not 0 <= rank < world:
        raise BadRequest(f"rank {rank} is not one of {world}", hint="ranks count from 0")
    return Stream(to_torch(split, transform), rank, world, seed)


class Samples(torch.utils.data.Dataset[Any]):
    """Samples by number: dictionaries of tensors and texts, or what `transform` makes of those.

    Numbers and tensors become tensors of their type and shape, images uint8 tensors (channels, height,
    width), classes named in texts their index; texts stay texts. `classes` has the names by column.
    """

    def __init__(
        self,
        file: Path,
        shapes: dict[str, tuple[int, ...]],
        classes: dict[str, tuple[str, ...]],
        transform: Transform | None,
    ) -> None:
        self.classes = classes
        self._file, self._shapes, self._transform = file, shapes, transform
        self._indexes = {n: {c: i for i, c in enumerate(names)} for n, names in classes.items()}
        self._open()

    def _open(self) -> None:
        self._batches = mapped(self._file)
        self._ends = list(np.cumsum([batch.num_rows for batch in self._batches]))
        schema = self._batches[0].schema if self._batches else pa.schema([])
        self._columns = [self._reader(field) for field in schema]

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._ends else 0

    def __getitem__(self, number: int) -> Any:
        size = len(self)
        at = number + size if number < 0 else number
        if not 0 <= at < size:
            raise IndexError(f"sample {number} of {size}")
        part = bisect_right(self._ends, at)
        batch = self._batches[part]
        row = int(at - (self._ends[part] - batch.num_rows))
        sample = {n: read(batch.column(i), row) for i, (n, read) in enumerate(self._columns)}
        return sample if self._transform is None else self._transform(sample)

    def _reader(self, field: pa.Field) -> tuple[str, Callable[[pa.Array, int], Any]]:
        name, kind = field.name, field.type
        shape = self._shapes.get(name)
        indexes = self._indexes.get(name)
        if shape:
            return name, lambda column, row: _tensor(column, row, shape)
        if kind == IMAGE:
            return name, lambda column, row: _image(column[row].as_py())
        if indexes and pa.types.is_string(kind):
            return name, lambda column, row: _index(indexes, column[row].as_py())
        return name, lambda column, row: _value(column[row].as_py())

    def __getstate__(self) -> dict[str, Any]:
        return {n: v for n, v in vars(self).items() if n not in ("_batches", "_ends", "_columns")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open()


class Stream(torch.utils.data.IterableDataset[Any]):
    """The samples of one process: of `world` of them number `rank`, and of its DataLoader's workers
    this one. All parts together are the split, each sample once; none is longer by more than one.

    Without a rank, torch.distributed tells, or RANK and WORLD_SIZE. With a seed the order is another in
    every epoch, the same in all processes; `set_epoch` before each.
    """

    def __init__(
        self, samples: Samples, rank: int | None, world: int | None, seed: int | None
    ) -> None:
        self.samples = samples
        self._place, self._seed, self._epoch = (rank, world), seed, 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of this epoch, as DistributedSampler does."""
        self._epoch = epoch

    def __iter__(self) -> Iterator[Any]:
        rank, world = self._place if self._place[0] is not None else _distributed()
        assert rank is not None and world is not None
        worker = torch.utils.data.get_worker_info()
        if worker is not None:
            rank, world = rank * worker.num_workers + worker.id, world * worker.num_workers
        size = len(self.samples)
        start, end = size * rank // world, size * (rank + 1) // world
        if self._seed is None:
            numbers: Sequence[int] = range(start, end)
        else:
            order = np.random.default_rng([self._seed, self._epoch]).permutation(size)
            numbers = order[start:end].tolist()
        for number in numbers:
            yield self.samples[number]


def _distributed() -> tuple[int, int]:
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1"))


def _tensor(column: pa.Array, row: int, shape: tuple[int, ...]) -> torch.Tensor | None:
    one = column.slice(row, 1)
    if one.null_count:
        return None
    # A copy: torch warns of memory that can't be written to, and training code may write.
    return torch.from_numpy(tables.tensors(one, shape)[0].copy())


def _image(value: Any) -> torch.Tensor | None:
    if value is None:
        return None
    from PIL import Image

    with Image.open(io.BytesIO(value["bytes"])) as image:
        pixels = np.array(image.convert("RGB") if image.mode not in ("L", "RGB", "RGBA") else image)
    planes = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(planes))


def _index(indexes: dict[str, int], value: str | None) -> torch.Tensor | None:
    return None if value is None else torch.tensor(indexes[value])


def _value(value: Any) -> Any:
    return torch.tensor(value) if isinstance(value, bool | int | float) else value
