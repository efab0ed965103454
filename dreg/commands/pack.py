"""`dreg pack`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import answers, complete_request
from dreg.output import out


@answers("dreg.packs.packing:Packed")
def pack(
    requests: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[NAME[@VERSION]]...",
            help="Datasets or releases; all by default.",
            autocompletion=complete_request,
            show_default=False,
        ),
    ] = None,
) -> None:
    """Pack the small files of releases, so that a fetch of thousands takes a few requests.

    A release does so itself. This is for releases from before that, and for packs that are lost or
    damaged, as fsck --remote tells. No release needs packs, and none is changed.

    \b
    Example:
      dreg pack
      dreg pack many-images@^2
    """
    from dreg.packs.packing import pack
    from dreg.registry import Registry

    out.answer(pack(Registry.here(), requests or []))
