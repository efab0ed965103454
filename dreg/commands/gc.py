"""`dreg gc`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import answers
from dreg.output import out


@answers("dreg.gc.collecting:Collected")
def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be marked and deleted.")
    ] = False,
    older_than: Annotated[
        str,
        typer.Option(metavar="DAYS", help="Delete what was marked so long ago: 14d, 36h."),
    ] = "14d",
    remote: Annotated[
        str | None, typer.Option(metavar="NAME|URL|PATH", help="The remote, if not the default.")
    ] = None,
    also: Annotated[
        list[str] | None,
        typer.Option(metavar="URL", help="Another registry with bytes on the same remote."),
    ] = None,
    unreleased: Annotated[
        bool,
        typer.Option(
            "--unreleased",
            help="Also manifests that no tag names, if no other registry uses the remote.",
        ),
    ] = False,
) -> None:
    """Delete from the remote what no release, branch or lock needs.

    What is unneeded is marked first, and deleted by a later run if it is unneeded still. Released
    data always stays, that of yanked releases too. Looks at the git remote, not only at this
    clone; if anything cannot be read, nothing is deleted. DVC's local cache: dvc gc.

    \b
    Example:
      dreg gc --dry-run
      dreg gc --older-than 30d --remote minio
    """
    from dreg.core.garbage import parse_age
    from dreg.gc.collecting import gc
    from dreg.registry import Registry

    collected = gc(
        Registry.here(),
        remote=remote,
        older_than=parse_age(older_than),
        also=also or [],
        unreleased=unreleased,
        dry_run=dry_run,
    )
    out.answer(collected)
