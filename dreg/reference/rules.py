"""docs/rules.md: every rule, its price, who is hurt, an example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from dreg.rules import Explained, every_rule

# The table of all rules: a column's title, and what stands in it.
COLUMNS: tuple[tuple[str, Callable[[Explained], str]], ...] = (
    ("rule", lambda rule: f"[{rule.rule}](#{rule.rule})"),
    ("price", lambda rule: str(rule.bump)),
    ("tolerates", lambda rule: rule.tolerated),
    ("who is hurt", lambda rule: rule.hurts),
)


def rule_page(peer: Any) -> Iterator[str]:
    """The lines below the page's title; `peer` has its `version` and its `decisions` by rule."""
    rules = every_rule().rules
    yield from (
        "`dreg diff` and `dreg release` compare the profile of a dataset with its last release's, "
        "and where they",
        "differ the sample indexes. Each kind of difference has a rule with a price, and the highest "
        "price that is due",
        "is the bump: `1.2.3` becomes `2.0.0` (major), `1.3.0` (minor) or `1.2.4` (patch). Before "
        "`1.0.0`, major counts",
        "as minor; `dreg release --bump major` leaves 0.x. Without any finding there is nothing to "
        "release. `dreg rules`",
        "lists the rules on the command line, `dreg rules RULE` shows one. What a rule tolerates can "
        "be set in the",
        "[contract](contract.md), as can prices.",
        "",
        f"The last column is what `datasemver` {peer['version']} decides on a pair of tables that "
        "shows the difference",
        "(`bench/rule_tables.py`: `datasemver diff OLD NEW --key KEY`, its own rules; written down by",
        "`python -m bench.decisions`). In brackets: why it was not asked.",
        "",
        _row((*(title for title, _ in COLUMNS), "datasemver")),
        "|" + "---|" * (len(COLUMNS) + 1),
    )
    for rule in rules:
        decided = str(peer["decisions"].get(rule.rule, ""))
        yield _row((*(cell(rule) for _, cell in COLUMNS), decided))
    for rule in rules:
        yield ""
        yield from _rule(rule)


def _rule(rule: Explained) -> Iterator[str]:
    yield from (f"## {rule.rule}", "", f"**{rule.bump}.** {rule.hurts}")
    if rule.seen_by:
        yield from ("", rule.seen_by)
    if rule.thresholds:
        yield from ("", f"Tolerates: {rule.tolerated_by_whom}.")
    yield from ("", "```yaml")
    for title, text in rule.example:
        yield from (f"# {title}", text)
    yield from ("```", "")
    yield from (f"Finds: {text}." for text in rule.finds)


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |".replace("|  |", "| |")
