"""`dreg bootstrap`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import JobsOpt, WaitOpt, answers
from dreg.output import out


@answers("dreg.bootstrap:Bootstrapped")
def bootstrap(
    jobs: JobsOpt = None,
    engine: Annotated[
        str | None,
        typer.Option(metavar="ENGINE", help="Who measures and embeds, as for dreg run."),
    ] = None,
    wait: WaitOpt = None,
) -> None:
    """Run, check, release and push all datasets that were never released.

    For a demo or a new registry: each gets its first release, 1.0.0. Those that have one are checked
    on the remote. Again it changes nothing.

    \b
    Example:
      dreg bootstrap
    """
    from dreg.bootstrap import bootstrap
    from dreg.registry import Registry

    out.answer(bootstrap(Registry.here(), jobs=jobs, engine=engine, wait=wait))
