"""Tables as text with delimiters: CSV and TSV."""

from __future__ import annotations

import csv as csv_text
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa

from dreg.adapters.formats import quotes, rows
from dreg.adapters.formats.arrow_file import arrow_file
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.promised import cast, read_as, typed
from dreg.adapters.formats.rows import Rows
from dreg.adapters.formats.type_names import from_csv
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import Outside

DELIMITERS = {".csv": ",", ".tsv": "\t"}
COLUMN = re.compile(r"In CSV column #(\d+): ")
ROW = re.compile(r"Row #(\d+): ")
UTF16 = (b"\xff\xfe", b"\xfe\xff")
HINT = "see how the pipeline writes it, then run it again"


@contextmanager
def read(file: BinaryIO, piece: Piece, contract: Contract) -> Iterator[Rows]:
    from pyarrow import csv

    types = read_as(contract.columns, from_csv)
    _check_start(file, piece)
    try:
        reader = csv.open_csv(
            arrow_file(file),
            # Arrow tells a bad value's row only when it reads with one thread.
            read_options=csv.ReadOptions(use_threads=False, block_size=_block_bytes()),
            parse_options=csv.ParseOptions(
                delimiter=DELIMITERS[piece.path.suffix], newlines_in_values=True
            ),
            convert_options=csv.ConvertOptions(
                column_types=types,
                # Only nothing is null: "NA" may be a country, and NaN is a float.
                null_values=[""],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        raise _wrong(error, piece) from error
    with reader:
        for field in reader.schema:
            if pa.types.is_binary(field.type) and field.name not in types:
                raise _not_text(piece, field.name)
        final = typed(reader.schema, contract.columns, from_csv)
        yield Rows(final, cast(_batches(reader, file, piece), final, piece))


def _block_bytes() -> int:
    """What is parsed at once. Arrow reads up to 32 blocks ahead, which is most of what a CSV takes."""
    return rows.BATCH_BYTES // 2


def _check_start(file: BinaryIO, piece: Piece) -> None:
    """Raises Outside for a file without a header, or with one in another encoding."""
    header = file.readline(_block_bytes())
    file.seek(0)
    if not header.strip():
        raise Outside(f"`{shown(piece.path)}` is empty: it has no header", hint=HINT)
    try:
        header.decode()
    except UnicodeDecodeError as error:
        about = "is UTF-16" if header.startswith(UTF16) else "has a header that is not UTF-8"
        raise Outside(
            f"`{shown(piece.path)}` {about}", hint="have the pipeline write its files as UTF-8"
        ) from error


def _batches(
    reader: Iterator[pa.RecordBatch], file: BinaryIO, piece: Piece
) -> Iterator[pa.RecordBatch]:
    try:
        yield from reader
    except pa.ArrowInvalid as error:
        raise _wrong(error, piece) from error
    file.seek(0)
    if quotes.odd(file, DELIMITERS[piece.path.suffix]):
        _refuse_odd_quotes(piece)


def _wrong(error: pa.ArrowInvalid, piece: Piece) -> Outside:
    """Arrow's words with the row's place, and with a column's name for its number."""
    words = " ".join(str(error).split()).rstrip(".").removeprefix("CSV parse error: ")
    if "straddl" in words:
        most = _block_bytes() >> 20
        words = f"a row has more than {most} MB, or a quote is never closed"
    column = COLUMN.search(words)
    row = ROW.search(words)
    # To Arrow the header is a row, too.
    place = piece.place(int(row[1]) - 2) if row else f"`{shown(piece.path)}`"
    about = f"column `{_header(piece.path)[int(column[1])]}`: " if column else ""
    return Outside(
        f"{place} cannot be read: {about}{ROW.sub('', COLUMN.sub('', words))}", hint=HINT
    )


def _not_text(piece: Piece, name: str) -> Outside:
    """Arrow takes what is not UTF-8 for bytes, unless the contract says that it is text."""
    with piece.path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        for number, row in enumerate(_parsed(file, piece)):
            if any("\udc80" <= char <= "\udcff" for value in row for char in value):
                place = piece.place(number - 1)
                break
    return Outside(
        f"{place}: column `{name}` is not UTF-8", hint="have the pipeline write its files as UTF-8"
    )


def _refuse_odd_quotes(piece: Piece) -> None:
    """Raises Outside for a quote that is never closed, or closed within a field.

    Both swallow the rows that follow, and Arrow takes them for text. A quote within a field that
    has none at its start is text indeed.
    """
    number = 0
    with piece.path.open(encoding="utf-8-sig", newline="") as file:
        try:
            for _ in _parsed(file, piece, strict=True):
                number += 1
        except csv_text.Error as error:
            if "unexpected end" in str(error):
                about = "has a quote that is never closed"
            elif "expected after" in str(error):
                about = "has text after a closing quote"
            else:
                return
            raise Outside(f"{piece.place(number - 1)} {about}", hint=HINT) from error


def _parsed(file: io.TextIOWrapper, piece: Piece, strict: bool = False) -> Iterator[list[str]]:
    csv_text.field_size_limit(sys.maxsize)
    return csv_text.reader(file, delimiter=DELIMITERS[piece.path.suffix], strict=strict)


def _header(path: Path) -> list[str]:
    """The names in a CSV's first row; Arrow doesn't tell them when the first values are wrong."""
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        return next(csv_text.reader(file, delimiter=DELIMITERS[path.suffix]), [])
