"""Tables in files - Parquet, CSV, TSV, JSON lines - as a stream of Arrow's record batches.

Batches are bounded in bytes, not only in rows: a row may be a number or an image.
"""

from __future__ import annotations

import csv as csv_text
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from dreg.adapters.yaml_files import shown
from dreg.core.types import spelled
from dreg.errors import Outside

BATCH_BYTES = 16 << 20
BATCH_ROWS = 1 << 17
FORMATS = (".parquet", ".csv", ".tsv", ".jsonl")
DELIMITERS = {".csv": ",", ".tsv": "\t"}
CSV_PLACE = re.compile(r"In CSV column #(\d+): (?:Row #(\d+): )?")


@dataclass(frozen=True)
class Rows:
    """A file's schema and its rows, in order."""

    schema: pa.Schema
    batches: Iterable[pa.RecordBatch]


@contextmanager
def opened(path: Path, types: Mapping[str, str]) -> Iterator[Rows]:
    """The rows of the table at `path`.

    `types` gives the Arrow types of columns for formats that know none of their own (CSV, JSON).
    Raises Outside when the file is missing, of no known format, or broken, also while it is read.
    """
    readers = {".parquet": _parquet, ".csv": _csv, ".tsv": _csv, ".jsonl": _json}
    reader = readers.get(path.suffix)
    if reader is None:
        raise Outside(
            f"`{shown(path)}` is in no format that can be measured",
            hint=f"write it as one of: {', '.join(FORMATS)}",
        )
    try:
        with path.open("rb") as file, reader(file, path.suffix, types) as rows:
            _refuse_doubles(path, rows.schema.names)
            yield rows
    except FileNotFoundError as error:
        raise missing(shown(path)) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Outside(
            f"`{shown(path)}` cannot be read: {_reason(error, path)}",
            hint="see how the pipeline writes it, then run it again",
        ) from error


def missing(path: str) -> Outside:
    """The error for a file that the contract names and nothing made."""
    return Outside(
        f"there is no `{path}`, which the contract names",
        hint="have the pipeline write it, or correct `splits` in dataset.yaml",
    )


@contextmanager
def _parquet(file: BinaryIO, suffix: str, types: Mapping[str, str]) -> Iterator[Rows]:
    import pyarrow.parquet as pq

    # Read ahead, Arrow would hold a whole row group's compressed bytes beside the batch.
    with pq.ParquetFile(file, buffer_size=1 << 20, pre_buffer=False) as parquet:
        about = parquet.metadata
        size = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
        row_bytes = max(1, size // max(1, about.num_rows))
        rows = max(1, min(BATCH_ROWS, BATCH_BYTES // row_bytes))
        yield Rows(parquet.schema_arrow, parquet.iter_batches(batch_size=rows))


@contextmanager
def _csv(file: BinaryIO, suffix: str, types: Mapping[str, str]) -> Iterator[Rows]:
    from pyarrow import csv

    reader = csv.open_csv(
        file,
        # Arrow tells a bad value's row only when it reads with one thread.
        read_options=csv.ReadOptions(use_threads=False, block_size=BATCH_BYTES),
        parse_options=csv.ParseOptions(delimiter=DELIMITERS[suffix], newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=_known(types),
            # Only nothing is null: "NA" may be a country, and NaN is a float.
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    with reader:
        yield Rows(reader.schema, reader)


@contextmanager
def _json(file: BinaryIO, suffix: str, types: Mapping[str, str]) -> Iterator[Rows]:
    from pyarrow import json

    schema = pa.schema(list(_known(types).items()))
    reader = json.open_json(
        file,
        read_options=json.ReadOptions(use_threads=False, block_size=BATCH_BYTES),
        parse_options=json.ParseOptions(explicit_schema=schema if len(schema) else None),
    )
    with reader:
        yield Rows(reader.schema, reader)


def _known(types: Mapping[str, str]) -> dict[str, pa.DataType]:
    """The types that Arrow has by name; others are left to what the values look like."""
    known = {}
    for name, type_name in types.items():
        try:
            known[name] = pa.type_for_alias(spelled(type_name))
        except ValueError:
            continue
    return known


def _refuse_doubles(path: Path, names: list[str]) -> None:
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise Outside(
            f"`{shown(path)}` has more than one column `{double}`",
            hint="give every column a name of its own",
        )


def _reason(error: Exception, path: Path) -> str:
    """Arrow's words on one line, with a CSV column's name for its number."""

    def place(match: re.Match[str]) -> str:
        column = f"column `{_header(path)[int(match[1])]}`"
        return f"row {match[2]}, {column}: " if match[2] else f"{column}: "

    reason = " ".join(str(error).split()).rstrip(".")
    return CSV_PLACE.sub(place, reason).replace("Row #", "row ")


def _header(path: Path) -> list[str]:
    """The names in a CSV's first row; Arrow doesn't tell them when the first values are wrong."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return next(csv_text.reader(file, delimiter=DELIMITERS[path.suffix]), [])
