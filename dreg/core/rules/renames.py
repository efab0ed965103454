"""Names of columns and classes that changed: which is which, and how the other rules are told.

A column that is called otherwise is one finding. Every other rule compares it with itself: it
gets the old profile with the new names in it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from difflib import SequenceMatcher
from typing import TypeVar

from dreg.core.profile import Feature, Profile, Split
from dreg.core.rules.figures import PSI, SHIFT, drifted
from dreg.core.rules.metrics import changed_figures
from dreg.core.rules.rule import counted, gone, rule, shared, telling
from dreg.core.types import spelled
from dreg.core.version import Bump
from dreg.core.wording import tick

SIMILAR = 0.6
MOST_PAIRS = 10_000  # more columns that came and went at once are another table, not other names

SAME_FIGURES, ALIKE, SAME_NAME = range(3)  # evidence, the best first
BECAUSE = {
    SAME_FIGURES: "it has the same type, and the same figures in every split",
    ALIKE: "the names are alike, the type is the same and the figures are close",
    SAME_NAME: "the names are alike and the type is the same",
}
OTHER_TYPE = {
    SAME_FIGURES: "it has the same figures in every split",
    ALIKE: "the names are alike and the figures are close",
}
_NUMBERS = re.compile(r"u?int\d+|float\d+|decimal.*")

Value = TypeVar("Value")


@rule(Bump.MAJOR)
def column_renamed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code that reads the column by its old name stops working.

    A column that is gone is recognised in a new one of the same type, or of other numbers, by its
    figures, or by a similar name and close figures.

    Before:
      schema: {features: {alcohol: {type: float64}}}
      splits: {train: {num_samples: 800, columns: {alcohol: {min: 8, max: 14.9, mean: 10.5}}}}
    After:
      schema: {features: {abv: {type: float64}}}
      splits: {train: {num_samples: 800, columns: {abv: {min: 8, max: 14.9, mean: 10.5}}}}
    """
    for name, (called, evidence) in sorted(renamed(old, new).items()):
        same = spelled(old.features[name].type) == spelled(new.features[called].type)
        because = (BECAUSE if same else OTHER_TYPE)[evidence]
        yield f"column {tick(name)} is called {tick(called)} now: {because}"


@rule(Bump.MAJOR)
def class_renamed(old: Profile, new: Profile) -> Iterator[str]:
    """Code that names the class doesn't find it; its index and its samples are as before.

    Before:
      schema: {features: {label: {type: int64, classes: [cat, dog]}}}
      splits: {train: {num_samples: 100, class_distribution: {cat: 60, dog: 40}}}
    After:
      schema: {features: {label: {type: int64, classes: [cat, hound]}}}
      splits: {train: {num_samples: 100, class_distribution: {cat: 60, hound: 40}}}
    """
    for name, called in sorted(_renamed_classes(_with_columns(old, new), new).items()):
        yield f"class {tick(name)} is called {tick(called)} now, with the same index and as many samples"


def followed(old: Profile, new: Profile) -> Profile:
    """`old`, its columns and classes called as they are in `new`; splits have the same names."""
    return _with_classes(_with_columns(old, new), new)


def renamed(old: Profile, new: Profile) -> dict[str, tuple[str, int]]:
    """New name and evidence by old name, each column in one pair at most, the best pairs first."""
    left, came = gone(old.features, new.features), gone(new.features, old.features)
    if len(left) * len(came) > MOST_PAIRS:
        return {}
    pairs = []
    for name in left:
        for called in came:
            evidence = _evidence(old, new, name, called)
            if evidence is not None:
                # The order of a pair doesn't count: there and back again gives the same pairs.
                one, other = sorted((name, called))
                pairs.append((evidence, -_likeness(one, other), one, other, name, called))
    found: dict[str, tuple[str, int]] = {}
    taken: set[str] = set()
    for evidence, _, _, _, name, called in sorted(pairs):
        if name not in found and called not in taken:
            found[name] = called, evidence
            taken.add(called)
    return found


def _evidence(old: Profile, new: Profile, name: str, called: str) -> int | None:
    """What speaks for `called` being what `name` was; None if nothing does, or something against."""
    feature = old.features[name]
    if _kind(feature) != _kind(new.features[called]):
        return None
    same, close, compared, told_apart = True, True, False, False
    for split in shared(old.splits, new.splits):
        before, after = _only(old.splits[split], name, called), new.splits[split]
        if called in old.splits[split].columns or name in after.columns:
            return None
        if called not in before.columns or called not in after.columns:
            same = False
            continue
        one, other = before.columns[called], after.columns[called]
        histograms = [side.histograms.get(called) for side in (before, after)]
        same &= not changed_figures(one, other) and (
            None in histograms or histograms[0] == histograms[1]
        )
        compared |= bool(one.keys() & other.keys() - {"nulls", "not_finite"})
        told_apart |= telling(one) and telling(other)
        close &= not any(
            drifted(*sides, called, PSI, SHIFT) for sides in ((before, after), (after, before))
        )
    if same and told_apart:
        return SAME_FIGURES
    likeness = _likeness(*sorted((name, called)))
    if close and compared and likeness >= SIMILAR:
        return ALIKE
    alike = likeness >= (SIMILAR if feature.shape else 1)
    if close and alike and spelled(feature.type) == spelled(new.features[called].type):
        return SAME_NAME
    return None


def _kind(feature: Feature) -> tuple[object, ...]:
    """What a column is beside its name; numbers of one type may become those of another."""
    kind = _NUMBERS.sub("number", spelled(feature.type))
    return kind, feature.shape, feature.unit, feature.classes, feature.model


def _likeness(one: str, other: str) -> float:
    """From 0 to 1 for the same name, whatever its case and punctuation."""
    first, second = (re.sub(r"[\W_]+", "", name.casefold()) or name for name in (one, other))
    shorter, longer = sorted((first, second), key=len)
    if len(shorter) > 2 and shorter != longer and longer.startswith(shorter):
        return 0.9  # lat and latitude
    return SequenceMatcher(None, first, second).ratio()


def _only(split: Split, name: str, called: str) -> Split:
    """The split with the one column, if it has figures, under its other name."""
    return replace(
        split,
        columns={called: split.columns[name]} if name in split.columns else {},
        histograms={called: split.histograms[name]} if name in split.histograms else {},
    )


def _with_columns(old: Profile, new: Profile) -> Profile:
    names = {name: called for name, (called, _) in renamed(old, new).items()}
    return with_names(old, names) if names else old


def with_names(old: Profile, names: Mapping[str, str]) -> Profile:
    """The profile with other names of columns, by the old ones."""
    return replace(
        old,
        features=_called(old.features, names),
        splits={
            name: replace(
                split,
                columns=_called(split.columns, names),
                histograms=_called(split.histograms, names),
            )
            for name, split in old.splits.items()
        },
        key=old.key and tuple(names.get(name, name) for name in old.key),
        label=old.label and names.get(old.label, old.label),
    )


def _with_classes(old: Profile, new: Profile) -> Profile:
    names = _renamed_classes(old, new)
    if not names:
        return old
    return replace(
        old,
        features={
            name: replace(feature, classes=tuple(names.get(c, c) for c in feature.classes))
            for name, feature in old.features.items()
        },
        splits={
            name: replace(split, class_distribution=_called(split.class_distribution, names))
            for name, split in old.splits.items()
        },
    )


def _renamed_classes(old: Profile, new: Profile) -> dict[str, str]:
    """New names by old ones, of classes that kept their index and their samples in every split."""
    found: dict[str, str] = {}
    for column in shared(old.features, new.features):
        before, after = old.features[column].classes, new.features[column].classes
        pairs = zip(before, after, strict=False) if len(before) == len(after) else ()
        found |= {name: called for name, called in pairs if _same_class(old, new, name, called)}
    return found


def _same_class(old: Profile, new: Profile, name: str, called: str) -> bool:
    if name == called or _known(new, name) or _known(old, called):
        return False
    pairs = [
        (counted(old.splits[split]).get(name), counted(new.splits[split]).get(called))
        for split in shared(old.splits, new.splits)
    ]
    return any(before for before, _ in pairs) and all(before == after for before, after in pairs)


def _known(profile: Profile, label: str) -> bool:
    return any(label in feature.classes for feature in profile.features.values()) or any(
        label in split.class_distribution for split in profile.splits.values()
    )


def _called(values: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    return {names.get(name, name): value for name, value in values.items()}
