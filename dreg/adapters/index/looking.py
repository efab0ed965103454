"""Sample indexes for people: the samples of some splits, and where a sample is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreg.adapters.extras import needed
from dreg.adapters.parquet import PARQUET
from dreg.adapters.written import written
from dreg.errors import Outside

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ["split", "key", "hash"]


@dataclass(frozen=True, slots=True)
class Row:
    """A sample: its split, its key, and the hash of its content in hexadecimal."""

    split: str
    key: str
    hash: str


def rows(path: Path, splits: Sequence[str] | None = None) -> pa.Table:
    """Split, key and hash (16 bytes) of all samples, or of those of some splits, as they are sorted."""
    return _table(path, None if splits is None else [("split", "in", list(splits))])


def read_rows(path: Path, splits: Sequence[str] | None) -> Iterator[Row]:
    """As `rows`, one by one; memory does not grow with their number."""
    for batch in _batches(path, splits):
        for split, key, content in zip(*(c.to_pylist() for c in batch.columns), strict=True):
            yield Row(split, key, content.hex())


def found(path: Path, key: str) -> list[Row]:
    """The samples whose key, or whose hash in hexadecimal, is `key`."""
    arrow = needed("pyarrow", "arrow")
    field = needed("pyarrow.compute", "arrow").field
    wanted = field("key") == key
    try:
        content = bytes.fromhex(key)
    except ValueError:
        content = b""
    if len(content) == 16:
        wanted = wanted | (field("hash") == arrow.scalar(content, arrow.binary(16)))
    listed = _table(path, wanted).to_pylist()
    return [Row(one["split"], one["key"], one["hash"].hex()) for one in listed]


def export(target: Path, indexes: Iterable[tuple[Path, Sequence[str], Mapping[str, str]]]) -> int:
    """Write samples of some indexes, those of some splits of each, as one Parquet file; how many.

    The columns are dataset, version, split, key and hash; where they are from is in the file's own
    metadata too, of all but the first with the dataset's name behind the key. The file appears when it is complete.
    """
    arrow = needed("pyarrow", "arrow")
    parquet = needed("pyarrow.parquet", "arrow")
    parts = list(indexes)
    about = {
        ".".join(("dreg", key, *([told["dataset"]] if number else []))): value
        for number, (_, _, told) in enumerate(parts)
        for key, value in told.items()
    }
    names, kinds = ("dataset", "version", *COLUMNS), [arrow.string()] * 4 + [arrow.binary(16)]
    schema = arrow.schema(list(zip(names, kinds, strict=True)), metadata=about)
    number = 0
    with written(target) as file, parquet.ParquetWriter(file, schema, **PARQUET) as writer:
        for path, splits, told in parts:
            for batch in _batches(path, splits):
                same = [arrow.repeat(told[name], batch.num_rows) for name in names[:2]]
                columns = [
                    *same,
                    *(c.cast(k) for c, k in zip(batch.columns, kinds[2:], strict=True)),
                ]
                writer.write_batch(arrow.RecordBatch.from_arrays(columns, schema=schema))
                number += batch.num_rows
    return number


def _batches(path: Path, splits: Sequence[str] | None) -> Iterator[Any]:
    arrow = needed("pyarrow", "arrow")
    compute = needed("pyarrow.compute", "arrow")
    parquet = needed("pyarrow.parquet", "arrow")
    with _explained(path), parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=COLUMNS):
            if splits is None:
                yield batch
                continue
            kept = batch.filter(
                compute.is_in(batch["split"], arrow.array(list(splits), arrow.string()))
            )
            if kept.num_rows:
                yield kept


def _table(path: Path, filters: object) -> pa.Table:
    parquet = needed("pyarrow.parquet", "arrow")
    with _explained(path):
        return parquet.read_table(path, columns=COLUMNS, filters=filters)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    arrow = needed("pyarrow", "arrow")
    try:
        yield
    except arrow.ArrowException as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise Outside(
            f"the sample index `{path}` is damaged: {reason}", hint="remove it, and try again"
        ) from error
