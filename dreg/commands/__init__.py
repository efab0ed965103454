"""One file per command: parse, ask the library, answer. Shared argument types live here."""

from __future__ import annotations

from typing import Annotated

import typer


def complete_dataset(incomplete: str) -> list[str]:
    """Dataset names for shell completion; an unusable registry completes nothing."""
    from dreg.errors import DregError
    from dreg.registry import Registry

    try:
        return [name for name in Registry.here().names if name.startswith(incomplete)]
    except DregError:
        return []


DatasetArg = Annotated[str, typer.Argument(metavar="NAME", autocompletion=complete_dataset)]
DatasetsArg = Annotated[
    list[str] | None,
    typer.Argument(metavar="[NAME]...", autocompletion=complete_dataset, show_default=False),
]
