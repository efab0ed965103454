"""`dreg show`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import RepoOpt, RequestArg, answers
from dreg.output import out


@answers("dreg.show:Shown | dreg.provenance:Statement")
def show(
    request: RequestArg,
    repo: RepoOpt = None,
    provenance: Annotated[
        bool,
        typer.Option("--provenance", help="An in-toto statement instead, with SLSA provenance."),
    ] = False,
) -> None:
    """Show a release: why it has its version, splits, columns, licence, tag and manifest.

    \b
    Example:
      dreg show wine-quality@1.0.0
      dreg show wine-quality@1.0.0 --provenance > wine-quality.intoto.json
    """
    if provenance:
        from dreg.provenance import provenance as statement

        out.answer(statement(request, repo))
        return
    from dreg.show import show

    out.answer(show(request, repo))
