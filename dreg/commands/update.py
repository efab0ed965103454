"""`dreg update`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import AsideOpt, RepoOpt, answers
from dreg.output import out


def complete_locked(incomplete: str) -> list[str]:
    """Datasets in dreg.lock, for shell completion."""
    from dreg.errors import DregError
    from dreg.fetch.fetching import locked

    try:
        return [name for name in locked() if name.startswith(incomplete)]
    except DregError:
        return []


@answers("dreg.fetch.answer:Fetches | dreg.fetch.update:Changes")
def update(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", autocompletion=complete_locked, show_default=False),
    ] = None,
    explain: Annotated[
        bool,
        typer.Option("--explain", help="Show what would change and whom it hurts; take nothing."),
    ] = False,
    repo: RepoOpt = None,
    force: AsideOpt = False,
) -> None:
    """Take the newest releases in the ranges of what is locked, or of one dataset.

    \b
    Example:
      dreg update --explain
      dreg update wine-quality
    """
    from dreg.fetch import update as library

    if explain:
        out.answer(library.explain(name, repo))
    else:
        out.answer(library.update(name, repo=repo, force=force))
