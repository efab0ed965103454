"""`dreg fetch`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import AsideOpt, SignedOpt, answers, complete_request
from dreg.output import out


def complete_locked(incomplete: str) -> list[str]:
    """Datasets in dreg.lock and, inside a registry, what it has; for shell completion."""
    from dreg.errors import DregError
    from dreg.fetch.fetching import locked

    try:
        names = [name for name in locked() if name.startswith(incomplete)]
    except DregError:
        names = []
    return sorted({*names, *complete_request(incomplete)})


NameArg = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME[@RANGE]",
        help="The latest release in a range such as ^1.0; default: the range in dreg.lock, or any.",
        autocompletion=complete_locked,
        show_default=False,
    ),
]
RepoOpt = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="The registry, by URL or path; default: DREG_REPO, DVC_REPO, the lock, here.",
    ),
]
OutputOpt = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="DIR", help="Folder to fill; default: data/NAME."),
]
RemoteOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME|URL",
        help="Where the bytes are, if not the default; or DREG_REMOTE. Several are tried in order.",
    ),
]
SplitOpt = Annotated[
    list[str] | None,
    typer.Option(metavar="SPLIT", help="Only the files of this split; may be repeated."),
]
PathOpt = Annotated[
    list[str] | None,
    typer.Option(
        metavar="PATTERN",
        help="Only these files, as in 'processed/train*'; '**' is everything again. With --rev, "
        "a path in the repository.",
    ),
]
ColumnsOpt = Annotated[
    str | None,
    typer.Option(
        metavar="A,B",
        help="Only these columns of Parquet files; other bytes stay there.",
        show_default=False,
    ),
]
MetadataOpt = Annotated[bool, typer.Option("--metadata-only", help="Only metadata.json, no data.")]
RevOpt = Annotated[
    str | None,
    typer.Option(
        metavar="REV",
        help="A tag, branch or commit of any DVC repository: of what is called NAME there, or with "
        "--path and no name, of any path.",
    ),
]
LockedOpt = Annotated[
    bool,
    typer.Option("--locked", help="Refuse unless dreg.lock covers what is asked for; for CI."),
]
RawOpt = Annotated[bool, typer.Option("--raw", help="Place the raw files too.")]
SignersOpt = Annotated[
    str | None,
    typer.Option(
        metavar="FILE", help="Require the SSH signature of one in this file; see git-config."
    ),
]


@answers("dreg.fetch.answer:Fetches | dreg.fetch.getting:Got")
def fetch(
    request: NameArg = None,
    repo: RepoOpt = None,
    output: OutputOpt = None,
    remote: RemoteOpt = None,
    split: SplitOpt = None,
    path: PathOpt = None,
    columns: ColumnsOpt = None,
    metadata_only: MetadataOpt = False,
    rev: RevOpt = None,
    locked: LockedOpt = False,
    raw: RawOpt = False,
    force: AsideOpt = False,
    require_signed: SignedOpt = False,
    allowed_signers: SignersOpt = None,
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
    from dreg.fetch.bringing import Wish, bring

    fetched = bring(
        Wish(request, split or (), path or (), columns or "", metadata_only, rev, raw),
        repo=repo,
        output=output,
        remote=remote,
        force=force,
        only_locked=locked,
        require_signed=require_signed,
        allowed_signers=allowed_signers,
    )
    out.answer(fetched)
