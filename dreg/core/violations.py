"""Where a dataset breaks its contract: the promise against the measured profile."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dreg.core.contract import Column, Contract
from dreg.core.profile import Feature, Number, Profile, Split
from dreg.core.types import spelled


@dataclass(frozen=True)
class Violation:
    """One broken promise: what it is about, such as "column `pH`", and what is wrong with it."""

    about: str
    text: str

    def __str__(self) -> str:
        return f"{self.about} {self.text}"


def violations(contract: Contract, profile: Profile) -> tuple[Violation, ...]:
    """Every promise of `contract` that `profile` breaks, sorted; empty if it keeps them all."""
    return tuple(
        sorted(
            (
                *_columns(contract, profile),
                *_splits(contract, profile),
                *_labels(contract, profile),
            ),
            key=str,
        )
    )


def _columns(contract: Contract, profile: Profile) -> Iterator[Violation]:
    for name, promised in contract.columns.items():
        about = f"column `{name}`"
        measured = profile.features.get(name)
        if measured is None:
            yield Violation(about, "is missing")
            continue
        for text in (*_as_promised(promised, measured), *_values(name, promised, profile)):
            yield Violation(about, text)
    for name in profile.features.keys() - contract.columns.keys():
        yield Violation(f"column `{name}`", "is not in the contract")


def _as_promised(promised: Column, measured: Feature) -> Iterator[str]:
    if spelled(measured.type) != spelled(promised.type):
        yield f"is {measured.type}, promised {promised.type}"
    if measured.shape != promised.shape:
        yield f"has the shape {list(measured.shape)}, promised {list(promised.shape)}"
    if measured.classes != promised.classes:
        yield (
            f"has the classes {_list(measured.classes) or 'none'}, "
            f"promised {_list(promised.classes) or 'none'}"
        )
    if measured.unit != promised.unit:
        yield f"is in {measured.unit or 'no unit'}, promised {promised.unit or 'none'}"


def _values(name: str, promised: Column, profile: Profile) -> Iterator[str]:
    """What the statistics of each split say about the column's values."""
    counted = False
    for split_name, split in sorted(profile.splits.items()):
        figures = split.columns.get(name, {})
        where = f"in split `{split_name}`"
        if nulls := figures.get("nulls", 0):
            counted = True
            if not promised.nullable:
                yield f"has {nulls:,} nulls {where}, promised none"
        if promised.range is not None:
            if odd := figures.get("not_finite", 0):
                yield f"has {odd:,} values that are NaN or infinite {where}, promised a range"
            yield from _range(promised.range, figures.get("min"), figures.get("max"), where)
    if profile.features[name].nullable and not promised.nullable and not counted:
        yield "is nullable, promised not to be"


def _range(
    bounds: tuple[float, float], low: Number | None, high: Number | None, where: str
) -> Iterator[str]:
    # Asked this way round, NaN is outside of every range.
    if low is not None and not low >= bounds[0]:
        yield f"goes down to {low:g} {where}, promised at least {bounds[0]:g}"
    if high is not None and not high <= bounds[1]:
        yield f"goes up to {high:g} {where}, promised at most {bounds[1]:g}"


def _splits(contract: Contract, profile: Profile) -> Iterator[Violation]:
    for name, promised in contract.splits.items():
        about = f"split `{name}`"
        measured = profile.splits.get(name)
        if measured is None:
            yield Violation(about, "is missing")
        elif measured.num_samples == 0:
            yield Violation(about, "is empty")
        elif promised.samples is not None and measured.num_samples != promised.samples:
            yield Violation(
                about, f"has {measured.num_samples:,} samples, promised {promised.samples:,}"
            )
        if measured and measured.role and measured.role != promised.role:
            yield Violation(about, f"was measured as {measured.role}, promised {promised.role}")
    for name in profile.splits.keys() - contract.splits.keys():
        yield Violation(f"split `{name}`", "is not in the contract")


def _labels(contract: Contract, profile: Profile) -> Iterator[Violation]:
    if contract.label is None:
        return
    about = f"label `{contract.label}`"
    promised = contract.columns[contract.label].classes
    for name, split in sorted(profile.splits.items()):
        if split.num_samples and not split.class_distribution:
            yield Violation(about, f"is not counted by class in split `{name}`")
        yield from (Violation(about, f"has {text}") for text in _unpromised(promised, name, split))


def _unpromised(promised: tuple[str, ...], name: str, split: Split) -> Iterator[str]:
    if promised:
        known = set(promised)
        for label, samples in sorted(split.class_distribution.items()):
            if samples and label not in known:
                yield f"{samples:,} samples of `{label}` in split `{name}`, not a promised class"


def _list(names: tuple[str, ...], most: int = 12) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")
