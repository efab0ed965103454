"""`dreg tree`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import RemoteOpt, RepoOpt, answers, complete_request
from dreg.output import out


@answers("dreg.tree:Tree")
def tree(
    request: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="A release; default: what dreg.lock pins, or the newest of every dataset.",
            autocompletion=complete_request,
            show_default=False,
        ),
    ] = None,
    repo: RepoOpt = None,
    remote: RemoteOpt = None,
) -> None:
    """Show datasets, and what they were made from.

    \b
    Example:
      dreg tree --repo https://github.com/acme/data-registry
    """
    from dreg.tree import tree

    out.answer(tree(request, repo=repo, remote=remote))
