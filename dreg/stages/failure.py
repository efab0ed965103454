"""How a script ends when something goes wrong."""

from __future__ import annotations

import errno
import sys
from types import TracebackType

from dreg.errors import DregError, Outside

INTERRUPTED = 130  # as a shell tells that a program was ended by Ctrl-C
OUR_WORDS = {
    errno.ENOSPC: ("the disk is full", "free some space, then run it again"),
    errno.EACCES: ("permission denied", "check who owns it, then run it again"),
}


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An exception hook: fact, details and hint on stderr, then exit with the error's code.

    What is no DregError is a mistake in the script, which its traceback helps to find.
    """
    if isinstance(error, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    if isinstance(error, OSError) and error.errno in OUR_WORDS:
        fact, hint = OUR_WORDS[error.errno]
        where = f" at `{error.filename}`" if error.filename else ""
        error = Outside(f"{fact}{where}", hint=hint)
    if not isinstance(error, DregError):
        sys.__excepthook__(kind, error, trace)
        return
    for line in (f"error: {error.fact}", *(f"  {line}" for line in error.details)):
        print(line, file=sys.stderr)
    print(f"\nhint: {error.hint}", file=sys.stderr, flush=True)
    sys.exit(error.exit_code)
