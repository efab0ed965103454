"""`dreg trace`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreg.commands import RemoteOpt, answers, complete_request
from dreg.output import out


@answers(
    "dreg.trace.model:ModelTrace | dreg.trace.model:Versions | dreg.trace.release:ReleaseTrace"
)
def trace(
    what: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|RUN|NAME@VERSION",
            help="models:/NAME/3, models:/NAME@alias, models:/NAME, runs:/ID, or a release.",
            autocompletion=complete_request,
        ),
    ],
    repo: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The registry; default: what the run says, DREG_REPO."),
    ] = None,
    remote: RemoteOpt = None,
    tracking: Annotated[
        str | None,
        typer.Option(metavar="URI", help="MLflow's server or store; default: MLFLOW_TRACKING_URI."),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Of this split, or all; default: what was trained on."),
    ] = None,
    samples: Annotated[bool, typer.Option("--samples", help="List the samples.")] = False,
    limit: Annotated[
        int, typer.Option(min=0, metavar="N", help="List so many samples; 0: all.")
    ] = 20,
    export: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write all samples to a Parquet file: split, key, hash."),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="Look for one sample, by its key or its hash."),
    ] = None,
    locks: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Look for dreg.lock in and below here; default: here."),
    ] = None,
) -> None:
    """Tell which samples a model learned from, or who uses a release.

    From a model to its run, to the release, to the exact samples of it; and back.

    \b
    Example:
      dreg trace models:/fashion-classifier@champion --export samples.parquet
      dreg trace fashion-mnist@1.1.0
      dreg trace fashion-mnist@1.1.0 --sample KEY
    """
    from dreg.trace.model import Wanted, is_about_a_model, trace_model
    from dreg.trace.release import trace_release

    wanted = Wanted(tuple(split or ()), limit if samples else None, sample, export)
    where = {"repo": repo, "remote": remote, "tracking": tracking}
    if is_about_a_model(what):
        out.answer(trace_model(what, wanted, **where))
    else:
        out.answer(trace_release(what, wanted, **where, locks=locks or ()))
