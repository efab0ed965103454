"""`dreg reproduce`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreg.commands import RequestArg, answers
from dreg.output import out


@answers("dreg.reproduce.answer:Reproduced")
def reproduce(
    request: RequestArg,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Do it in DIR, and leave it there."),
    ] = None,
    cached_sources: Annotated[
        bool,
        typer.Option(
            "--cached-sources", help="A source may come out of the download cache, gone or not."
        ),
    ] = False,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="How many datasets at once; default: as dreg run."),
    ] = None,
) -> None:
    """Make a release again, and prove that every byte is as its manifest says.

    Its pipeline, and those of the datasets it is made from, run at the tag, from their sources on, in
    a temporary folder. Exit 0: proven. 1: something differs, and is named. 3: a source cannot be had.

    \b
    Example:
      dreg reproduce wine-quality@1.0.0
      dreg reproduce wine-quality@1.0.0 --keep /tmp/again
    """
    from dreg.registry import Registry
    from dreg.reproduce.reproducing import reproduce

    registry = Registry.here()
    out.answer(reproduce(registry, request, keep=keep, cached_sources=cached_sources, jobs=jobs))
