"""Numbers with decimal commas, as spreadsheets write them where people do."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

NUMBER = r"^[+-]?[0-9]+(,[0-9]+)?$"
NO_THOUSANDS = r",([0-9]{1,2}|[0-9]{4,})$"  # `1,234` may be either
DOTTED = (
    r"^[+-]?[0-9]{1,3}(\.[0-9]{3})+$"  # `1.234` is a thousand and more, where commas are decimal
)


def with_their_decimals(
    read: Callable[[str], list[pa.Table]], delimiter: str
) -> tuple[list[pa.Table], list[str]]:
    """The tables that `read` gives for the right sign before decimals, and the columns that have commas there."""
    tables = read(".")
    if delimiter == ",":  # there `"1,234"` is a thousand and more
        return tables, []
    commas = [name for table in tables for name in with_commas(table)]
    if commas and are_commas(tables, anew := read(",")):
        return anew, commas
    return tables, []


def with_commas(table: pa.Table) -> list[str]:
    """Columns of texts all of which are numbers, some of them with a comma that separates no thousands."""
    return [
        field.name
        for field in table.schema
        if pa.types.is_string(field.type)
        and _all(table[field.name], NUMBER)
        and any(
            pc.any(pc.match_substring_regex(texts, NO_THOUSANDS)).as_py()
            for texts in _written(table[field.name])
        )
    ]


def are_commas(before: Sequence[pa.Table], after: Sequence[pa.Table]) -> bool:
    """Whether tables that were read with decimal points are as well, or better, read with commas.

    They are not where a number had a decimal point: then commas are not what all of its columns mean.
    """
    return all(
        _all(new[name], DOTTED)
        for old, new in zip(before, after, strict=True)
        for name in old.column_names
        if old.schema.field(name).type == pa.float64()
        and pa.types.is_string(new.schema.field(name).type)
    )


def _written(column: pa.ChunkedArray) -> Iterator[pa.Array]:
    """The values as texts, chunk by chunk, without those that Arrow takes for nothing in a column of numbers."""
    from pyarrow import csv

    nothing = pa.array(csv.ConvertOptions().null_values)
    for chunk in column.chunks:
        texts = pc.utf8_trim_whitespace(chunk.drop_null())
        yield texts.filter(pc.invert(pc.is_in(texts, value_set=nothing)))


def _all(column: pa.ChunkedArray, form: str) -> bool:
    return all(pc.all(pc.match_substring_regex(texts, form)).as_py() for texts in _written(column))
