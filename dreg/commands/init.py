"""`dreg init`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreg.commands import FilesDryRunOpt, answers
from dreg.output import out


@answers("dreg.scaffold.plan:Scaffolded")
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")],
    name: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT", help="The registry's title (default: DIR's name).", show_default=False
        ),
    ] = None,
    dry_run: FilesDryRunOpt = False,
) -> None:
    """Make a registry: git, DVC and a remote beside it.

    \b
    Example:
      dreg init my-registry
    """
    from dreg.scaffold.registry import new_registry

    out.answer(new_registry(folder, name=name, dry_run=dry_run))
