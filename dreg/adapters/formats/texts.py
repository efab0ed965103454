"""Tables as text: CSV, TSV, JSON lines."""

from __future__ import annotations

import csv as csv_text
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from dreg.adapters.formats import rows
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.rows import Rows, known
from dreg.core.contract import Contract

DELIMITERS = {".csv": ",", ".tsv": "\t"}
CSV_PLACE = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?")


@contextmanager
def read_csv(file: BinaryIO, piece: Piece, contract: Contract) -> Iterator[Rows]:
    from pyarrow import csv

    reader = csv.open_csv(
        file,
        # Arrow tells a bad value's row only when it reads with one thread.
        read_options=csv.ReadOptions(use_threads=False, block_size=rows.BATCH_BYTES),
        parse_options=csv.ParseOptions(
            delimiter=DELIMITERS[piece.path.suffix], newlines_in_values=True
        ),
        convert_options=csv.ConvertOptions(
            column_types=known(contract.columns),
            # Only nothing is null: "NA" may be a country, and NaN is a float.
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    with reader:
        yield Rows(reader.schema, reader)


@contextmanager
def read_json_lines(file: BinaryIO, piece: Piece, contract: Contract) -> Iterator[Rows]:
    from pyarrow import json

    schema = pa.schema(list(known(contract.columns).items()))
    reader = json.open_json(
        file,
        read_options=json.ReadOptions(use_threads=False, block_size=rows.BATCH_BYTES),
        parse_options=json.ParseOptions(explicit_schema=schema if len(schema) else None),
    )
    with reader:
        yield Rows(reader.schema, reader)


def reason(error: Exception, path: Path) -> str:
    """Arrow's words on one line, with a CSV column's name for its number."""

    def place(match: re.Match[str]) -> str:
        column = f"column `{_header(path)[int(match[1])]}`"
        return f"row {match[2]}, {column}: " if match[2] else f"{column}: "

    words = " ".join(str(error).split()).rstrip(".")
    return CSV_PLACE.sub(place, words).replace("Row #", "row ")


def _header(path: Path) -> list[str]:
    """The names in a CSV's first row; Arrow doesn't tell them when the first values are wrong."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv_text.reader(file, delimiter=DELIMITERS[path.suffix]), [])
