"""Looking at tables that are to become a dataset: their columns, and types that lose nothing."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.inferring.csv_types import NOT_UTF8, blocks, header, types_of
from dreg.adapters.inferring.delimited import converted, odd_quote
from dreg.adapters.inferring.spool import AT_ONCE, count_distinct, spooled
from dreg.core.inferred import MOST_CLASSES, MOST_NAMED, ColumnSeen
from dreg.core.types import spelled
from dreg.errors import BadRequest

JSON_LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv", ".parquet", *JSON_LINES)
TEXTS = (pa.null(), pa.large_string(), pa.string_view())
BREAKS = re.compile("[\x85\u2028\u2029]")
LONGEST_NAME = 250  # characters; YAML's keys end at 1,024
EXACT = 2**53  # beyond it a float skips whole numbers
LONG_IN_JSON = re.compile(r":\s*-?[0-9]{16,}\s*[,}]")


def table_of(
    path: Path,
    suffix: str,
    delimiter: str,
    *,
    quotes: bool = True,
    texts: Sequence[str] = (),
    decimal: str = ".",
) -> pa.Table:
    """All rows; of a CSV the columns `texts` as they are written. Raises BadRequest for what cannot be read
    as a table."""
    try:
        if suffix == ".parquet":
            import pyarrow.parquet as pq

            file = pq.ParquetFile(path)  # also of names that come twice
            table = spooled(file.schema_arrow, file.iter_batches())
        elif suffix in JSON_LINES:
            table = json_of(path)
        else:
            table = csv_of(path, delimiter, quotes=quotes, texts=texts, decimal=decimal)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        uneven = "columns, got" in reason
        raise BadRequest(
            f"`{path.name}` cannot be read as a table: {reason}",
            hint="give every row as many fields as the first has"
            if uneven
            else "write it as CSV or Parquet, in UTF-8",
        ) from error
    names = table.column_names
    if odd := [name for name in names if not name.strip() or names.count(name) > 1]:
        raise BadRequest(
            f"`{path.name}` has no name, or one name twice, for a column: `{odd[0]}`",
            hint="give each column a name of its own",
        )
    if broken := [name for name in names if BREAKS.search(name)]:
        raise BadRequest(
            f"`{path.name}` has a column whose name has a line break of Unicode: {broken[0]!a}",
            hint="name it without; DVC does not keep such a name as it is",
        )
    if long := [name for name in names if len(name) > LONGEST_NAME]:
        raise BadRequest(
            f"`{path.name}` has a column whose name has {len(long[0]):,} characters: `{long[0][:30]}...`",
            hint=f"name it in at most {LONGEST_NAME}",
        )
    if not names or not len(table):
        raise BadRequest(f"`{path.name}` has no rows", hint="give it a header and at least one row")
    return table


def csv_of(
    path: Path, delimiter: str, *, quotes: bool, texts: Sequence[str] = (), decimal: str = "."
) -> pa.Table:
    """The rows of a CSV. What are numbers to Arrow, but would lose something as such, are texts.

    Raises BadRequest for one that is not in UTF-8, and for quotes that would make one value of many.
    """
    from pyarrow import csv

    options = csv.ParseOptions(
        delimiter=delimiter, quote_char='"' if quotes else False, newlines_in_values=quotes
    )
    try:
        found = types_of(path, options, texts, decimal)
    except pa.ArrowInvalid as error:
        if column := NOT_UTF8.search(" ".join(str(error).split())):
            raise BadRequest(
                f"column `{header(path, options)[int(column[1])]}` of `{path.name}` is not UTF-8",
                hint=converted(path.name, "windows-1252"),
            ) from error
        raise
    if quotes and found.breaks and (line := odd_quote(path, delimiter)):
        raise BadRequest(
            f"`{path.name}` has a quote in line {line:,} that is not closed: what follows becomes one value",
            hint='close it, write "" for a quote in a value, or write it as Parquet',
        )
    schema = pa.schema([(name, found.types.get(name, pa.string())) for name in found.names])
    return spooled(schema, blocks(path, options, found.types, decimal) if found.types else ())


def json_of(path: Path) -> pa.Table:
    """The objects of a file with one on each line; moments are the texts that they are written as.

    Raises BadRequest for whole numbers that are longer than any number that Arrow reads of JSON.
    """
    from pyarrow import json

    text = path.read_bytes().decode()  # Arrow takes what is no UTF-8 for a text

    whole = json.ReadOptions(use_threads=False, block_size=path.stat().st_size + 1)
    table = json.read_json(path, read_options=whole)
    floats = [f.name for f in table.schema if f.type == pa.float64()]
    large = [n for n in floats if (pc.max(pc.abs(table[n])).as_py() or 0) >= EXACT]
    if large and LONG_IN_JSON.search(text):
        raise BadRequest(
            f"column `{large[0]}` of `{path.name}` has whole numbers that a float does not hold",
            hint="write them as texts, in quotes",
        )
    moments = [
        (field.name, pa.string()) for field in table.schema if pa.types.is_timestamp(field.type)
    ]
    if not moments:
        return table
    as_written = json.ParseOptions(explicit_schema=pa.schema(moments))
    return json.read_json(path, read_options=whole, parse_options=as_written).select(
        table.column_names
    )


def seen(table: pa.Table) -> tuple[list[ColumnSeen], list[str]]:
    """The columns that a table has, and the names of those with values of many parts."""
    columns, nested = [], []
    for name in table.column_names:
        if pa.types.is_nested(plain(table[name].slice(0, 0)).type):
            nested.append(name)
        else:
            columns.append(column_seen(name, table[name]))
    return columns, nested


def different(table: pa.Table, enough: int) -> int:
    """How many different rows there are, as far as `enough`; of rows that cannot be told apart all."""
    names, found = table.column_names, table.slice(0, 0)
    try:
        for batch in table.to_batches():
            found = pa.concat_tables([found, pa.Table.from_batches([batch])]).unify_dictionaries()
            found = found.group_by(names, use_threads=False).aggregate([]).select(names)
            if len(found) >= enough:
                break
        return len(found)
    except pa.ArrowException:
        return len(table)


def refuse_no_texts(texts: pa.ChunkedArray) -> None:
    """Raises BadRequest for a column that has something else than texts, or lacks one."""
    if not pa.types.is_string(plain(texts.slice(0, 0)).type):
        raise BadRequest(
            f"column `text` has no texts: it is {texts.type}",
            hint="name the column that has them `text`, or take --kind tabular",
        )
    row = pc.index(pc.is_null(texts), True).as_py()
    if row >= 0:
        raise BadRequest(f"row {row + 1:,} has no text", hint="give it one, or leave it out")


def classes_in(labels: pa.ChunkedArray) -> tuple[str, ...]:
    """The different labels, numbers in their order. Raises BadRequest for a missing one, for too many, and
    for what is no name of a class."""
    if pa.types.is_nested(labels.type) or is_bytes(labels.type):
        raise BadRequest(
            f"column `label` has no names of classes: it is {labels.type}",
            hint="write each row's class as a text or a number",
        )
    before, found = 0, set[str]()
    for chunk in labels.chunks:
        names = chunk.cast(pa.string())
        blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(names), ""), True)
        row = pc.index(blank, True).as_py()
        if row >= 0:
            raise BadRequest(
                f"row {before + row + 1:,} has no label",
                hint="give it one in column `label`, or leave it out",
            )
        before += len(chunk)
        if len(found) <= MOST_NAMED:
            found.update(pc.unique(names).to_pylist())
    if len(found) > MOST_NAMED:
        count = column_seen("label", labels).distinct
        raise BadRequest(
            f"`label` has {count:,} different values, and {MOST_NAMED:,} classes are the most",
            hint="see whether it is the label; --kind tabular needs none",
        )
    numbers = all(name.isdecimal() for name in found)
    return tuple(sorted(found, key=int if numbers else None))


def plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionaries as what they stand for; a column of nothing as texts; whole seconds as Parquet has them;
    views and types of others' making as what they are stored as."""
    kind = values.type
    if isinstance(kind, pa.BaseExtensionType):
        return plain(pa.chunked_array([c.storage for c in values.chunks], kind.storage_type))
    if pa.types.is_dictionary(kind):
        return plain(values.cast(kind.value_type))
    if pa.types.is_timestamp(kind) and kind.unit == "s":
        return values.cast(pa.timestamp("ms", kind.tz))
    if kind == pa.time32("s"):
        return values.cast(pa.time32("ms"))
    if kind == pa.binary_view():
        return values.cast(pa.binary())
    return values.cast(pa.string()) if kind in TEXTS else values


def column_seen(name: str, values: pa.ChunkedArray) -> ColumnSeen:
    parts = Parts(values)
    kind = plain(values.slice(0, 0)).type
    distinct = (
        int(pc.count_distinct(plain(values), mode="only_valid").as_py())
        if parts.few
        else count_distinct(parts)
    )
    is_text = pa.types.is_string(kind)
    few: set[str] = set()
    if is_text and distinct <= MOST_CLASSES:
        few.update(*(pc.unique(part).drop_null().to_pylist() for part in parts))
    lowest = highest = ""
    if not is_text and not is_bytes(kind) and distinct:
        # Of durations Arrow knows none; of zones that this machine has not, Python.
        with contextlib.suppress(pa.ArrowNotImplementedError, ValueError, LookupError):
            lowest, highest = (f"{bound}" for bound in bounds_of(parts))
    nulls = sum(part.null_count for part in parts)
    return ColumnSeen(
        name=name,
        type=spelled(str(kind)),
        rows=len(values),
        nulls=nulls,
        lowest=lowest,
        highest=highest,
        distinct=distinct,
        values=tuple(sorted(few)),
        unique=not nulls and distinct == len(values),
    )


@dataclass(frozen=True)
class Parts:
    """A column as plain values: all of it, or a chunk after the other where it is large."""

    values: pa.ChunkedArray

    @property
    def few(self) -> bool:
        return bool(self.values.nbytes <= AT_ONCE)

    def __iter__(self) -> Iterator[pa.ChunkedArray]:
        if self.few:
            yield plain(self.values)
            return
        yield from (plain(pa.chunked_array([chunk])) for chunk in self.values.chunks)


def bounds_of(parts: Iterable[pa.ChunkedArray]) -> tuple[Any, Any]:
    """The lowest and the highest value."""
    found = [
        pc.min_max(part.cast(pa.float32()) if part.type == pa.float16() else part) for part in parts
    ]
    lowest, highest = (pa.array([one[end] for one in found]) for end in ("min", "max"))
    return pc.min(lowest).as_py(), pc.max(highest).as_py()


def is_bytes(kind: pa.DataType) -> bool:
    octets = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return bool(octets or pa.types.is_fixed_size_binary(kind))
