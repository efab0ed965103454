"""Sample indexes for people: some splits of one, or where a sample is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dreg.adapters.extras import needed
from dreg.errors import Outside

if TYPE_CHECKING:
    import pyarrow as pa

COLUMNS = ["split", "key", "hash"]


def rows(path: Path, splits: Sequence[str] | None = None) -> pa.Table:
    """Split, key and hash (16 bytes) of all samples, or of those of some splits, as they are sorted."""
    filters = None if splits is None else [("split", "in", list(splits))]
    return _read(path, filters)


def found(path: Path, key: str) -> pa.Table:
    """The rows whose key, or whose hash in hexadecimal, is `key`."""
    arrow = needed("pyarrow", "arrow")
    compute = needed("pyarrow.compute", "arrow")
    wanted = compute.field("key") == key
    try:
        content = bytes.fromhex(key)
    except ValueError:
        content = b""
    if len(content) == 16:
        wanted = wanted | (compute.field("hash") == arrow.scalar(content, arrow.binary(16)))
    return _read(path, wanted)


def _read(path: Path, filters: object) -> pa.Table:
    arrow = needed("pyarrow", "arrow")
    parquet = needed("pyarrow.parquet", "arrow")
    try:
        return parquet.read_table(path, columns=COLUMNS, filters=filters)
    except (arrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise Outside(
            f"the sample index `{path}` is damaged: {reason}", hint="remove it, and try again"
        ) from error
