"""Rules about classes: their names, and the numbers that stand for them in the data."""

from __future__ import annotations

from collections.abc import Iterator

from dreg.core.profile import Profile
from dreg.core.rules.rule import counted, few, gone, relabelled, rule, shared, ticked
from dreg.core.version import Bump
from dreg.core.wording import tick


@rule(Bump.MAJOR)
def class_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Models that predict the class, and reports about it, find no sample of it any more.

    Before: schema: {features: {label: {type: int64, classes: [anger, joy, grief]}}}
    After: schema: {features: {label: {type: int64, classes: [anger, joy]}}}
    """
    explained: set[str] = set()
    for name in shared(old.features, new.features):
        before, after = old.features[name].classes, new.features[name].classes
        lost = gone(before, after)
        explained.update(lost)
        if lost and not after:
            yield f"column {tick(name)} does not name its classes any more"
        elif lost:
            yield f"column {tick(name)} has lost {_classes(lost)}"
    vanished = gone(_met(old), _met(new) | explained)
    # A split that is gone takes its counts along; that is its own finding.
    if vanished and not gone(old.splits, new.splits) and not relabelled(old, new):
        if _met(new):
            yield f"no sample is of {_classes(vanished)} any more"
        else:
            yield "samples are not counted by class any more"


@rule(Bump.MAJOR)
def class_remapped(old: Profile, new: Profile) -> Iterator[str]:
    """The same number means another class: models trained before predict wrong names, silently.

    Before: schema: {features: {label: {type: int64, classes: [cat, dog]}}}
    After: schema: {features: {label: {type: int64, classes: [dog, cat]}}}
    """
    for name in shared(old.features, new.features):
        before, after = _indexes(old, name), _indexes(new, name)
        moved = [
            f"{tick(label)} is {after[label]} instead of {before[label]}"
            for label in old.features[name].classes
            if label in after and after[label] != before[label]
        ]
        moved += [
            f"{index} is {tick(label)} instead of {tick(was)}"
            for index, (was, label) in enumerate(
                zip(old.features[name].classes, new.features[name].classes, strict=False)
            )
            if was not in after and label not in before
        ]
        if moved:
            yield f"in column {tick(name)}, {few(moved)}"


@rule(Bump.MINOR)
def class_added(old: Profile, new: Profile) -> Iterator[str]:
    """Models trained before can't predict the new class.

    Before: schema: {features: {label: {type: int64, classes: [anger, joy]}}}
    After: schema: {features: {label: {type: int64, classes: [anger, joy, grief]}}}
    """
    explained: set[str] = set()
    for name in shared(old.features, new.features):
        before, after = old.features[name].classes, new.features[name].classes
        won = gone(after, before)
        explained.update(won)
        if won and not before:
            yield f"column {tick(name)} names its classes now: {ticked(after)}"
        elif won:
            yield f"column {tick(name)} has the new {_classes(won)}"
    appeared = gone(_met(new), _met(old) | explained)
    if appeared and not gone(new.splits, old.splits) and not relabelled(old, new):
        if _met(old):
            yield f"there are samples of the new {_classes(appeared)}"
        else:
            yield f"samples are counted by class now: {ticked(appeared)}"


def _met(profile: Profile) -> set[str]:
    """Classes of which there is a sample in some split."""
    return {label for split in profile.splits.values() for label in counted(split)}


def _indexes(profile: Profile, column: str) -> dict[str, int]:
    return {label: index for index, label in enumerate(profile.features[column].classes)}


def _classes(names: list[str]) -> str:
    return f"class {ticked(names)}" if len(names) == 1 else f"classes {ticked(names)}"
