"""Quotes in tables with delimiters: whether each is where one opens, closes, or stands for itself."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

QUOTE = ord('"')
CHUNK = 4 * 1024 * 1024


def odd(file: BinaryIO, delimiter: str, chunk: int = CHUNK) -> bool:
    """Whether a quote in the file is where none should be, so that it needs a closer look."""
    quotes = _Quotes(delimiter)
    while not quotes.found and (text := file.read(chunk)):
        quotes.look(np.frombuffer(text, np.uint8))
    return quotes.found or quotes.inside


class _Quotes:
    """The quotes in a text that is looked at part by part.

    Where quotes open and close by turns, an opening one follows a delimiter or the end of a line,
    or a quote (two within quotes stand for one), and a closing one is followed by them. `found`
    once one isn't; `inside` after one that is still to be closed.
    """

    def __init__(self, delimiter: str) -> None:
        self.around = np.zeros(256, np.bool_)
        self.around[[*b'"\r\n', ord(delimiter)]] = True
        self.inside = self.found = False
        self.before = ord("\n")  # the file's start is a line's

    def look(self, text: np.ndarray) -> None:
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
