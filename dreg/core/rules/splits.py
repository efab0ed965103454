"""Rules about splits: which there are, what for, and how many samples they have."""

from __future__ import annotations

from collections.abc import Iterator

from dreg.core.profile import Profile
from dreg.core.rules.rule import gone, rule, shared
from dreg.core.version import Bump
from dreg.core.wording import numbered, tick


@rule(Bump.MAJOR)
def split_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code that loads the split finds no file.

    Before: splits: {train: {num_samples: 800}, test: {num_samples: 200}}
    After: splits: {train: {num_samples: 800}}
    """
    for name in gone(old.splits, new.splits):
        yield f"split {tick(name)} is gone ({numbered(old.splits[name].num_samples, 'sample')})"


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
