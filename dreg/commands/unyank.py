"""`dreg unyank`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import answers, complete_yanked
from dreg.output import out


@answers("dreg.yank.yanking:Yanked")
def unyank(
    request: Annotated[
        str,
        typer.Argument(
            metavar="NAME@VERSION", help="The yanked release.", autocompletion=complete_yanked
        ),
    ],
    reason: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why, on one line; the record keeps it.")
    ] = None,
) -> None:
    """Take a yank back: ranges resolve to the release again.

    \b
    Example:
      dreg unyank wine-quality@1.2.0 --reason "the labels were right"
    """
    from dreg.registry import Registry
    from dreg.yank.yanking import unyank

    out.answer(unyank(Registry.here(), request, reason))
