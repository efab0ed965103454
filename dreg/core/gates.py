"""Gates: bounds in a contract that a release has to stay within, unless a person lets it pass.

A promise (column, type, range) is what consumers rely on, and is never let pass; a gate is what
the owner watches. All of them look at the profile; drift also at the last release's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dreg.core.profile import Number, Profile, Split
from dreg.core.reader import Reader, whole

NO_SHARE = 1e-4  # stands for a class without samples: PSI has no value there


@dataclass(frozen=True)
class Bound:
    """Lowest and highest value that a figure may have; None is no bound."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Gates:
    """The bounds: of samples by split, of nulls by column, of metrics by split and name, of drift.

    A bound of nulls is a count in each split where it is a whole number, else a share. Drift since
    the last release has a bound on `mean` (how far means moved, in old deviations), `std` (how many
    times as wide or narrow) and `classes` (population stability index of the classes).
    """

    min_samples: Mapping[str, int] = field(default_factory=dict)
    min_samples_per_class: Mapping[str, int] = field(default_factory=dict)
    max_nulls: Mapping[str, Number] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Bound]] = field(default_factory=dict)
    max_drift: Mapping[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many bounds there are."""
        flat = (self.min_samples, self.min_samples_per_class, self.max_nulls, self.max_drift)
        return sum(map(len, flat)) + sum(map(len, self.metrics.values()))


GATES = tuple(Gates.__dataclass_fields__)
DRIFTS = ("mean", "std", "classes")


@dataclass(frozen=True)
class Breach:
    """A bound that is not kept: the gate, what it is about, the figure and the bound."""

    gate: str
    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.gate}: {self.about} {self.text}"


def breaches(
    gates: Gates, classes: Sequence[str], profile: Profile, before: Profile | None = None
) -> tuple[Breach, ...]:
    """Every bound that `profile` does not keep, sorted.

    `classes` are those that the label promises; `before` is the last release's profile, None before
    the first: then nothing has drifted.
    """
    found = [
        *_samples(gates, profile),
        *_classes(gates, classes, profile),
        *_nulls(gates, profile),
        *_metrics(gates, profile),
        *(_drift(gates, before, profile) if before else ()),
    ]
    return tuple(sorted(found, key=str))


def _samples(gates: Gates, profile: Profile) -> Iterator[Breach]:
    for name, least in gates.min_samples.items():
        samples = profile.splits[name].num_samples if name in profile.splits else 0
        if samples < least:
            text = f"has {samples:,} samples, at least {least:,} are asked for"
            yield Breach("min_samples", f"split `{name}`", text)


def _classes(gates: Gates, classes: Sequence[str], profile: Profile) -> Iterator[Breach]:
    for name, least in gates.min_samples_per_class.items():
        counts = profile.splits[name].class_distribution if name in profile.splits else {}
        for label in sorted({*classes, *counts}):
            samples = counts.get(label, 0)
            if samples < least:
                text = f"has {samples:,} samples of `{label}`, at least {least:,} are asked for"
                yield Breach("min_samples_per_class", f"split `{name}`", text)


def _nulls(gates: Gates, profile: Profile) -> Iterator[Breach]:
    for column, most in gates.max_nulls.items():
        feature = profile.features.get(column)
        if feature is None or not feature.nullable:
            continue  # a missing column breaks a promise, and says so
        about = f"column `{column}`"
        for name, split in profile.splits.items():
            nulls = split.columns.get(column, {}).get("nulls")
            if nulls is None:
                text = f"has no count of nulls in split `{name}`, and a bound on them"
                yield Breach("max_nulls", about, text)
            elif whole(most) and nulls > most:
                text = f"has {nulls:,} nulls in split `{name}`, at most {most:,} may be"
                yield Breach("max_nulls", about, text)
            elif not whole(most) and nulls > most * split.num_samples:
                share = nulls / split.num_samples if split.num_samples else 1.0
                text = f"has {share:.2%} nulls in split `{name}`, at most {most:.2%} may be"
                yield Breach("max_nulls", about, text)


def _metrics(gates: Gates, profile: Profile) -> Iterator[Breach]:
    for split, bounds in gates.metrics.items():
        for name, bound in bounds.items():
            about = f"figure `{name}` of split `{split}`"
            figure = profile.metrics.get(split, {}).get(name)
            if figure is None:
                yield Breach("metrics", about, "is not measured, and has a bound")
                continue
            # Asked this way round, NaN is within no bound.
            if bound.min is not None and not figure >= bound.min:
                text = f"is {figure:.6g}, at least {bound.min:.6g} is asked for"
                yield Breach("metrics", about, text)
            if bound.max is not None and not figure <= bound.max:
                yield Breach("metrics", about, f"is {figure:.6g}, at most {bound.max:.6g} may be")


def _drift(gates: Gates, before: Profile, after: Profile) -> Iterator[Breach]:
    for name in sorted(before.splits.keys() & after.splits.keys()):
        old, new = before.splits[name], after.splits[name]
        for about, drift, figure in _drifts(name, old, new):
            most = gates.max_drift.get(drift)
            if most is not None and not figure <= most:
                text = f"{_MOVED[drift].format(figure)} since the last release, at most {most:.6g} may be"
                yield Breach("max_drift", about, text)


_MOVED = {
    "mean": "has its mean {:.6g} old deviations away",
    "std": "has a deviation that is {:.6g} times as wide or narrow",
    "classes": "has a PSI of its classes of {:.6g}",
}


def _drifts(split: str, old: Split, new: Split) -> Iterator[tuple[str, str, float]]:
    """What drifted: what it is about, the kind of drift, by how much."""
    for column in sorted(old.columns.keys() & new.columns.keys()):
        before, after = old.columns[column], new.columns[column]
        about = f"column `{column}` of split `{split}`"
        if {"mean", "std"} <= before.keys() & after.keys():
            distance = abs(float(after["mean"]) - float(before["mean"]))
            yield about, "mean", _ratio(distance, float(before["std"])) if distance else 0.0
            wide, narrow = sorted((float(before["std"]), float(after["std"])), reverse=True)
            yield about, "std", _ratio(wide, narrow) if wide else 1.0
    if sum(old.class_distribution.values()) and sum(new.class_distribution.values()):
        index = stability_index(old.class_distribution, new.class_distribution)
        yield f"split `{split}`", "classes", index


def stability_index(before: Mapping[str, int], after: Mapping[str, int]) -> float:
    """The population stability index of two counts by class, of which neither is empty.

    Below 0.1 is usually called stable, above 0.25 shifted. A class that one side lacks counts
    there with a share of 0.0001.
    """
    old_total, new_total = sum(before.values()), sum(after.values())
    shares = (
        (
            max(before.get(label, 0) / old_total, NO_SHARE),
            max(after.get(label, 0) / new_total, NO_SHARE),
        )
        for label in sorted(before.keys() | after.keys())
    )
    return math.fsum((now - then) * math.log(now / then) for then, now in shares)


def _ratio(one: float, other: float) -> float:
    return one / other if other else math.inf


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
