"""`dreg yank`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreg.commands import answers, complete_request
from dreg.output import out


@answers("dreg.yank.yanking:Yanked")
def yank(
    request: Annotated[
        str,
        typer.Argument(
            metavar="NAME@VERSION", help="The release.", autocompletion=complete_request
        ),
    ],
    reason: Annotated[
        str, typer.Option(metavar="TEXT", help="Why, on one line; consumers are shown it.")
    ],
    locks: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="DIR", help="Look for dreg.lock in and below here; default: the registry."
        ),
    ] = None,
    tracking: Annotated[
        str | None,
        typer.Option(metavar="URI", help="MLflow's store, for runs; default: MLFLOW_TRACKING_URI."),
    ] = None,
) -> None:
    """Let no range resolve to a release any more.

    It stays as it is: a lock that has it, or a request for just that version, gets it and a
    warning. Recorded as a tag on the git remote; names who is affected.

    \b
    Example:
      dreg yank wine-quality@1.2.0 --reason "labels shifted"
      dreg yank wine-quality@1.2.0 --reason "labels shifted" --locks ~/trainings
    """
    from dreg.registry import Registry
    from dreg.yank.yanking import Places, yank

    places = Places(tuple(locks or ()), tracking)
    out.answer(yank(Registry.here(), request, reason, places))
