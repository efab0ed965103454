"""`dreg export`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import RepoOpt, answers, complete_request
from dreg.output import out


@answers("dreg.bundle.export:Exported")
def export(
    request: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="The release; the latest by default.",
            autocompletion=complete_request,
        ),
    ],
    output: Annotated[
        str | None,
        typer.Option("-o", "--output", metavar="FILE", help="Default: NAME-vVERSION.tar."),
    ] = None,
    repo: RepoOpt = None,
    remote: Annotated[
        str | None,
        typer.Option(metavar="NAME|URL|PATH", help="Where the bytes are, if not where it says."),
    ] = None,
) -> None:
    """Write a release to one file, for where no network leads.

    Tag with its history, manifest and objects, all verified. The same release gives the same
    bytes; `dreg import` makes a release of it elsewhere.

    \b
    Example:
      dreg export wine-quality@1.0.0 -o bundle.tar
    """
    from dreg.bundle.export import export

    out.answer(export(request, repo=repo, remote=remote, output=output))
