"""`dreg outdated`."""

from __future__ import annotations

from dreg.commands import RepoOpt, answers
from dreg.output import out


@answers("dreg.fetch.outdated:Outdated")
def outdated(repo: RepoOpt = None) -> None:
    """Show which locked releases have newer ones, or are yanked.

    Asks each registry once for its tags; nothing is changed.

    \b
    Example:
      dreg outdated
    """
    from dreg.fetch.outdated import outdated as ask

    out.answer(ask(repo))
