"""Rows of any number as a table that takes no memory: they lie in a file, which the system reads as it is needed."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.cache import cache_place
from dreg.adapters.hashing.fingerprints import Unhashable, hashes
from dreg.adapters.scratch import scratch_folder

AT_ONCE = 8 << 20  # bytes of a column that are worked on as a whole
SHARES = 64  # of the hashes of a larger one's values, of which each is counted by itself
LIMITS = np.arange(1, SHARES, dtype=np.uint64) * np.uint64(2**64 // SHARES)


def spooled(schema: pa.Schema, batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """The rows in a file that has no name any more, beside the downloads: temporary files may be in memory."""
    with scratch_folder(_place()) as folder:
        path = str(folder / "rows")
        # The stream form, as dictionaries of Parquet differ from batch to batch.
        with pa.OSFile(path, "wb") as file, pa.ipc.new_stream(file, schema) as writer:
            for batch in batches:
                writer.write_batch(batch)
        return pa.ipc.open_stream(pa.memory_map(path)).read_all()


def count_distinct(parts: Iterable[pa.ChunkedArray]) -> int:
    """How many different values there are, but for nulls, in parts of a column that are looked at one by one."""
    try:
        with scratch_folder(_place()) as folder, ExitStack() as stack:
            paths = [folder / str(number) for number in range(SHARES)]
            files = [stack.enter_context(path.open("wb", buffering=0)) for path in paths]
            for chunk in (chunk for part in parts for chunk in part.chunks):
                hashed = np.sort(hashes(chunk.drop_null())[0])
                ends = np.searchsorted(hashed, LIMITS, "right")
                for file, share in zip(files, np.split(hashed, ends), strict=True):
                    file.write(share.tobytes())
            return sum(len(np.unique(np.fromfile(path, np.uint64))) for path in paths)
    except Unhashable:
        whole = pa.chunked_array([chunk for part in parts for chunk in part.chunks])
        return int(pc.count_distinct(whole, mode="only_valid").as_py())


def _place() -> Path:
    place = cache_place("sources")
    place.mkdir(parents=True, exist_ok=True)
    return place
