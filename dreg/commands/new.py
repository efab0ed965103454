"""`dreg new`"""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import FilesDryRunOpt, answers
from dreg.output import out


def complete_kind(incomplete: str) -> list[str]:
    from dreg.scaffold.making import kinds

    return [kind for kind in kinds() if kind.startswith(incomplete)]


@answers("dreg.scaffold.plan:Scaffolded")
def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Lower case letters, digits, `-`.")],
    kind: Annotated[
        str | None,
        typer.Option(
            metavar="KIND",
            help="What it holds: tabular, text, image, vlm, documents or embeddings.",
            show_default=False,
            autocompletion=complete_kind,
        ),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where its first file is; fetched and looked at.",
            show_default=False,
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="PATH", help="The same, of a file or folder here.", show_default=False
        ),
    ] = None,
    upstream: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[@RANGE]",
            help="For embeddings: the dataset whose documents it is made from.",
            show_default=False,
        ),
    ] = None,
    template: Annotated[
        str | None,
        typer.Option(
            metavar="DIR|URL",
            help="A template of your own, instead of --kind; URL#TAG takes a tag of it.",
            show_default=False,
        ),
    ] = None,
    title: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What it is, in one line.", show_default=False),
    ] = None,
    description: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="The same in a few sentences.", show_default=False),
    ] = None,
    licence: Annotated[
        str | None,
        typer.Option(
            metavar="SPDX", help="The data's licence, such as CC-BY-4.0.", show_default=False
        ),
    ] = None,
    owner: Annotated[
        str | None,
        typer.Option(metavar="WHO", help="Who answers questions about it.", show_default=False),
    ] = None,
    dry_run: FilesDryRunOpt = False,
) -> None:
    """Make a dataset that runs and releases as it is.

    It has a small sample, and comments that say where your own data goes. With --source or --from
    your own data is there at once: the contract has its columns, types, key and classes.

    \b
    Example:
      dreg new my-dataset --kind tabular
      dreg new my-dataset --kind tabular --from measurements.csv
    """
    from dreg.registry import Registry
    from dreg.scaffold.dataset import new_dataset

    out.answer(
        new_dataset(
            Registry.here(),
            name,
            kind,
            title=title,
            description=description,
            licence=licence,
            owner=owner,
            template=template,
            source=source,
            file=file,
            upstream=upstream,
            dry_run=dry_run,
        )
    )
