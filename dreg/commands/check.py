"""`dreg check`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import DatasetsArg, answers
from dreg.output import out


@answers("dreg.check:Checked | dreg.check:ContractSchema")
def check(
    names: DatasetsArg = None,
    schema: Annotated[
        bool,
        typer.Option("--schema", help="Print the JSON Schema of dataset.yaml, for editors."),
    ] = False,
) -> None:
    """Check the measured data against the contract.

    Names every violation, and samples that violate by file, row and key. Without a name: every dataset.

    \b
    Example:
      dreg check wine-quality
      dreg check --schema > pipelines/contract.schema.json
    """
    from dreg import check
    from dreg.registry import Registry

    out.answer(check.schema() if schema else check.check(Registry.here(), names))
