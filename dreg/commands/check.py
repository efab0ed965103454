"""`dreg check`."""

from __future__ import annotations

from dreg.commands import DatasetsArg, answers
from dreg.output import out


@answers("dreg.check:Checked")
def check(names: DatasetsArg = None) -> None:
    """Check the measured data against the contract.

    Names every violation, and samples that violate by file, row and key. Without a name: every dataset.

    \b
    Example:
      dreg check wine-quality
    """
    from dreg.check import check
    from dreg.registry import Registry

    out.answer(check(Registry.here(), names))
