"""`dreg fetch`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dreg.commands import answers, complete_request
from dreg.output import out

if TYPE_CHECKING:
    from dreg.core.subset import Subset


def complete_locked(incomplete: str) -> list[str]:
    """Datasets in dreg.lock and, inside a registry, what it has; for shell completion."""
    from dreg.errors import DregError
    from dreg.fetch.fetching import locked

    try:
        names = [name for name in locked() if name.startswith(incomplete)]
    except DregError:
        names = []
    return sorted({*names, *complete_request(incomplete)})


@answers("dreg.fetch.fetching:Fetches | dreg.fetch.getting:Got")
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
        list[str] | None,
        typer.Option(
            metavar="NAME|URL",
            help="Where the bytes are, if not the default; or DREG_REMOTE. Several are tried in order.",
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(metavar="SPLIT", help="Only the files of this split; may be repeated."),
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATTERN",
            help="Only these files, as in 'processed/train*'; '**' is everything again. With --rev, "
            "a path in the repository.",
        ),
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(
            metavar="A,B", help="Only these columns of Parquet files; other bytes stay there."
        ),
    ] = None,
    metadata_only: Annotated[
        bool, typer.Option("--metadata-only", help="Only metadata.json, no data.")
    ] = False,
    rev: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            help="Without a name: bring --path from any DVC repository at this tag, branch or commit.",
        ),
    ] = None,
    locked: Annotated[
        bool,
        typer.Option("--locked", help="Refuse unless dreg.lock covers dreg.toml; for CI."),
    ] = False,
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
    Without a name: what dreg.toml (or [tool.dreg] in pyproject.toml) asks for, exactly as
    dreg.lock has it.

    \b
    Example:
      dreg fetch wine-quality@^1.0 --repo https://github.com/acme/data-registry -o data/wine
      dreg fetch
      dreg fetch wine-quality --split train --columns quality,alcohol
      dreg fetch --repo https://github.com/acme/models --path models/bert --rev v2.1
    """
    from dreg.fetch.fetching import fetch
    from dreg.fetch.pin import signers_of

    if request is None and path and (repo is not None or rev is not None):
        from dreg.fetch.getting import get

        out.answer(get(path, repo=repo, revision=rev, output=output, remote=remote, force=force))
        return
    out.answer(
        fetch(
            request,
            repo=repo,
            output=output,
            remote=remote,
            raw=raw,
            subset=_subset(split, path, columns, metadata_only),
            force=force,
            only_locked=locked,
            signers=signers_of(required=require_signed, allowed=allowed_signers),
        )
    )


def _subset(
    splits: list[str] | None, paths: list[str] | None, columns: str | None, metadata_only: bool
) -> Subset | None:
    from dreg.core.subset import Subset

    if not (splits or paths or columns or metadata_only):
        return None
    wanted = [name.strip() for name in (columns or "").split(",") if name.strip()]
    return Subset.of(splits or (), paths or (), wanted, metadata_only)
