"""Rules about how samples are found: their files, the key that tells them apart, the label."""

from __future__ import annotations

from collections.abc import Iterator

from dreg.core.file_formats import ending
from dreg.core.profile import Profile
from dreg.core.rules.rule import gone, relabelled, rule, shared, ticked
from dreg.core.version import Bump
from dreg.core.wording import tick


@rule(Bump.MAJOR)
def format_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code opens the files with a reader that can't read them.

    Before: splits: {train: {num_samples: 800, files: [train.parquet], format: parquet}}
    After: splits: {train: {num_samples: 800, files: [train.csv], format: csv}}
    """
    for name in shared(old.splits, new.splits):
        before, after = old.splits[name].format, new.splits[name].format
        if before and after and before != after:
            yield f"split {tick(name)} is in {after} instead of {before}"


@rule(Bump.MAJOR)
def layout_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code looks for files where there are none, or misses those it doesn't look for.

    How many files match a pattern is nobody's business.

    Before: splits: {train: {num_samples: 800, files: [processed/train.parquet]}}
    After: splits: {train: {num_samples: 800, files: [processed/train-*.parquet]}}
    """
    for name in shared(old.splits, new.splits):
        before, after = old.splits[name], new.splits[name]
        if not before.files or not after.files:
            continue
        one, other = set(before.files), set(after.files)
        if before.format and after.format and before.format != after.format:
            # Another ending goes with the format, and is told there.
            one, other = ({ending(file)[0] for file in files} for files in (one, other))
        if one == other:
            continue
        if lost := gone(before.files, after.files):
            instead = gone(after.files, before.files) or after.files
            yield f"the files of split {tick(name)} are {ticked(instead)} instead of {ticked(lost)}"
        else:
            yield f"split {tick(name)} has further files: {ticked(gone(after.files, before.files))}"


@rule(Bump.MAJOR)
def key_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Whoever joins predictions, labels or exclusion lists by the key matches other samples, or none.

    Before: schema: {features: {}, key: [id]}
    After: schema: {features: {}, key: [patient, visit]}
    """
    before, after = old.key, new.key
    if before and after is not None and before != after:
        now = ticked(after) if after else "their content"
        order = ", in another order" if sorted(before) == sorted(after) else ""
        yield f"samples are told apart by {now} instead of {ticked(before)}{order}"


@rule(Bump.MAJOR)
def label_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Models trained before predict something else than the dataset asks for now.

    Before: schema: {features: {}, label: quality}
    After: schema: {features: {}, label: colour}
    """
    if relabelled(old, new):
        now = f"column {tick(new.label)} is the label" if new.label else "no column is the label"
        yield f"{now} instead of {tick(old.label or '')}"
