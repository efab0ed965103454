"""How a script tells what it does: lines on stderr, and a moving one on a terminal."""

from __future__ import annotations

import os
import sys
import time

SECONDS_ON_TERMINAL = 0.1
SECONDS_ELSEWHERE = 10.0
ERASE = "\r\x1b[K"


def moving() -> bool:
    """Whether stderr is a terminal on which a line can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM") != "dumb"


def say(line: str) -> None:
    """One line for people, in place of a moving one."""
    print(f"{ERASE if moving() else ''}{line}", file=sys.stderr, flush=True)


class Progress:
    """How far a download has come; shows nothing if it is done before it's worth a line."""

    def __init__(self, what: str, total: int) -> None:
        self.what = what
        self.total = total
        self.moving = moving()
        self.pause = SECONDS_ON_TERMINAL if self.moving else SECONDS_ELSEWHERE
        self.last = time.monotonic()

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        if self.moving:
            print(ERASE, end="", file=sys.stderr, flush=True)

    def at(self, position: int) -> None:
        """There are `position` bytes now."""
        if time.monotonic() - self.last < self.pause:
            return
        self.last = time.monotonic()
        share = f"{100 * position // self.total} %" if self.total else ""
        line = f"{self.what}: {position / 1e6:.1f} of {self.total / 1e6:.1f} MB  {share}"
        if self.moving:
            print(f"{ERASE}{line}", end="", file=sys.stderr, flush=True)
        else:
            say(line)
