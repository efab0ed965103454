"""`dreg fsck`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import RequestsArg, answers
from dreg.output import out


@answers("dreg.fsck.checking:Checked")
def fsck(
    requests: RequestsArg = None,
    remote: Annotated[
        bool, typer.Option("--remote", help="Check manifests and objects on the remote.")
    ] = False,
    deep: Annotated[
        bool, typer.Option("--deep", help="Read every byte on the remote back; implies --remote.")
    ] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Copy right bytes to the remote; implies --remote.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="NAME|URL|PATH", help="The remote to repair from."),
    ] = None,
) -> None:
    """Check that releases are what their tags promise.

    Without --remote: tags, and what the local cache has. Names every problem; exit 1 if there is
    one that was not repaired.

    \b
    Example:
      dreg fsck --remote
      dreg fsck wine-quality --repair --from backup
    """
    from dreg.errors import BadRequest
    from dreg.fsck.checking import fsck
    from dreg.registry import Registry

    if repair != (source is not None):
        raise BadRequest("--repair and --from need each other", hint="dreg fsck --help")
    on_remote = remote or deep or repair
    registry = Registry.here()
    out.answer(fsck(registry, requests or [], remote=on_remote, deep=deep, repair_from=source))
