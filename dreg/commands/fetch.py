"""`dreg fetch`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import answers, complete_request
from dreg.output import out


def complete_locked(incomplete: str) -> list[str]:
    """Datasets in dreg.lock and, inside a registry, what it has; for shell completion."""
    from dreg.errors import DregError
    from dreg.fetch import locked

    try:
        names = [name for name in locked() if name.startswith(incomplete)]
    except DregError:
        names = []
    return sorted({*names, *complete_request(incomplete)})


@answers("dreg.fetch:Fetches")
def fetch(
    request: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME[@RANGE]",
            help="The latest release in a range such as ^1.0; default: the range in dreg.lock, or any.",
            autocompletion=complete_locked,
            show_default=False,
        ),
    ] = None,
    repo: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The registry, by URL or path; default: DREG_REPO, DVC_REPO, the lock, here.",
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder to fill; default: data/NAME."),
    ] = None,
    remote: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|URL", help="Where the bytes are, if not the default; or DREG_REMOTE."
        ),
    ] = None,
    raw: Annotated[bool, typer.Option("--raw", help="Place the raw files too.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Move a folder with local changes aside first.")
    ] = False,
    require_signed: Annotated[
        bool,
        typer.Option("--require-signed", help="Refuse a release without a good signature."),
    ] = False,
    allowed_signers: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="Require the SSH signature of one in this file; see git-config."
        ),
    ] = None,
) -> None:
    """Bring a release into a training repository.

    Every byte is verified, and the release pinned in dreg.lock.
    Without a name: everything in dreg.lock, exactly.

    \b
    Example:
      dreg fetch wine-quality@^1.0 --repo https://github.com/acme/data-registry -o data/wine
      dreg fetch
    """
    from dreg.fetch import fetch
    from dreg.pin import signers_of

    out.answer(
        fetch(
            request,
            repo=repo,
            output=output,
            remote=remote,
            raw=raw,
            force=force,
            signers=signers_of(required=require_signed, allowed=allowed_signers),
        )
    )
