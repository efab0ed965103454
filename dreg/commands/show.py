"""`dreg show`."""

from __future__ import annotations

from dreg.commands import RepoOpt, RequestArg, answers
from dreg.output import out


@answers("dreg.catalog:Shown")
def show(request: RequestArg, repo: RepoOpt = None) -> None:
    """Show a release: splits, columns, licence, tag and manifest.

    \b
    Example:
      dreg show wine-quality@1.0.0
    """
    from dreg.catalog import show

    out.answer(show(request, repo))
