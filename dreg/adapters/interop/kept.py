"""A split as an Arrow file in dreg's cache, written on first use and mapped into memory after that."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from dreg.adapters.cache import cache_folder
from dreg.adapters.cache_entries import hold
from dreg.adapters.interop.tables import Split
from dreg.adapters.written import written


def kept(split: Split, form: str, schema: pa.Schema, batches: Iterator[pa.RecordBatch]) -> Path:
    """The Arrow stream of `batches`, which are the split in this form; they are read only if it is
    not there yet. Its name depends on the files, as they are now, and on what is known of them."""
    about = repr((form, split.columns, split.contract.columns, str(schema)))
    content = hashlib.sha256(about.encode())
    for file in split.files:
        found = file.stat()
        content.update(f"{file}\0{found.st_size}\0{found.st_mtime_ns}\n".encode())
    target = cache_folder("arrow") / f"{content.hexdigest()[:32]}.arrow"
    if not hold(target):
        with written(target) as file_, pa.ipc.new_stream(file_, schema) as writer:
            for batch in batches:
                writer.write_batch(batch.cast(schema))
        hold(target)
    return target


def mapped(file: Path) -> list[pa.RecordBatch]:
    """The batches of a kept file; their memory is the file's, shared by all processes."""
    hold(file)
    with pa.ipc.open_stream(pa.memory_map(str(file))) as reader:
        return [batch for batch in reader if batch.num_rows]
