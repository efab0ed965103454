"""`dreg pack`."""

from __future__ import annotations

from dreg.commands import RequestsArg, answers
from dreg.output import out


@answers("dreg.packs.packing:Packed")
def pack(
    requests: RequestsArg = None,
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
