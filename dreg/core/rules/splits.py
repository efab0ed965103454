"""Rules about splits: which there are, what for, and how many samples they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from dreg.core.profile import Profile
from dreg.core.rules.metrics import changed_figures
from dreg.core.rules.rule import gone, rule, shared, telling
from dreg.core.samples import SampleChanges
from dreg.core.version import Bump
from dreg.core.wording import numbered, tick

SAME_SPLIT = 0.9


@rule(Bump.MAJOR)
def split_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code that loads the split finds no file.

    Before: splits: {train: {num_samples: 800}, test: {num_samples: 200}}
    After: splits: {train: {num_samples: 800}}
    """
    for name in gone(old.splits, new.splits):
        yield f"split {tick(name)} is gone ({numbered(old.splits[name].num_samples, 'sample')})"


@rule(Bump.MAJOR)
def split_renamed(old: Profile, new: Profile, samples: SampleChanges | None) -> Iterator[str]:
    """Training code that loads the split by its old name finds no file.

    Nine tenths of the samples of a split that is gone are in a new one, and are nine tenths of
    those; where single samples are not known, both have as many, with the same figures.

    Before: splits: {train: {num_samples: 800}, val: {num_samples: 200}}
    After: splits: {train: {num_samples: 800}, test: {num_samples: 200}}
    Samples: {moved: [{from: val, to: test, samples: 200}]}
    """
    for name, called in sorted(renamed_splits(old, new, samples).items()):
        yield (
            f"split {tick(name)} ({numbered(old.splits[name].num_samples, 'sample')}) "
            f"is called {tick(called)} now"
        )


def renamed_splits(old: Profile, new: Profile, samples: SampleChanges | None) -> dict[str, str]:
    """New names of splits by old ones, where there is just one that it can be."""
    left, came = gone(old.splits, new.splits), gone(new.splits, old.splits)
    pairs = [(a, b) for a in left for b in came if _same_split(old, new, a, b, samples)]
    return {
        one: other
        for one, other in pairs
        if sum(a == one for a, _ in pairs) == sum(b == other for _, b in pairs) == 1
    }


def _same_split(
    old: Profile, new: Profile, name: str, called: str, samples: SampleChanges | None
) -> bool:
    before, after = old.splits[name], new.splits[called]
    if before.role and after.role and before.role != after.role:
        return False
    if samples is not None:
        stayed = samples.moved.get((name, called), 0)
        return 0 < stayed >= SAME_SPLIT * max(before.num_samples, after.num_samples)
    names = shared(before.columns, after.columns)
    return (
        before.num_samples == after.num_samples
        and before.class_distribution == after.class_distribution
        and any(telling(before.columns[column]) for column in names)
        and not any(changed_figures(before.columns[n], after.columns[n]) for n in names)
    )


def with_splits(old: Profile, names: Mapping[str, str]) -> Profile:
    """The profile with other names of splits, by the old ones."""
    return replace(
        old,
        splits={names.get(name, name): split for name, split in old.splits.items()},
        metrics={names.get(name, name): figures for name, figures in old.metrics.items()},
    )


@rule(Bump.MINOR)
def split_added(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody who loads splits by name.

    Before: splits: {train: {num_samples: 800}}
    After: splits: {train: {num_samples: 800}, test: {num_samples: 200}}
    """
    for name in gone(new.splits, old.splits):
        yield f"split {tick(name)} is new ({numbered(new.splits[name].num_samples, 'sample')})"


@rule(Bump.MAJOR)
def split_role_changed(old: Profile, new: Profile) -> Iterator[str]:
    """A model is scored on samples that it was trained on, or misses those it should train on.

    Before: splits: {val: {num_samples: 200, role: evaluation}}
    After: splits: {val: {num_samples: 200, role: train}}
    """
    for name in shared(old.splits, new.splits):
        before, after = old.splits[name].role, new.splits[name].role
        if before and after and before != after:
            yield f"split {tick(name)} is for {_purpose(after)} instead of {_purpose(before)}"


def _purpose(role: str) -> str:
    return {"train": "training"}.get(role, role)
