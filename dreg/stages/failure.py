"""How a script ends when something goes wrong."""

from __future__ import annotations

import errno
import sys
from types import TracebackType

from dreg.adapters.os_errors import outside
from dreg.errors import DregError

INTERRUPTED = 130  # as a shell tells that a program was ended by Ctrl-C
# No mistake in a script, whose traceback would help: a file that is not there may well be one.
OF_THE_MACHINE = (
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE,
    errno.EMFILE, errno.ENFILE, errno.ENOMEM,
)  # fmt: skip


def explain(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """An exception hook: fact, details and hint on stderr, then exit with the error's code.

    What is no DregError is a mistake in the script, which its traceback helps to find.
    """
    if isinstance(error, KeyboardInterrupt):
        sys.exit(INTERRUPTED)
    if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
        error = outside(error, "run it again")
    if not isinstance(error, DregError):
        sys.__excepthook__(kind, error, trace)
        return
    for line in (f"error: {error.fact}", *(f"  {line}" for line in error.details)):
        print(line, file=sys.stderr)
    print(f"\nhint: {error.hint}", file=sys.stderr, flush=True)
    sys.exit(error.exit_code)
