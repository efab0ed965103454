"""The sample index, `samples.parquet`: split, key and hash of every sample, in that order."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.figures import values
from dreg.adapters.formats import Piece
from dreg.adapters.index.rows import column
from dreg.adapters.index.runs import Runs
from dreg.adapters.parquet import PARQUET, ROWS_IN_GROUP
from dreg.adapters.scratch import scratch_folder
from dreg.adapters.written import written
from dreg.errors import Outside

MOST_BYTES = (
    32 << 20
)  # of one split in memory, or of those before it; to sort takes some times more
SCHEMA = pa.schema(
    [
        pa.field("split", pa.string(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("hash", pa.binary(16), nullable=False),
    ]
)
# Split names repeat, sorted keys begin alike, and hashes cannot be compressed.
SETTINGS: dict[str, Any] = PARQUET | {
    "compression": {"split": "zstd", "key": "zstd", "hash": "none"},
    "compression_level": {"split": 1, "key": 1},
    "use_dictionary": ["split"],
    "column_encoding": {"key": "DELTA_BYTE_ARRAY", "hash": "PLAIN"},
}
HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint16)


class SampleIndex:
    """Takes in what is known of samples, in their order, and sorts it.

    `duplicates`, once written: by split, the samples that equal an earlier one.
    """

    def __init__(self, key: tuple[str, ...] = ()) -> None:
        self.key = key
        self.duplicates: dict[str, int] = {}
        self._splits: dict[str, Runs] = {}
        self._pieces: dict[str, list[tuple[int, Piece]]] = {}
        self._counts: dict[str, int] = {}
        self._stack = ExitStack()

    def __enter__(self) -> SampleIndex:
        self._folder = self._stack.enter_context(scratch_folder())
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def add(self, split: str, piece: Piece, rows: pa.Table) -> None:
        """Take in the next rows of `piece`, as `index.rows.hashed` gives them."""
        number = self._counts.get(split, 0)
        self._counts[split] = number + len(rows)
        pieces = self._pieces.setdefault(split, [])
        if not pieces or pieces[-1][1] != piece:
            pieces.append((number, piece))
        if self.key:  # to tell, of two samples with one key, where they are
            numbers = column(np.arange(number, number + len(rows), dtype=np.uint64))
            rows = rows.append_column("number", numbers)
        runs = self._splits.get(split)
        if runs is None:
            if sum(before.size for before in self._splits.values()) >= MOST_BYTES:
                for before in self._splits.values():
                    before.spill()
            folder = self._folder / str(len(self._splits))
            folder.mkdir()
            by, order = ("key", by_key) if self.key else ("first", by_hash)
            runs = self._splits[split] = Runs(folder, by, order, MOST_BYTES)
        runs.add(rows)

    def write(self, path: Path) -> str:
        """Write the index to `path`; its digest. Raises Outside for a key that two samples have."""
        import pyarrow.parquet as pq

        digest = hashlib.sha256()
        with written(path) as file, pq.ParquetWriter(file, SCHEMA, **SETTINGS) as writer:
            for group in groups(self._rows()):
                digest.update(canonical_bytes(group))
                writer.write(group, ROWS_IN_GROUP)
        return digest.hexdigest()

    def _rows(self) -> Iterator[pa.Table]:
        for split in sorted(self._splits, key=str.encode):
            self.duplicates[split] = 0
            for rows in self._splits[split].sorted():
                if self.key:
                    self._refuse_doubles(split, rows)
                first, second = words(rows["first"]), words(rows["second"])
                if self.key:
                    yield from entries(split, rows, first, second)
                    continue
                counts = words(rows["count"])
                self.duplicates[split] += int(counts.sum(dtype=np.int64)) - len(counts)
                for places in one_by_one(counts):
                    yield from entries(split, rows, first[places], second[places])

    def _refuse_doubles(self, split: str, rows: pa.Table) -> None:
        keys = rows["key"].combine_chunks()
        same = pc.equal(keys.slice(1), keys.slice(0, max(0, len(keys) - 1)))
        place = pc.index(same, True).as_py()
        if place < 0:
            return
        one, other = (self._where(split, rows["number"][i].as_py()) for i in (place, place + 1))
        raise Outside(
            f"{other} has the key `{keys[place].as_py()}`, which {one} has as well",
            hint="take one of them out, or name more columns as `key` in dataset.yaml",
        )

    def _where(self, split: str, number: int) -> str:
        pieces = self._pieces[split]
        start, piece = pieces[bisect_right(pieces, number, key=lambda item: item[0]) - 1]
        return piece.place(number - start)


def by_hash(rows: pa.Table) -> pa.Table:
    """Sorted, equal samples as one row with their `count`: however many, they take no memory."""
    lanes = words(rows["first"]), words(rows["second"])
    order = np.argsort(lanes[0])
    first, second = (lane[order] for lane in lanes)
    if ((first[1:] == first[:-1]) & (second[1:] < second[:-1])).any():
        order = np.lexsort(lanes[::-1])
        first, second = (lane[order] for lane in lanes)
    other = (first[1:] != first[:-1]) | (second[1:] != second[:-1])
    starts = np.flatnonzero(np.concatenate([np.ones(min(1, len(first)), np.bool_), other]))
    if "count" in rows.column_names:
        counts = np.add.reduceat(words(rows["count"])[order], starts) if len(starts) else starts
    else:
        counts = np.diff(starts, append=len(first))
    if len(starts) < len(first):
        first, second = first[starts], second[starts]
    told = pa.py_buffer(counts.astype(np.uint32))
    number = pa.Array.from_buffers(pa.uint32(), len(counts), [None, told])
    return pa.table({"first": column(first), "second": column(second), "count": number})


def one_by_one(counts: npt.NDArray[np.integer]) -> Iterator[npt.NDArray[np.int64]]:
    """Places of rows, each as often as its count says, some at a time."""
    ends = np.cumsum(counts, dtype=np.int64)
    for start in range(0, int(ends[-1]) if len(ends) else 0, ROWS_IN_GROUP):
        some = np.arange(start, min(int(ends[-1]), start + ROWS_IN_GROUP))
        yield some if len(ends) == ends[-1] else np.searchsorted(ends, some, side="right")


def by_key(rows: pa.Table) -> pa.Table:
    keys = rows["key"].combine_chunks()
    return rows.take(pc.array_sort_indices(keys))  # stable: of equal keys the earlier comes first


def words(column: pa.ChunkedArray) -> npt.NDArray[Any]:
    chunks = [values(chunk) for chunk in column.chunks]
    return chunks[0] if len(chunks) == 1 else np.concatenate([np.empty(0, np.uint64), *chunks])


def entries(
    split: str, rows: pa.Table, first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]
) -> Iterator[pa.Table]:
    """The sorted rows of a split, as the file has them."""
    for start in range(0, len(first), ROWS_IN_GROUP):
        part = slice(start, min(len(first), start + ROWS_IN_GROUP))
        octets = np.stack([first[part], second[part]], axis=1).astype(">u8").view(np.uint8)
        count = len(octets)
        hashes = pa.Array.from_buffers(pa.binary(16), count, [None, pa.py_buffer(octets)])
        if "key" in rows.column_names:
            keys = rows["key"].slice(start, count).combine_chunks()
        else:
            keys = hexadecimal(octets)
        splits = repeated(split.encode(), count).cast(pa.string())
        yield pa.Table.from_arrays([splits, keys, hashes], schema=SCHEMA)


def repeated(value: bytes, count: int) -> pa.Array:
    """As `pa.repeat`, whose scalars import pandas."""
    offsets = np.arange(count + 1, dtype=np.int64) * len(value)
    memory = [None, pa.py_buffer(offsets), pa.py_buffer(value * count)]
    return pa.Array.from_buffers(pa.large_binary(), count, memory)


def hexadecimal(octets: npt.NDArray[np.uint8]) -> pa.Array:
    """Rows of bytes as text."""
    count, width = octets.shape
    offsets = np.arange(count + 1, dtype=np.int32) * np.int32(2 * width)
    memory = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(HEX[octets]))]
    return pa.Array.from_buffers(pa.string(), count, memory)


def groups(tables: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """The same rows in row groups of one size, however they came: so the bytes are the same."""
    waiting: list[pa.Table] = []
    count = 0
    for table in tables:
        waiting.append(table)
        count += len(table)
        while count >= ROWS_IN_GROUP:
            rows = pa.concat_tables(waiting)
            yield rows.slice(0, ROWS_IN_GROUP).combine_chunks()
            waiting, count = [rows.slice(ROWS_IN_GROUP)], count - ROWS_IN_GROUP
    if count:
        yield pa.concat_tables(waiting).combine_chunks()


def canonical_bytes(group: pa.Table) -> memoryview:
    """What the digest is over: of each row the split, NUL, the hash, the key's length, the key."""
    split, key, hashes = (group[name].chunk(0) for name in SCHEMA.names)
    lengths = pc.binary_length(key).cast(pa.uint32())
    sizes = np.frombuffer(lengths.buffers()[1], np.uint32, len(key)).astype("<u4")
    told = pa.Array.from_buffers(pa.binary(4), len(key), [None, pa.py_buffer(sizes)])
    parts = [split, repeated(b"\0", len(key)), hashes, told, key, repeated(b"", len(key))]
    whole = pc.binary_join_element_wise(*(part.cast(pa.large_binary()) for part in parts))
    return memoryview(whole.buffers()[2])[: whole.total_values_length]
