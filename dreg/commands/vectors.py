"""dreg vectors: a release's vectors in Postgres, served to readers by a view."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import (
    DatasetArg,
    EmbeddedOpt,
    RemoteOpt,
    WaitOpt,
    answers,
    complete_request,
)
from dreg.output import out

app = typer.Typer(
    name="vectors",
    help="Load a release's vectors into Postgres, see what is served, go back.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    epilog="Example: dreg vectors load opencloudhub-readmes-embeddings",
)

MajorOpt = Annotated[
    bool,
    typer.Option(
        "--allow-major", help="Serve them although readers' queries need another model now."
    ),
]


@app.command()
@answers("dreg.vectors.loading:Loaded")
def load(
    request: Annotated[
        str,
        typer.Argument(
            metavar="NAME[@VERSION]",
            help="A dataset; of its releases this one, or the latest (DREG_REQUEST).",
            envvar="DREG_REQUEST",
            show_envvar=False,
            autocompletion=complete_request,
        ),
    ],
    repo: Annotated[
        str | None,
        typer.Option(metavar="URL", help="The registry; default: DREG_REPO, the lock, here."),
    ] = None,
    remote: RemoteOpt = None,
    keep: Annotated[
        int,
        typer.Option(min=1, metavar="N", help="Keep so many versions' tables, the served one too."),
    ] = 2,
    allow_major: MajorOpt = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be done.")
    ] = False,
    embedded: EmbeddedOpt = False,
    wait: WaitOpt = None,
) -> None:
    """Load a release's vectors into a table of its own, then have the view serve that.

    Readers of PGVECTOR_TABLE_NAME see the old version or the new one, never less. Loading what is
    loaded does nothing; the tables of --keep versions stay, to go back to.

    \b
    Example:
      dreg vectors load opencloudhub-readmes-embeddings@^1
      dreg vectors load opencloudhub-readmes-embeddings --embedded
    """
    from dreg.vectors.loading import load

    out.answer(
        load(
            request,
            repo=repo,
            remote=remote,
            embedded=embedded,
            keep=keep,
            allow_major=allow_major,
            wait=wait,
            dry_run=dry_run,
        )
    )


@app.command("list")
@answers("dreg.vectors.serving:Listing")
def list_(name: DatasetArg, embedded: EmbeddedOpt = False) -> None:
    """Which versions are loaded, and which one is served.

    \b
    Example:
      dreg vectors list opencloudhub-readmes-embeddings
    """
    from dreg.vectors.serving import listing

    out.answer(listing(name, embedded=embedded))


@app.command()
@answers("dreg.vectors.serving:RolledBack")
def rollback(
    name: DatasetArg,
    to: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="A version that is loaded; default: the one before."),
    ] = None,
    allow_major: MajorOpt = False,
    embedded: EmbeddedOpt = False,
    wait: WaitOpt = None,
) -> None:
    """Serve the version before again: the swap alone, nothing is loaded and no registry asked.

    \b
    Example:
      dreg vectors rollback opencloudhub-readmes-embeddings
      dreg vectors rollback opencloudhub-readmes-embeddings --to 1.0.0
    """
    from dreg.vectors.serving import rollback

    out.answer(rollback(name, to=to, embedded=embedded, allow_major=allow_major, wait=wait))
