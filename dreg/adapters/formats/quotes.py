"""Quotes in tables with delimiters: whether each is where one opens, closes, or stands for itself."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np

QUOTE = ord('"')


class Quotes(io.RawIOBase):
    """A file that looks at the quotes in what is read of it.

    Where quotes open and close by turns, an opening one follows a delimiter or the end of a line,
    or a quote (two within quotes stand for one), and a closing one is followed by them. `odd` once
    one isn't, or the last was never closed: then the file needs a closer look.
    """

    def __init__(self, file: BinaryIO, delimiter: str) -> None:
        super().__init__()
        self.file = file
        self.around = np.zeros(256, np.bool_)
        self.around[[*b'"\r\n', ord(delimiter)]] = True
        self.inside = self.found = False
        self.before = ord("\n")  # the file's start is a line's

    @property
    def odd(self) -> bool:
        return self.found or self.inside

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        text = self.file.read(size)
        if text and not self.found:
            self._look(np.frombuffer(text, np.uint8))
        return text

    def _look(self, text: np.ndarray) -> None:
        places = np.flatnonzero(text == QUOTE)
        if self.before == QUOTE and not self.inside and not self.around[text[0]]:
            self.found = True  # the last quote of what was read before closed within a field
        if len(places):
            opening = places[int(self.inside) :: 2]
            closing = places[int(not self.inside) :: 2]
            ahead = text[opening[opening > 0] - 1]
            behind = text[closing[closing + 1 < len(text)] + 1]
            first = len(opening) and opening[0] == 0 and not self.around[self.before]
            if first or not self.around[ahead].all() or not self.around[behind].all():
                self.found = True
            self.inside ^= bool(len(places) % 2)
        self.before = int(text[-1])
