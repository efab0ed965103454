"""JSON: objects one a line (.jsonl), or in one array (.json).

A file is read in blocks of whole objects. Arrow parses a block at a time, so that a wrong one is
named by its row. Fields that the contract doesn't type have the type that all blocks agree on: a
file of several blocks is read twice, so that it doesn't matter what is in the first.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from dreg.adapters.formats.json_blocks import Block, lines, objects
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.promised import cast, read_as, typed
from dreg.adapters.formats.rows import Rows
from dreg.adapters.formats.type_names import from_json
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import Outside

ROW = re.compile(r" in row (\d+)")
TEXT = re.compile(rb'"(?:[^"\\]|\\.)*"')
DEEPEST = 256
STEPS = np.zeros(256, np.int8)
STEPS[[*b"[{"]], STEPS[[*b"]}"]] = 1, -1


@contextmanager
def read(file: BinaryIO, piece: Piece, contract: Contract) -> Iterator[Rows]:
    cut = objects if piece.path.suffix == ".json" else lines
    known = pa.schema(list(read_as(contract.columns, from_json).items()))
    blocks = cut(file, piece)
    first = next(blocks, None)
    if first is None:
        raise Outside(f"`{shown(piece.path)}` has no row", hint="see how the pipeline writes it")
    schema, one = known, parsed(first, known, piece)
    second = next(blocks, None)
    if second is not None:
        schema = one.schema
        del one
        while second is not None:
            schema = agreed(schema, parsed(second, known, piece).schema, piece, second)
            second = next(blocks, None)
        file.seek(0)
        tables: Iterator[pa.Table] = (parsed(b, schema, piece) for b in cut(file, piece))
    else:
        schema, tables = one.schema, iter([one])
    final = typed(schema, contract.columns, from_json)
    batches = (batch for table in tables for batch in table.to_batches())
    yield Rows(final, cast(batches, final, piece))


def parsed(block: Block, schema: pa.Schema, piece: Piece) -> pa.Table:
    """The block's rows. Raises Outside naming the row that is wrong."""
    from pyarrow import json as arrow_json

    refuse_depth(block, piece)
    try:
        return arrow_json.read_json(
            io.BytesIO(block.lines),
            read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(block.lines) + 1),
            parse_options=arrow_json.ParseOptions(explicit_schema=schema if len(schema) else None),
        )
    except pa.ArrowInvalid as error:
        words = " ".join(str(error).split()).rstrip(".").removeprefix("JSON parse error: ")
        match = ROW.search(words)
        number = int(match[1]) if match else _unparsed(block, schema)
        raise Outside(
            f"{piece.place(block.row + number)} cannot be read: {ROW.sub('', words)}",
            hint="have the pipeline write each sample as one JSON object with fields of one type",
        ) from error


def refuse_depth(block: Block, piece: Piece) -> None:
    """Raises Outside for an object nested so deeply that Arrow's parser would crash."""
    steps = STEPS[np.frombuffer(block.lines, np.uint8)]
    if not len(steps) or steps.cumsum(dtype=np.int32).max() <= DEEPEST:
        return
    # Brackets in texts count as well until here.
    for number, line in enumerate(line for line in block.lines.splitlines() if line.strip()):
        steps = STEPS[np.frombuffer(TEXT.sub(b"", line), np.uint8)]
        if len(steps) and steps.cumsum(dtype=np.int32).max() > DEEPEST:
            raise Outside(
                f"{piece.place(block.row + number)} is nested more than {DEEPEST} levels deep",
                hint="have the pipeline write flatter objects",
            )


def _unparsed(block: Block, schema: pa.Schema) -> int:
    """The number of the object in the block that Arrow refuses without naming it."""
    from pyarrow import json as arrow_json

    options = arrow_json.ParseOptions(explicit_schema=schema if len(schema) else None)
    every = [line for line in block.lines.splitlines() if line.strip()]
    low, high = 0, len(every)  # the first `low` are right, the first `high` are not
    while high - low > 1:
        middle = (low + high) // 2
        part = b"\n".join(every[:middle])
        reading = arrow_json.ReadOptions(use_threads=False, block_size=len(part) + 1)
        try:
            arrow_json.read_json(io.BytesIO(part), reading, options)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return high - 1


def agreed(one: pa.Schema, other: pa.Schema, piece: Piece, block: Block) -> pa.Schema:
    """The types that have room for the values of both."""
    try:
        return pa.unify_schemas([one, other], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        pass
    for field in other:
        before = one.field(field.name).type if field.name in one.names else field.type
        texts = {str(before), str(field.type)}
        if "string" in texts and any(text.startswith("timestamp") for text in texts):
            # A text that looks like a time to Arrow is a text all the same.
            if field.name in one.names:
                one = one.set(one.get_field_index(field.name), pa.field(field.name, pa.string()))
            other = other.set(other.get_field_index(field.name), pa.field(field.name, pa.string()))
    try:
        return pa.unify_schemas([one, other], promote_options="permissive")
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        words = " ".join(str(error).split()).removeprefix("Unable to merge: ")
        raise Outside(
            f"`{shown(piece.path)}` has fields of several types from row {block.row + 1} on: {words}",
            hint="have the pipeline write each field with one type, or name it in dataset.yaml",
        ) from error
