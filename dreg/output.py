"""Everything dreg says: answers on stdout, notes on stderr. The only module that prints.

Modes: human text (default), `--json` (one object on stdout), `--quiet` (no notes).
"""

from __future__ import annotations

import dataclasses
import enum
import json
import os
import re
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import PurePath
from typing import Any, Protocol

from dreg.core.secrets import secrets_in, without_known
from dreg.core.wording import numbered
from dreg.errors import DregError

PLAIN_PROGRESS_SECONDS = 10.0
# Controls but for tabs and ends of lines, what turns the direction of reading, half characters.
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
NUMBER = re.compile(r"[\d,]+(?:\.\d+)?(?: (?:B|kB|MB|GB|TB|s))?|-|")


class Answer(Protocol):
    """A dataclass that a verb returns; its fields are the `--json` object."""

    def lines(self) -> Iterable[str]: ...


def jsonable(value: object) -> Any:
    """`value` as JSON's types: dataclasses as objects, enums by name, paths and versions as text."""
    if isinstance(value, enum.Enum):
        return value.name.lower()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: jsonable(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, PurePath):
        return value.as_posix()
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Iterable) and type(value).__name__ != "Version":
        return [jsonable(item) for item in value]
    return str(value)


def table(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """Left-aligned columns, two spaces apart; numbers to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in [list(headers), *cells]) for i in range(len(headers))]
    right = [
        bool(cells) and all(NUMBER.fullmatch(row[i]) for row in cells) for i in range(len(headers))
    ]
    for row in [list(headers), *cells]:
        padded = [
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(row, widths, right, strict=True)
        ]
        yield "  ".join(padded).rstrip()


def size(number: int | None) -> str:
    """Bytes for people: decimal units, as disks and object stores are sold."""
    if number is None:
        return "-"
    amount = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if amount < 1000 or unit == "TB":
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1000
    raise AssertionError("unreachable")


def count(number: int | None) -> str:
    """A count for people, with thousands separated."""
    return "-" if number is None else f"{number:,}"


def harmless(text: str) -> str:
    """Text of unknown origin as a terminal may have it: without credentials, and nothing that it obeys."""
    escaped = OBEYED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
    return without_known(escaped, secrets_in(os.environ))


class Advance(Protocol):
    """So much more is done, and so many files with it. From any thread."""

    def __call__(self, n: int, more: int = 0, /) -> None: ...


class Output:
    """One per process; `configure` is called once the options are known."""

    def __init__(self) -> None:
        self.json = False
        self.quiet = False
        self.debug = False
        self._lock = threading.Lock()

    def configure(self, *, json: bool, quiet: bool, debug: bool) -> None:
        self.json, self.quiet, self.debug = (
            self.json or json,
            self.quiet or quiet,
            self.debug or debug,
        )

    def answer(self, value: Answer, lines: Iterable[str] | None = None) -> None:
        """The one result of a command; `lines` are for people, if not those that it has itself."""
        if self.json:
            self._print_json(jsonable(value))
        else:
            said = list(value.lines() if lines is None else lines)
            if said:
                print(harmless("\n".join(said)))

    def line(self, text: str) -> None:
        """One line of an answer that comes bit by bit; with --json it comes as a whole."""
        if not self.json:
            print(harmless(text), flush=True)

    def note(self, text: str) -> None:
        """What is going on; for people, never for programs."""
        if not self.quiet:
            self._say(harmless(text))

    def phase(self, text: str) -> None:
        """What was done so far, for who reads a log later; who watches sees the progress."""
        if not sys.stderr.isatty():
            self.note(text)

    def warn(self, text: str) -> None:
        """Something the user should know although the command goes on; not silenced by --quiet."""
        self._say(f"{self._paint('warning:', '33')} {harmless(text)}")

    @property
    def can_ask(self) -> bool:
        """Whether there is a person to answer: at both ends a terminal, and no program reads."""
        return sys.stdin.isatty() and sys.stderr.isatty() and not (self.json or self.quiet)

    def ask(self, question: str) -> bool:
        """Whether the person says yes; anything but `y` or `yes` is no."""
        with self._lock:
            print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    def error(self, error: DregError) -> None:
        """Fact, details, blank line, hint; with --json also an object on stdout.

        What was done nevertheless comes first, or with --json in the same object.
        """
        if error.answer is not None and not self.json:
            self.answer(error.answer)
        lines = [f"{self._paint('error:', '31')} {harmless(error.fact)}"]
        lines += [f"  {harmless(line)}" for line in error.details]
        lines += ["", f"{self._paint('hint:', '36')} {harmless(error.hint)}"]
        self._say("\n".join(lines))
        if self.json:
            failed = {
                "fact": error.fact,
                "details": list(error.details),
                "hint": error.hint,
                "exit_code": error.exit_code,
            }
            done = jsonable(error.answer) if error.answer is not None else {}
            self._print_json({**done, "error": failed})

    def traceback(self, error: BaseException) -> None:
        """Where an error came from, for who looks for a bug."""
        import traceback

        self._say(harmless("".join(traceback.format_exception(error)).rstrip()))

    def _print_json(self, value: object) -> None:
        text = json.dumps(value, indent=2, ensure_ascii=False)
        print(harmless(OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)))

    @contextmanager
    def progress(
        self, what: str, total: int, unit: str = "files", files: int = 0
    ) -> Iterator[Advance]:
        """Progress of long work: a bar on a terminal, a line now and then elsewhere.

        Yields `advance(n)`, which may be called from any thread; `unit` is `files` or `bytes`. Of
        bytes in so many `files`, `advance(n, 1)` counts one of them too, and where nobody watches
        the beginning is a line as well.
        """
        if self.quiet:
            yield lambda n, more=0: None
        elif sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
            with self._bar(what, total, unit, files) as advance:
                yield advance
        else:
            yield self._plain_progress(what, total, unit, files)

    @contextmanager
    def _bar(self, what: str, total: int, unit: str, files: int) -> Iterator[Advance]:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        amount = DownloadColumn() if unit == "bytes" else MofNCompleteColumn()
        counted = (TextColumn("{task.fields[there]} of {task.fields[files]}"),)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            *(counted if files else ()),
            amount,
            TimeRemainingColumn(),
        )
        there = 0
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total, there="0", files=numbered(files, "file"))

            def advance(n: int, more: int = 0) -> None:
                nonlocal there
                if more:
                    with self._lock:
                        there += more
                    bar.update(task, advance=n, there=count(there))
                else:
                    bar.advance(task, n)

            yield advance

    def _plain_progress(self, what: str, total: int, unit: str, files: int) -> Advance:
        done, there, last = 0, 0, time.monotonic()
        show = size if unit == "bytes" else count
        if files:
            self.note(f"{what}: {numbered(files, 'file')}, {show(total)}")

        def advance(n: int, more: int = 0) -> None:
            nonlocal done, there, last
            with self._lock:
                done, there = done + n, there + more
                if time.monotonic() - last < PLAIN_PROGRESS_SECONDS or done >= total:
                    return
                last = time.monotonic()
            whole = f"{count(there)} of {numbered(files, 'file')}, " if files else ""
            self.note(f"{what}: {whole}{show(done)} of {show(total)}")

        return advance

    def _say(self, text: str) -> None:
        sys.stdout.flush()
        with self._lock:
            print(text, file=sys.stderr, flush=True)

    def _paint(self, text: str, colour: str) -> str:
        plain = "NO_COLOR" in os.environ or not sys.stderr.isatty()
        return text if plain else f"\x1b[1;{colour}m{text}\x1b[0m"


out = Output()
