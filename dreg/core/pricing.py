"""What a contract changes about the rules: other prices, each with a reason, other thresholds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dreg.core.reader import Reader
from dreg.core.version import Bump

if TYPE_CHECKING:
    from dreg.core.rules import Rule

PRICES = {str(bump): bump for bump in Bump}
OTHER_BYTES = ("content-changed", "encoding-changed")


@dataclass(frozen=True)
class Override:
    """Another price for a rule, and why it is right for this dataset."""

    price: Bump
    reason: str


@dataclass(frozen=True)
class Pricing:
    """Overrides by rule; thresholds by rule and parameter."""

    overrides: Mapping[str, Override] = field(default_factory=dict)
    thresholds: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    @classmethod
    def parse(cls, contract: Any, where: str) -> Pricing:
        """What a contract says about prices, whatever else it says. Raises BadRequest."""
        reader = Reader(where)
        given = contract if isinstance(contract, dict) else {}
        return cls(
            _overrides(reader, given.get("overrides")), _thresholds(reader, given.get("thresholds"))
        )

    def tolerated(self, rule: Rule) -> dict[str, float]:
        """The rule's thresholds, those that it shares with another rule from there."""
        return {
            name: self.thresholds.get(owner, {}).get(parameter, default)
            for name, default in rule.thresholds.items()
            for owner, parameter in [rule.shares.get(name, (rule.id, name))]
        }


def _overrides(reader: Reader, value: Any) -> dict[str, Override]:
    at = "`overrides`"
    if value is None:
        return {}
    from dreg.core.rules import RULES  # many modules, and most contracts change no price

    if not isinstance(value, list):
        raise reader.fail(f"{at} is not a list", "write `- {rule: ..., price: ..., reason: ...}`")
    found: dict[str, Override] = {}
    for item in value:
        keys = ("rule", "price", "reason")
        given = reader.mapping(item, f"an entry of {at}", keys, keys)
        rule = reader.one_of(given["rule"], at, "rule", RULES)
        if rule in found:
            raise reader.fail(f"{at} has `{rule}` twice", "keep one of them")
        price = PRICES[reader.one_of(given["price"], f"the override of `{rule}`", "price", PRICES)]
        if rule in OTHER_BYTES and price is Bump.NONE:
            raise reader.fail(
                f"the override of `{rule}` makes it free",
                "other bytes are always another version: patch is the least",
            )
        reason = " ".join(reader.text(given, "reason", f"the override of `{rule}`").split())
        found[rule] = Override(price, reason)
    return found


def _thresholds(reader: Reader, value: Any) -> dict[str, dict[str, float]]:
    at = "`thresholds`"
    if not value:
        return {}
    from dreg.core.rules import RULES

    found: dict[str, dict[str, float]] = {}
    for rule, given in reader.named(value, at, "rule", RULES).items():
        for name, (owner, parameter) in RULES[rule].shares.items():
            if isinstance(given, dict) and name in given:
                raise reader.fail(
                    f"the `{name}` of `{rule}` is that of another rule",
                    f"set it there: {owner}: {{{parameter}: {given[name]}}}",
                )
        own = set(RULES[rule].thresholds) - set(RULES[rule].shares)
        if not own:
            raise reader.fail(
                f"`{rule}` has no thresholds of its own",
                f"see what it tolerates: dreg rules {rule}",
            )
        of = f"{at} of `{rule}`"
        found[rule] = {
            name: reader.number(number, f"`{name}` of `{rule}`", least=0)
            for name, number in reader.named(given, of, "threshold", sorted(own)).items()
        }
    return found
