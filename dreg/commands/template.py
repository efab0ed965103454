"""dreg template: list the kinds of datasets, show a template, bring a dataset up to its own."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import DatasetArg, answers
from dreg.commands.new import complete_kind
from dreg.output import out

app = typer.Typer(
    name="template",
    help="List templates of datasets, show one, update a dataset made from one.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    epilog="Example: dreg template update my-dataset",
)


@app.command("list")
@answers("dreg.scaffold.shelf:Listed")
def list_() -> None:
    """List the kinds of datasets that can be made.

    \b
    Example:
      dreg template list
    """
    from dreg.scaffold.shelf import listed

    out.answer(listed())


@app.command()
@answers("dreg.scaffold.shelf:Shown")
def show(
    kind: Annotated[str, typer.Argument(metavar="KIND", autocompletion=complete_kind)],
) -> None:
    """Show what a template has in it.

    \b
    Example:
      dreg template show text
    """
    from dreg.scaffold.shelf import shown

    out.answer(shown(kind))


@app.command()
@answers("dreg.scaffold.updating:Updated")
def update(
    name: DatasetArg,
    template: Annotated[
        str | None,
        typer.Option(metavar="DIR|URL", help="Where its own template is now.", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what it would do.")] = False,
) -> None:
    """Merge what is new in the template with what you changed.

    Where both changed the same lines both are in the file, marked as git does; exit 1. What the
    dataset was made from, pipelines/NAME/template.json tells.

    \b
    Example:
      dreg template update my-dataset
    """
    from dreg.registry import Registry
    from dreg.scaffold.updating import update

    out.answer(update(Registry.here(), name, own=template, dry_run=dry_run))
