"""dreg remote: list the remotes, choose the default, check one."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import answers
from dreg.output import out

app = typer.Typer(
    name="remote",
    help="List the places that keep the bytes, choose one, check one.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    epilog="Example: dreg remote check",
)


def complete_remote(incomplete: str) -> list[str]:
    """Remote names for shell completion; an unusable registry completes nothing."""
    from dreg.errors import DregError
    from dreg.registry import Registry
    from dreg.remote import listing

    try:
        names = [remote.name for remote in listing(Registry.here()).remotes]
        return [name for name in names if name.startswith(incomplete)]
    except DregError:
        return []


@app.command("list")
@answers("dreg.remote:Listing")
def list_() -> None:
    """List the registry's remotes; `*` marks the default.

    \b
    Example:
      dreg remote list
    """
    from dreg.registry import Registry
    from dreg.remote import listing

    out.answer(listing(Registry.here()))


@app.command()
@answers("dreg.remote:Used")
def use(
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_remote)],
    local: Annotated[
        bool, typer.Option("--local", help="For this work tree only (config.local, not in git).")
    ] = False,
) -> None:
    """Make a remote the default one.

    \b
    Example:
      dreg remote use local
    """
    from dreg.registry import Registry
    from dreg.remote import use as choose

    out.answer(choose(Registry.here(), name, local=local))


@app.command()
@answers("dreg.remote:Checked")
def check(
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", autocompletion=complete_remote, show_default=False),
    ] = None,
) -> None:
    """Write, read back and delete one object on a remote.

    Without a name: on the default remote.

    \b
    Example:
      dreg remote check minio
    """
    from dreg.registry import Registry
    from dreg.remote import check as try_out

    out.answer(try_out(Registry.here(), name))
