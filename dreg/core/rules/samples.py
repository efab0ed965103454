"""Rules about samples: which came, went, were corrected, or are in another split.

Where the sample indexes of both snapshots are at hand they tell; else numbers of samples do.
"""

from __future__ import annotations

from collections.abc import Iterator

from dreg.core.profile import Profile, Split
from dreg.core.rules.metrics import changed_figures
from dreg.core.rules.rule import counted, few, rule, shared, ticked
from dreg.core.samples import SampleChanges
from dreg.core.shares import exceeds
from dreg.core.version import Bump
from dreg.core.wording import numbered, tick

SHARE = 0.05


@rule(Bump.MAJOR)
def samples_moved(old: Profile, new: Profile, samples: SampleChanges | None) -> Iterator[str]:
    """A model trained before is scored on samples that it was trained on, or the other way round.

    Before: splits: {train: {num_samples: 800}, test: {num_samples: 200}}
    After: splits: {train: {num_samples: 790}, test: {num_samples: 210}}
    Samples: {moved: [{from: train, to: test, samples: 10}]}
    """
    moved = samples.moved if samples else {}
    for (out, to), number in sorted(moved.items()):
        are = "is" if number == 1 else "are"
        yield f"{numbered(number, 'sample')} of split {tick(out)} {are} in split {tick(to)} now"


@rule(Bump.MAJOR)
def evaluation_split_changed(
    old: Profile, new: Profile, samples: SampleChanges | None
) -> Iterator[str]:
    """Scores on the split can't be compared with scores from before.

    Before: splits: {test: {num_samples: 200, role: evaluation}}
    After: splits: {test: {num_samples: 210, role: evaluation}}
    Samples: {splits: {test: {added: 10, kept: 200}}}
    """
    for name in shared(old.splits, new.splits):
        before, after = old.splits[name], new.splits[name]
        if before.role != "evaluation":
            continue
        if samples is not None and (told := _told(samples, name)):
            yield f"evaluation split {tick(name)} has other samples: {told}"
        elif samples is not None and samples.contents:
            continue  # to the last bit as it was
        elif before.num_samples != after.num_samples:
            yield f"evaluation {_amounts(name, before, after)}"
        elif counted(before) != counted(after):
            yield f"evaluation split {tick(name)} has other counts per class"
        elif columns := _other_values(old, new, name):
            yield f"evaluation split {tick(name)} has other values of {ticked(columns)}"


@rule(Bump.MINOR)
def samples_added(
    old: Profile, new: Profile, samples: SampleChanges | None, *, share: float = SHARE
) -> Iterator[str]:
    """Models trained before have not seen a good part of what there is now.

    Before: splits: {train: {num_samples: 800}}
    After: splits: {train: {num_samples: 1000}}
    Samples: {splits: {train: {added: 200, kept: 800}}}
    """
    for name, before, after in _compared(old, new):
        more = _added(samples, name, before, after)
        if exceeds(more, before.num_samples, share):
            yield _amounts(name, before, after, f"{more:,} are new")


@rule(Bump.MINOR)
def samples_removed(
    old: Profile, new: Profile, samples: SampleChanges | None, *, share: float = SHARE
) -> Iterator[str]:
    """Models trained from now on don't see a good part of what they saw before.

    Before: splits: {train: {num_samples: 1000}}
    After: splits: {train: {num_samples: 800}}
    Samples: {splits: {train: {removed: 200, kept: 800}}}
    """
    for name, before, after in _compared(old, new):
        fewer = _removed(samples, name, before, after)
        if exceeds(fewer, before.num_samples, share):
            yield _amounts(name, before, after, f"{fewer:,} are gone")


@rule(Bump.MINOR)
def samples_changed(
    old: Profile, new: Profile, samples: SampleChanges | None, *, share: float = SHARE
) -> Iterator[str]:
    """Models trained before learnt from values that a good part of the samples has no more.

    Before: splits: {train: {num_samples: 1000}}
    After: splits: {train: {num_samples: 1000}}
    Samples: {keyed: true, splits: {train: {changed: 300, kept: 700}}}
    """
    for name, before, _ in _compared(old, new):
        changed = samples.of(name).changed if samples else 0
        if exceeds(changed, before.num_samples, share):
            have = "has" if changed == 1 else "have"
            yield (
                f"{changed:,} of the {numbered(before.num_samples, 'sample')} "
                f"of split {tick(name)} {have} other values"
            )


@rule(
    Bump.PATCH,
    added=("samples-added", "share"),
    removed=("samples-removed", "share"),
    changed=("samples-changed", "share"),
)
def samples_corrected(
    old: Profile,
    new: Profile,
    samples: SampleChanges | None,
    *,
    added: float = SHARE,
    removed: float = SHARE,
    changed: float = SHARE,
) -> Iterator[str]:
    """Nobody much: a few samples came, went, or have other values.

    Before: splits: {train: {num_samples: 1000}}
    After: splits: {train: {num_samples: 998}}
    Samples: {splits: {train: {removed: 2, kept: 998}}}
    """
    for name, before, after in _compared(old, new):
        numbers = {
            "new": (_added(samples, name, before, after), added),
            "gone": (_removed(samples, name, before, after), removed),
            "corrected": (samples.of(name).changed if samples else 0, changed),
        }
        few_of = [
            f"{number:,} {'is' if number == 1 else 'are'} {what}"
            for what, (number, most) in numbers.items()
            if number > 0 and not exceeds(number, before.num_samples, most)
        ]
        if few_of:
            yield _amounts(name, before, after, few(few_of))


def _compared(old: Profile, new: Profile) -> Iterator[tuple[str, Split, Split]]:
    """Splits in both, but those for evaluation: any change of theirs has a price of its own."""
    for name in shared(old.splits, new.splits):
        if old.splits[name].role != "evaluation":
            yield name, old.splits[name], new.splits[name]


def _added(samples: SampleChanges | None, name: str, before: Split, after: Split) -> int:
    if samples is None:
        return max(0, after.num_samples - before.num_samples)
    return samples.of(name).added


def _removed(samples: SampleChanges | None, name: str, before: Split, after: Split) -> int:
    if samples is None:
        return max(0, before.num_samples - after.num_samples)
    return samples.of(name).removed


def _amounts(name: str, before: Split, after: Split, what: str = "") -> str:
    """The split with its numbers; `what` says more, where they alone don't say it."""
    more = after.num_samples - before.num_samples
    if not more:
        return f"split {tick(name)} has {numbered(after.num_samples, 'sample')} as before; {what}"
    share = f" ({more / before.num_samples:+.1%})" if before.num_samples else ""
    amounts = (
        f"split {tick(name)} has {numbered(after.num_samples, 'sample')} "
        f"instead of {before.num_samples:,}{share}"
    )
    plain = {f"{abs(more):,} {verb} {word}" for verb in ("is", "are") for word in ("new", "gone")}
    return amounts if not what or what in plain else f"{amounts}; {what}"


def _told(samples: SampleChanges, name: str) -> str:
    """What became of a split's samples; empty if nothing did."""
    split = samples.of(name)
    numbers = {
        "added": split.added,
        "removed": split.removed,
        "changed": split.changed,
        "came from another split": samples.came(name),
        "went to another split": samples.went(name),
    }
    return ", ".join(f"{number:,} {what}" for what, number in numbers.items() if number)


def _other_values(old: Profile, new: Profile, split: str) -> list[str]:
    """Columns in both whose statistics differ, although the samples are as many."""
    before, after = old.splits[split].columns, new.splits[split].columns
    return [name for name in shared(before, after) if changed_figures(before[name], after[name])]
