"""`dreg doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import RepoOpt, answers
from dreg.output import out


@answers("dreg.doctor:Health")
def doctor(
    repo: RepoOpt = None,
    remote: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME|URL", help="The remote to try, if not the usual ones."),
    ] = None,
) -> None:
    """Try everything that a fetch needs: git, registry, remotes, credentials, clock, cache.

    Says which endpoint was asked and whose credentials were used. Nothing is changed.

    \b
    Example:
      dreg doctor
      dreg doctor --repo https://github.com/acme/data-registry --remote minio
    """
    from dreg.doctor import examine

    out.answer(examine(repo, remote))
