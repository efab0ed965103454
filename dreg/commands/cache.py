"""dreg cache: what dreg keeps of what it fetched, and making that smaller."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import answers
from dreg.output import out

app = typer.Typer(
    name="cache",
    help="Show how large dreg's cache is, or make it smaller.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    epilog="Example: dreg cache prune --older-than 30d",
)


@app.command("list")
@answers("dreg.cache:Listing")
def list_() -> None:
    """Where the cache is, what is in it, and how much.

    Placed files share their bytes with it, as far as the file system lets them; OWN is the rest.

    \b
    Example:
      dreg cache list
    """
    from dreg.cache import listing

    out.answer(listing())


@app.command()
@answers("dreg.cache:Pruned")
def prune(
    older_than: Annotated[
        str | None,
        typer.Option(
            metavar="DAYS",
            help="Remove what was not used for so long: 30d, 36h; default: 30d.",
            show_default=False,
        ),
    ] = None,
    keep_size: Annotated[
        str | None,
        typer.Option(metavar="SIZE", help="Remove the longest unused until so much stays: 50G."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Remove what was not used for long.

    All of it can be had again. Safe at any time: what a process reads, and what was used in the
    last ten minutes, stays. Placed files are never touched.

    \b
    Example:
      dreg cache prune
      dreg cache prune --older-than 7d --keep-size 50G
    """
    from dreg.cache import prune as remove
    from dreg.core.garbage import parse_age
    from dreg.core.sizes import parse_size

    given = older_than or ("30d" if keep_size is None else None)
    age = None if given is None else parse_age(given)
    keep = None if keep_size is None else parse_size(keep_size)
    out.answer(remove(older_than=age, keep=keep, dry_run=dry_run))
