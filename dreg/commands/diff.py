"""`dreg diff`."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from dreg.commands import RequestArg, answers, complete_request
from dreg.output import out

OtherArg = Annotated[
    str | None,
    typer.Argument(
        metavar="NAME@VERSION",
        help="Another release to compare with; default: the work tree.",
        autocompletion=complete_request,
        show_default=False,
    ),
]


LISTED = 20


class Form(enum.StrEnum):
    """How the answer is written."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"


@answers("dreg.diff.review:Difference")
def diff(
    request: RequestArg,
    other: OtherArg = None,
    samples: Annotated[
        bool, typer.Option("--samples", help="List the samples that are not as before.")
    ] = False,
    limit: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            help="List so many samples, 0: all; without it, --samples lists 20.",
            show_default=False,
        ),
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="How to write the answer.")] = Form.TABLE,
) -> None:
    """Show what changed since a release, and what it costs.

    Every finding says whom it hurts; the dearest decides the next version.
    Without a version: since the latest release. Downloads nothing but sample indexes.

    \b
    Example:
      dreg diff wine-quality
      dreg diff wine-quality@1.0.0 wine-quality@1.1.0
      dreg diff wine-quality --samples --limit 5
    """
    from dreg.diff.review import compare
    from dreg.registry import Registry

    most = LISTED if samples and limit is None else limit
    difference = compare(Registry.here(), request, other, limit=most)
    if form is Form.JSON:
        out.configure(json=True, quiet=False, debug=False)
    out.answer(difference, difference.markdown() if form is Form.MARKDOWN else None)
