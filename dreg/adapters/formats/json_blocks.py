"""JSON files in blocks of whole objects, which are never in memory all at once."""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from dreg.adapters.formats import rows
from dreg.adapters.formats.piece import Piece
from dreg.adapters.yaml_files import shown
from dreg.errors import Outside

BOM = b"\xef\xbb\xbf"
BLANK = " \t\r\n"
LONGEST = 16  # characters of a token, but for texts and numbers
SPACES = str.maketrans("\r\n", "  ")  # JSON has line ends between its tokens only


@dataclass(frozen=True)
class Block:
    """Objects, one a line; `row` is the first's number."""

    row: int
    lines: bytes


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
