"""`dreg search`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import DatasetArg, EmbeddedOpt, answers
from dreg.output import out


@answers("dreg.vectors.searching:Searched")
def search(
    name: DatasetArg,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What is looked for, in words.")],
    k: Annotated[
        int, typer.Option("-k", metavar="N", min=1, max=1000, help="So many passages.")
    ] = 5,
    version: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="One that is loaded; default: what is served."),
    ] = None,
    exact: Annotated[
        bool, typer.Option("--exact", help="Compare with every passage, without the index.")
    ] = False,
    embedded: EmbeddedOpt = False,
) -> None:
    """Find the passages that mean what the query means, with their sources.

    The query is embedded by the very model that made the release's vectors; `dreg vectors load`
    brings them into Postgres.

    \b
    Example:
      dreg search opencloudhub-readmes-embeddings "how are GPUs scheduled"
      dreg search opencloudhub-readmes-embeddings "object storage" -k 3 --version 1.0.0 --json
    """
    from dreg.vectors.searching import search

    out.answer(search(name, query, k=k, version=version, exact=exact, embedded=embedded))
