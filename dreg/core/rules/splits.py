"""Rules about splits: which there are, what for, and how many samples they have."""

from __future__ import annotations

from collections.abc import Iterator

from dreg.core.profile import Profile, Split
from dreg.core.rules.figures import changed_figures
from dreg.core.rules.rule import counted, gone, rule, shared, ticked
from dreg.core.version import Bump

SHARE = 0.05


@rule(Bump.MAJOR)
def split_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code that loads the split finds no file.

    Before: splits: {train: {num_samples: 800}, test: {num_samples: 200}}
    After: splits: {train: {num_samples: 800}}
    """
    for name in gone(old.splits, new.splits):
        yield f"split `{name}` is gone ({old.splits[name].num_samples:,} samples)"


@rule(Bump.MINOR)
def split_added(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody who loads splits by name.

    Before: splits: {train: {num_samples: 800}}
    After: splits: {train: {num_samples: 800}, test: {num_samples: 200}}
    """
    for name in gone(new.splits, old.splits):
        yield f"split `{name}` is new ({new.splits[name].num_samples:,} samples)"


@rule(Bump.MAJOR)
def split_role_changed(old: Profile, new: Profile) -> Iterator[str]:
    """A model is scored on samples that it was trained on, or misses those it should train on.

    Before: splits: {val: {num_samples: 200, role: evaluation}}
    After: splits: {val: {num_samples: 200, role: train}}
    """
    for name in shared(old.splits, new.splits):
        before, after = old.splits[name].role, new.splits[name].role
        if before and after and before != after:
            yield f"split `{name}` is for {_purpose(after)} instead of {_purpose(before)}"


@rule(Bump.MAJOR)
def evaluation_split_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Scores on the split can't be compared with scores from before.

    Before: splits: {test: {num_samples: 200, role: evaluation}}
    After: splits: {test: {num_samples: 210, role: evaluation}}
    """
    for name in shared(old.splits, new.splits):
        before, after = old.splits[name], new.splits[name]
        if before.role != "evaluation":
            continue
        if before.num_samples != after.num_samples:
            yield f"evaluation {_amounts(name, before, after)}"
        elif counted(before) != counted(after):
            yield f"evaluation split `{name}` has other counts per class"
        elif columns := _other_values(old, new, name):
            yield f"evaluation split `{name}` has other values of {ticked(columns)}"


@rule(Bump.MINOR)
def samples_added(old: Profile, new: Profile, *, share: float = SHARE) -> Iterator[str]:
    """Models trained before have not seen a good part of what there is now.

    Before: splits: {train: {num_samples: 800}}
    After: splits: {train: {num_samples: 1000}}
    """
    for name, before, after in _compared(old, new):
        if after.num_samples - before.num_samples > share * before.num_samples:
            yield _amounts(name, before, after)


@rule(Bump.MINOR)
def samples_removed(old: Profile, new: Profile, *, share: float = SHARE) -> Iterator[str]:
    """Models trained from now on see a good part less than before.

    Before: splits: {train: {num_samples: 1000}}
    After: splits: {train: {num_samples: 800}}
    """
    for name, before, after in _compared(old, new):
        if before.num_samples - after.num_samples > share * before.num_samples:
            yield _amounts(name, before, after)


@rule(Bump.PATCH, added=("samples-added", "share"), removed=("samples-removed", "share"))
def samples_corrected(
    old: Profile, new: Profile, *, added: float = SHARE, removed: float = SHARE
) -> Iterator[str]:
    """Nobody much: a few samples more or less.

    Before: splits: {train: {num_samples: 1000}}
    After: splits: {train: {num_samples: 998}}
    """
    for name, before, after in _compared(old, new):
        more = after.num_samples - before.num_samples
        if more and abs(more) <= (added if more > 0 else removed) * before.num_samples:
            yield _amounts(name, before, after)


def _compared(old: Profile, new: Profile) -> Iterator[tuple[str, Split, Split]]:
    """Splits in both, but those for evaluation: any change of theirs has a price of its own."""
    for name in shared(old.splits, new.splits):
        if old.splits[name].role != "evaluation":
            yield name, old.splits[name], new.splits[name]


def _amounts(name: str, before: Split, after: Split) -> str:
    share = ""
    if before.num_samples:
        share = f" ({after.num_samples / before.num_samples - 1:+.1%})"
    return (
        f"split `{name}` has {after.num_samples:,} samples instead of {before.num_samples:,}{share}"
    )


def _other_values(old: Profile, new: Profile, split: str) -> list[str]:
    """Columns in both whose statistics differ, although the samples are as many."""
    before, after = old.splits[split].columns, new.splits[split].columns
    return [name for name in shared(before, after) if changed_figures(before[name], after[name])]


def _purpose(role: str) -> str:
    return {"train": "training"}.get(role, role)
