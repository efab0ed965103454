"""`dreg rules`."""

from __future__ import annotations

from typing import Annotated

import typer

from dreg.commands import answers
from dreg.output import out


def complete_rule(incomplete: str) -> list[str]:
    """Rule names for shell completion."""
    from dreg.core.rules import RULES

    return [name for name in sorted(RULES) if name.startswith(incomplete)]


RuleArg = Annotated[
    str | None,
    typer.Argument(
        metavar="RULE",
        help="Explain this one, with an example.",
        autocompletion=complete_rule,
        show_default=False,
    ),
]


@answers("dreg.rules:Rules | dreg.rules:Explained")
def rules(rule: RuleArg = None) -> None:
    """List the rules that price a change, or explain one.

    \b
    Example:
      dreg rules
      dreg rules column-removed
    """
    from dreg.rules import every_rule, explain

    out.answer(every_rule() if rule is None else explain(rule))
