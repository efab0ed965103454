"""JSON: objects one a line (.jsonl), or in one array (.json).

A file is read in blocks of whole objects. Arrow parses a block at a time, so that a wrong one is
named by its row. Fields that the contract doesn't type have the type that all blocks agree on: a
file of several blocks is read twice, so that it doesn't matter what is in the first.
"""

from __future__ import annotations

import codecs
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import pyarrow as pa

from dreg.adapters.formats import rows
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.rows import Rows, known_lists, shaped
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import Outside

BOM = b"\xef\xbb\xbf"
ROW = re.compile(r" in row (\d+)")
BLANK = " \t\r\n"
LONGEST = 16  # characters of a token, but for texts and numbers
SPACES = str.maketrans("\r\n", "  ")  # JSON has line ends between its tokens only


@dataclass(frozen=True)
class Block:
    """Objects, one a line; `row` is the first's number."""

    row: int
    lines: bytes


@contextmanager
def read(file: BinaryIO, piece: Piece, contract: Contract) -> Iterator[Rows]:
    cut = objects if piece.path.suffix == ".json" else lines
    typed = pa.schema(list(known_lists(contract.columns).items()))
    blocks = cut(file, piece)
    first = next(blocks, None)
    if first is None:
        raise Outside(f"`{shown(piece.path)}` has no row", hint="see how the pipeline writes it")
    schema, one = typed, parsed(first, typed, piece)
    second = next(blocks, None)
    if second is not None:
        schema = one.schema
        del one
        while second is not None:
            schema = agreed(schema, parsed(second, typed, piece).schema, piece, second)
            second = next(blocks, None)
        file.seek(0)
        tables: Iterator[pa.Table] = (parsed(b, schema, piece) for b in cut(file, piece))
    else:
        schema, tables = one.schema, iter([one])
    final = shaped(schema, contract.columns)
    yield Rows(final, _batches(tables, final, piece))


def _batches(
    tables: Iterator[pa.Table], schema: pa.Schema, piece: Piece
) -> Iterator[pa.RecordBatch]:
    row = 0
    for table in tables:
        try:
            whole = table.select(schema.names).cast(schema)
        except pa.ArrowInvalid as error:
            raise _wrong(piece, row, table, schema) from error
        yield from whole.to_batches()
        row += table.num_rows


def _wrong(piece: Piece, row: int, table: pa.Table, schema: pa.Schema) -> Exception:
    """Names the row whose list has not as many elements as the contract says."""
    for number in range(table.num_rows):
        for field in schema:
            try:
                table[field.name].slice(number, 1).cast(field.type)
            except pa.ArrowInvalid:
                return Outside(
                    f"{piece.place(row + number)}: column `{field.name}` is no {field.type}",
                    hint="have the pipeline write the shape that dataset.yaml names",
                )
    raise AssertionError("the table has such a row")


def parsed(block: Block, schema: pa.Schema, piece: Piece) -> pa.Table:
    """The block's rows. Raises Outside naming the row that is wrong."""
    from pyarrow import json as arrow_json

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


def lines(file: BinaryIO, piece: Piece) -> Iterator[Block]:
    """The blocks of a file with an object on each line."""
    row, rest = 0, file.read(len(BOM)).removeprefix(BOM)
    while True:
        more = file.read(rows.BATCH_BYTES)
        rest += more
        end = rest.rfind(b"\n") + 1 if more else len(rest)
        block, rest = rest[:end], rest[end:]
        if block:
            try:
                block.decode()
            except UnicodeDecodeError as error:
                before = block[: error.start].splitlines()
                number = sum(bool(line.strip()) for line in before[:-1]) if before else 0
                if block[: error.start].endswith(b"\n"):
                    number = sum(bool(line.strip()) for line in before)
                raise _not_utf8(piece, row + number) from error
            count = sum(bool(line.strip()) for line in block.split(b"\n"))
            if count:
                yield Block(row, block)
            row += count
        if not more:
            return


def _not_utf8(piece: Piece, row: int) -> Outside:
    return Outside(
        f"{piece.place(row)} is not UTF-8", hint="have the pipeline write its files as UTF-8"
    )


def objects(file: BinaryIO, piece: Piece) -> Iterator[Block]:
    """The blocks of a file with an array of objects, which is never in memory as a whole."""
    text = _Text(file, piece)
    if text.next() != "[":
        raise _no_array(piece)
    text.skip(1)
    decoder = json.JSONDecoder(parse_int=str, parse_float=str)
    found: list[bytes] = []
    row = size = 0
    closed = text.next() == "]"
    while not closed:
        if text.next() != "{":
            raise _no_object(piece, text.row) if text.next() else _open_end(piece, text.row)
        line = text.value(decoder)
        found.append(line)
        size += len(line) + 1
        after = text.next()
        if after not in (",", "]"):
            raise _open_end(piece, text.row)
        closed = after == "]"
        if not closed:
            text.skip(1)
        if size >= rows.BATCH_BYTES or closed:
            yield Block(row, b"\n".join(found) + b"\n")
            row, found, size = text.row, [], 0
    text.skip(1)
    if text.next():
        raise _no_array(piece)


def _no_array(piece: Piece) -> Outside:
    return Outside(
        f"`{shown(piece.path)}` is not one JSON array of objects",
        hint='write it as [{"x": 1}, {"x": 2}], or one object a line as .jsonl',
    )


def _no_object(piece: Piece, row: int) -> Outside:
    return Outside(
        f"{piece.place(row)} is no JSON object",
        hint="have the pipeline write each sample as an object with the columns as fields",
    )


def _open_end(piece: Piece, row: int) -> Outside:
    return Outside(
        f"`{shown(piece.path)}` breaks off or is broken after row {row}",
        hint="see how the pipeline writes it, then run it again",
    )


class _Text:
    """A file's text, from where it was read so far; `row` objects were."""

    def __init__(self, file: BinaryIO, piece: Piece) -> None:
        self.file, self.piece = file, piece
        self.row = self.at = 0
        self.text = ""
        self.decoder = codecs.getincrementaldecoder("utf-8-sig")()
        self.ended = False

    def more(self) -> bool:
        """Read on, as much as there is already: so a long object costs no more than a short one."""
        if self.ended:
            return False
        self.text = self.text[self.at :]
        self.at = 0
        read = self.file.read(max(1 << 20, len(self.text)))
        self.ended = not read
        try:
            self.text += self.decoder.decode(read, final=self.ended)
        except UnicodeDecodeError as error:
            raise _not_utf8(self.piece, self.row) from error
        return True

    def next(self) -> str:
        """The next character that is not blank; nothing at the end."""
        while True:
            while self.at < len(self.text):
                if self.text[self.at] not in BLANK:
                    return self.text[self.at]
                self.at += 1
            if not self.more():
                return ""

    def skip(self, count: int) -> None:
        self.at += count

    def value(self, decoder: json.JSONDecoder) -> bytes:
        """The object that begins here, on one line."""
        while True:
            try:
                _, end = decoder.raw_decode(self.text, self.at)
                break
            except (json.JSONDecodeError, RecursionError) as error:
                if not self._cut_off(error) or not self.more():
                    about = getattr(error, "msg", "it is nested too deeply")
                    raise Outside(
                        f"{self.piece.place(self.row)} cannot be read: {about}",
                        hint="see how the pipeline writes it, then run it again",
                    ) from error
        line = self.text[self.at : end].translate(SPACES).encode()
        self.at = end
        self.row += 1
        return line

    def _cut_off(self, error: json.JSONDecodeError | RecursionError) -> bool:
        """Whether what follows may put it right: a wrong file isn't to be read to its end."""
        if isinstance(error, RecursionError):
            return False
        return error.msg.startswith("Unterminated string") or error.pos > len(self.text) - LONGEST
