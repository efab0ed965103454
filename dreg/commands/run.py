"""`dreg run`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import DatasetsArg, JobsOpt, WaitOpt, answers
from dreg.output import out


@answers("dreg.run.running:Runs")
def run(
    names: DatasetsArg = None,
    everything: Annotated[bool, typer.Option("--all", help="Every dataset.")] = False,
    push: Annotated[
        bool, typer.Option("--push", help="Then push the outputs to the default remote.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", "-f", help="Run every stage, changed or not.")
    ] = False,
    jobs: JobsOpt = None,
    engine: Annotated[
        str | None,
        typer.Option(
            metavar="ENGINE",
            help="Who measures and embeds: local or ray (RAY_ADDRESS, else a cluster of its own); default: DREG_ENGINE, else local, and Ray to embed.",
        ),
    ] = None,
    compute_type: Annotated[
        str | None,
        typer.Option(
            metavar="TYPE",
            help="Workers on Ray: cpu-small, -medium, -large or gpu-...; default: DREG_COMPUTE_TYPE, else all there is.",
        ),
    ] = None,
    wait: WaitOpt = None,
) -> None:
    """Run pipelines: what is not up to date, side by side.

    A dataset waits for those it is made from. Never commits. A dataset that fails stops only those made from it.

    \b
    Example:
      dreg run wine-quality fashion-mnist
      dreg run --all --push
    """
    from dreg.registry import Registry
    from dreg.run.running import run

    out.answer(
        run(
            Registry.here(),
            names,
            everything=everything,
            push=push,
            force=force,
            jobs=jobs,
            engine=engine,
            compute=compute_type,
            wait=wait,
        )
    )
