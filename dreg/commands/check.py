"""`dreg check`."""

from __future__ import annotations

from dreg.commands import DatasetsArg, answers
from dreg.output import out


@answers("dreg.review:Checked")
def check(names: DatasetsArg = None) -> None:
    """Check the measured data against the contract.

    Names every violation. Without a name: every dataset.

    \b
    Example:
      dreg check wine-quality
    """
    from dreg.registry import Registry
    from dreg.review import check

    out.answer(check(Registry.here(), names))
