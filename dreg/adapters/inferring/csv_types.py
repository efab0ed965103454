"""Types of a CSV's columns, as Arrow infers them of the whole file, found out block by block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

CODE = r"^(\+|[+-]?0[0-9xX])"  # a postal code, a telephone number, a mask: no number
WHOLE = r"^[+-]?[0-9]+$"
LONG = r"^[+-]?[0-9]{16,}$"  # digits; floats hold all whole numbers that are shorter
NOT_UTF8 = re.compile(r"In CSV column #(\d+): .*UTF-?8")
BLOCK = 1 << 20  # bytes; Arrow's own, so that a row may be as long
NUMBERS = (pa.int64(), pa.float64())


@dataclass
class Seen:
    """What the blocks so far say of one column."""

    kinds: set[pa.DataType] = field(default_factory=set)
    breaks: bool = False
    whole: bool = True
    code: bool = False
    long: bool = False

    def block(self, texts: pa.Array, inferred: pa.ChunkedArray) -> None:
        """Take in a block: its texts, and what Arrow makes of them."""
        kind = inferred.type
        self.kinds.add(kind)
        if pa.types.is_string(kind):
            self.breaks = self.breaks or pc.any(pc.match_substring(texts, "\n")).as_py()
        if kind not in NUMBERS:
            return
        numbers = pa.chunked_array([texts]).filter(pc.is_valid(inferred))
        numbers = pc.utf8_trim_whitespace(numbers)
        self.whole = self.whole and pc.all(pc.match_substring_regex(numbers, WHOLE)).as_py()
        self.code = self.code or pc.any(pc.match_substring_regex(numbers, CODE)).as_py()
        long = numbers.filter(pc.match_substring_regex(numbers, LONG)).to_pylist()
        self.long = self.long or any(int(text) != int(float(text)) for text in long)

    def kind(self) -> pa.DataType | None:
        """The type that all blocks have together; None where only the whole column tells."""
        kinds = self.kinds - {pa.null()} or {pa.null()}
        if len(kinds) == 1:
            return next(iter(kinds))
        if pa.string() in kinds:
            return pa.string()
        return pa.float64() if kinds == set(NUMBERS) else None

    def loses(self, kind: pa.DataType) -> bool:
        """Whether some of the texts are not the same any more once they were numbers: `01000`, `+49120`, `0x1F`,
        or whole ones that a float does not hold, also beside fractions."""
        if kind == pa.int64():
            return self.code
        return kind == pa.float64() and ((self.whole and self.code) or self.long)


@dataclass(frozen=True)
class CsvTypes:
    """The header, the columns' types by name, and whether a text has a line break."""

    names: list[str]
    types: dict[str, pa.DataType]
    breaks: bool


def types_of(path: Path, parse: Any, texts: Sequence[str], decimal: str = ".") -> CsvTypes:
    """What are numbers to Arrow, but would lose something as such, and the columns `texts` are texts.

    Without types where two columns have one name. Raises ArrowInvalid for what is no CSV.
    """
    names = header(path, parse)
    if len(set(names)) < len(names):
        return CsvTypes(names, {}, breaks=False)
    found = {name: Seen() for name in names}
    for batch in blocks(path, parse, dict.fromkeys(names, pa.string())):
        inferred = _inferred(batch, decimal)
        for name, written, kind in zip(names, batch.columns, inferred.columns, strict=True):
            found[name].block(written, kind)
    types, breaks = {}, False
    for name, seen in found.items():
        kind = (
            pa.string() if name in texts else seen.kind() or _of_whole(path, parse, name, decimal)
        )
        breaks = breaks or (seen.breaks and kind == pa.string())
        types[name] = pa.string() if seen.loses(kind) else kind
    return CsvTypes(names, types, breaks)


def header(path: Path, parse: Any) -> list[str]:
    from pyarrow import csv

    with csv.open_csv(path, parse_options=parse) as reader:
        return list(reader.schema.names)


def blocks(
    path: Path, parse: Any, types: Mapping[str, pa.DataType], decimal: str = "."
) -> Iterator[pa.RecordBatch]:
    """The rows of those types, a block of the file at a time."""
    from pyarrow import csv

    convert = csv.ConvertOptions(column_types=types, decimal_point=decimal)
    read = csv.ReadOptions(block_size=BLOCK)
    with csv.open_csv(path, read, parse, convert) as reader:
        yield from reader


def _inferred(batch: pa.RecordBatch, decimal: str) -> pa.Table:
    """The texts as what Arrow takes them for; to it, quotes make no difference."""
    from pyarrow import csv

    names = [str(number) for number in range(batch.num_columns)]
    if not batch.num_rows:
        return pa.table([pa.nulls(0)] * len(names), names)
    sink = pa.BufferOutputStream()
    csv.write_csv(
        pa.RecordBatch.from_arrays(batch.columns, names),
        sink,
        csv.WriteOptions(include_header=False, quoting_style="all_valid"),
    )
    written = sink.getvalue()
    return csv.read_csv(
        pa.BufferReader(written),
        read_options=csv.ReadOptions(column_names=names, block_size=len(written) + 1),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(decimal_point=decimal),
    )


def _of_whole(path: Path, parse: Any, name: str, decimal: str) -> pa.DataType:
    """Of blocks with dates in one and truth in another: which type holds both, only Arrow knows."""
    from pyarrow import csv

    only = csv.ConvertOptions(include_columns=[name], decimal_point=decimal)
    return csv.read_csv(path, parse_options=parse, convert_options=only)[name].type
