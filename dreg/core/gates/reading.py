"""Reading the gates of a contract."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from dreg.core.gates.bounds import DRIFTS, GATES, Bound, Gates
from dreg.core.profile import Number
from dreg.core.reader import Reader, whole


def read_gates(
    reader: Reader, value: object, splits: Sequence[str], columns: Sequence[str], label: str | None
) -> Gates:
    """The gates of a contract with these splits, columns and label. Raises BadRequest."""
    if value is None:
        return Gates()
    given = reader.mapping(value, "`gates`", GATES)
    if label is None and given.get("min_samples_per_class") is not None:
        raise reader.fail(
            "`min_samples_per_class` counts classes, and there is no `label`",
            "name the column of classes: `label: NAME`",
        )

    def each(gate: str, what: str, names: Sequence[str]) -> Mapping[str, object]:
        """A bound for each name, where just one is written as well."""
        written, at = given.get(gate), f"`{gate}`"
        if written is None or isinstance(written, dict):
            return reader.named(written or {}, at, what, names)
        return dict.fromkeys(names, written)

    def counts(gate: str) -> dict[str, int]:
        bounds = each(gate, "split", splits).items()
        return {name: reader.count(bound, f"`{gate}` of `{name}`") for name, bound in bounds}

    return Gates(
        min_samples=counts("min_samples"),
        min_samples_per_class=counts("min_samples_per_class"),
        max_nulls={
            name: _nulls_bound(reader, bound, f"`max_nulls` of `{name}`")
            for name, bound in each("max_nulls", "column", columns).items()
        },
        metrics={
            split: _metric_bounds(reader, bounds, f"`metrics` of `{split}`")
            for split, bounds in reader.named(
                given.get("metrics") or {}, "`metrics`", "split", splits
            ).items()
        },
        max_leakage=(
            None
            if given.get("max_leakage") is None
            else reader.count(given["max_leakage"], "`max_leakage`")
        ),
        max_near_duplicates={
            name: reader.count(bound, f"`max_near_duplicates` of `{name}`")
            for name, bound in reader.named(
                given.get("max_near_duplicates") or {}, "`max_near_duplicates`", "column", columns
            ).items()
        },
        max_drift={
            drift: reader.number(bound, f"`max_drift` of `{drift}`", least=drift == "std")
            for drift, bound in reader.named(
                given.get("max_drift") or {}, "`max_drift`", "drift", DRIFTS
            ).items()
        },
    )


def _nulls_bound(reader: Reader, value: object, at: str) -> Number:
    bound = reader.number(value, at, least=0)
    if not whole(bound) and bound >= 1:
        hint = "write a count (10) or a share of the samples (0.05)"
        raise reader.fail(f"{at} is {bound}, neither a count nor a share", hint)
    return bound


def _metric_bounds(reader: Reader, value: object, at: str) -> dict[str, Bound]:
    if not isinstance(value, dict):
        raise reader.fail(f"{at} is not a mapping", "write `name: {min: 0.1, max: 0.9}`")
    found = {}
    for key, bounds in value.items():
        name = reader.name(key, at)
        of = f"the bound of `{name}`"
        given = reader.mapping(bounds, of, ("min", "max"))
        ends = {end: reader.number(number, f"`{end}` of `{name}`") for end, number in given.items()}
        if not ends or ends.get("min", -math.inf) > ends.get("max", math.inf):
            raise reader.fail(f"{of} bounds nothing", "write `min`, `max` or both, in this order")
        found[name] = Bound(**ends)
    return found
