"""Some columns of a Parquet file that is elsewhere: only their chunks travel.

The one module of the consumer's side that needs pyarrow; it is imported when columns are asked for.
"""

from __future__ import annotations

import difflib
import io
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreg.adapters.extras import needed
from dreg.adapters.objects import many
from dreg.errors import BadRequest, Outside

if TYPE_CHECKING:
    import pyarrow as pa

HOLE = 8_000  # bytes between two chunks that are rather read than left out
MOST = 32_000_000  # bytes that are read at once, if more than one chunk
AT_ONCE = 4

Read = Callable[[int, int], bytes | memoryview]


def cut(read: Read, size: int, columns: Sequence[str], into: Path, called: str) -> None:
    """Write `columns`, in this order, of the Parquet file that `read(start, length)` reads.

    Row groups and compression stay as they are; memory holds one row group. Page checksums are
    verified where the file has them. Raises BadRequest for a column that there is not, Outside
    for what is not Parquet or damaged.
    """
    pq = needed("pyarrow.parquet", "arrow")
    pa = needed("pyarrow", "arrow")
    try:
        ranges = _Ranges(read, size)
        # Arrow reads ahead in threads of its own, which may still have Python's file when Python ends: that aborts it.
        file = pq.ParquetFile(
            pa.PythonFile(ranges, mode="r"), pre_buffer=False, page_checksum_verification=True
        )
        _refuse_unknown(columns, file.schema_arrow, called)
        schema = pa.schema(
            [file.schema_arrow.field(name) for name in columns], file.schema_arrow.metadata
        )
        with pq.ParquetWriter(into, schema, compression=_compression(file, columns)) as writer:
            for group in range(file.num_row_groups):
                ranges.hold(_joined(_chunks(file.metadata.row_group(group), columns)))
                table = file.read_row_group(group, columns=list(columns), use_threads=False)
                writer.write_table(table.select(list(columns)), max(1, table.num_rows))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Outside(
            f"`{called}` cannot be read by columns: {str(error).splitlines()[0]}",
            hint="fetch the whole file, which is verified: leave out --columns",
        ) from error


def number_of_rows(path: Path) -> int:
    """How many rows a Parquet file says that it has."""
    return int(needed("pyarrow.parquet", "arrow").read_metadata(path).num_rows)


def _refuse_unknown(columns: Sequence[str], schema: pa.Schema, called: str) -> None:
    for name in columns:
        if name not in schema.names:
            close = difflib.get_close_matches(name, schema.names, n=1)
            some = ", ".join(schema.names[:12])
            raise BadRequest(
                f"`{called}` has no column `{name}`",
                hint=f"did you mean `{close[0]}`?" if close else f"columns: {some}",
            )


def _compression(file: Any, columns: Sequence[str]) -> dict[str, str]:
    """The compression of each chosen leaf, as the first row group has it."""
    if not file.num_row_groups:
        return {}
    chunks = _chosen(file.metadata.row_group(0), columns)
    return {chunk.path_in_schema: chunk.compression for chunk in chunks}


def _chosen(group: Any, columns: Sequence[str]) -> list[Any]:
    """The chunks of the columns in a row group."""
    chunks = [group.column(number) for number in range(group.num_columns)]
    return [chunk for chunk in chunks if chunk.path_in_schema.split(".")[0] in columns]


def _chunks(group: Any, columns: Sequence[str]) -> list[range]:
    """Where they are in the file."""
    found = []
    for chunk in _chosen(group, columns):
        start = min(chunk.data_page_offset, chunk.dictionary_page_offset or chunk.data_page_offset)
        found.append(range(start, start + chunk.total_compressed_size))
    return found


def _joined(parts: Iterable[range]) -> list[range]:
    """The same and what is between them, where that is less than asking once more costs."""
    joined: list[range] = []
    for part in sorted(parts, key=lambda part: part.start):
        before = joined[-1] if joined else None
        if before and part.start - before.stop <= HOLE and part.stop - before.start <= MOST:
            joined[-1] = range(before.start, max(before.stop, part.stop))
        else:
            joined.append(part)
    return joined


class _Ranges(io.RawIOBase):
    """What `read` gives, as a file."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self._size = size
        self._at = 0
        self._held: dict[range, bytes | memoryview] = {}

    def hold(self, parts: Sequence[range]) -> None:
        """Read these, and keep them until the next ones are read."""
        self._held = {}
        inside = [part for part in parts if part and part.stop <= self._size]
        jobs = [partial(self._read, part.start, len(part)) for part in inside]
        self._held = dict(zip(inside, many(jobs, AT_ONCE), strict=True))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = start + offset
        return self._at

    def size(self) -> int:
        return self._size

    def read(self, size: int = -1) -> bytes:
        left = self._size - self._at
        length = left if size < 0 else min(size, left)
        if length <= 0:
            return b""
        data = bytes(self._part(self._at, length))
        self._at += len(data)
        return data

    def _part(self, start: int, length: int) -> bytes | memoryview:
        for held, data in self._held.items():
            if held.start <= start and start + length <= held.stop:
                return memoryview(data)[start - held.start : start - held.start + length]
        return self._read(start, length)
