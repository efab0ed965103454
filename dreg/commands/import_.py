"""`dreg import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreg.commands import SignedOpt, answers
from dreg.output import out


@answers("dreg.bundle.importing:Imported")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `dreg export` wrote.")],
    remote: Annotated[
        str | None,
        typer.Option(metavar="NAME|URL|PATH", help="Where the bytes go, if not to the default."),
    ] = None,
    require_signed: SignedOpt = False,
    allowed_signers: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Refuse a release not signed by SSH by one in FILE."),
    ] = None,
) -> None:
    """Make a release of a file that `dreg export` wrote.

    The file is verified as a whole before anything is changed. Objects and manifest go to the
    remote, then the very tag that was exported to the git remote; no branch moves.

    \b
    Example:
      dreg import bundle.tar
    """
    from dreg.bundle.importing import bring
    from dreg.fetch.pin import signers_of
    from dreg.registry import Registry

    signers = signers_of(required=require_signed, allowed=allowed_signers)
    out.answer(bring(Registry.here(), file, remote=remote, signers=signers))
