"""`dreg diff`."""

from __future__ import annotations

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


@answers("dreg.review:Difference")
def diff(request: RequestArg, other: OtherArg = None) -> None:
    """Show what changed since a release, and what it costs.

    Every finding says whom it hurts; the dearest decides the next version.
    Without a version: since the latest release. Reads profiles only, downloads nothing.

    \b
    Example:
      dreg diff wine-quality
      dreg diff wine-quality@1.0.0 wine-quality@1.1.0
    """
    from dreg.registry import Registry
    from dreg.review import compare

    out.answer(compare(Registry.here(), request, other))
