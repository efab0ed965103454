"""Completion in bash, for which `wine@1` is the words `wine`, `@` and `1`, and completes `@1`.

Typer's protocol is kept: bash passes the words in COMP_WORDS, a line each, and the index of the
one to complete in COMP_CWORD; completions go to stdout.
"""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, MutableMapping, Sequence


def complete_in_bash(complete: Callable[[], object], environment: MutableMapping[str, str]) -> None:
    """Let `complete` see the words as they were typed, and tell bash the part it asks for."""
    words = environment.get("COMP_WORDS", "").split("\n")
    typed, before = rejoined(words[: int(environment.get("COMP_CWORD") or 0) + 1])
    environment["COMP_WORDS"] = "\n".join(typed)
    environment["COMP_CWORD"] = str(len(typed) - 1)
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.suppress(SystemExit):
        complete()
    for line in said.getvalue().splitlines():
        sys.stdout.write(f"{line.removeprefix(before)}\n")


def rejoined(words: Sequence[str]) -> tuple[list[str], str]:
    """Words as they were typed, and what stands before the part of the last that bash completes."""
    typed: list[str] = []
    for word in words:
        if typed and (word == "@" or typed[-1].endswith("@")):
            typed[-1] += word
        else:
            typed.append(word)
    split = typed[-1:] != list(words[-1:])
    return typed, typed[-1].rpartition("@")[0] if split else ""
