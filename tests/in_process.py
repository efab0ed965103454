"""`dreg` in this process, for commands whose libraries take seconds to be imported."""

from __future__ import annotations

import io
from contextlib import redirect_stderr, redirect_stdout

from dreg.cli import run
from dreg.output import out
from tests.done import Done


def dreg(*arguments: str) -> Done:
    """Run `dreg arguments` in the current folder and environment."""
    out.json = out.quiet = out.debug = False
    said, noted = io.StringIO(), io.StringIO()
    with redirect_stdout(said), redirect_stderr(noted):
        code = run(list(arguments))
    out.json = False
    return Done(code, said.getvalue(), noted.getvalue())
