"""`dreg status`."""

from __future__ import annotations

from dreg.commands import DatasetsArg, answers
from dreg.output import out


@answers("dreg.status:Status")
def status(names: DatasetsArg = None) -> None:
    """Show what is up to date, changed, never run or released.

    Asks no server: releases are those whose tags are in this clone. `git fetch --tags` gets newer ones.

    \b
    Example:
      dreg status
      dreg status wine-quality
    """
    from dreg.registry import Registry
    from dreg.status import status

    out.answer(status(Registry.here(), names))
