"""Where a dataset breaks its contract: the promise against what was measured, and the data itself.

The profile decides what it can. `asked` says what has to be read from the data: what the profile
cannot decide, and the samples to be named for what it found broken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from ctypes import c_float
from dataclasses import dataclass

from dreg.core.contract import Column, Contract
from dreg.core.evidence import Evidence, Problem
from dreg.core.numbers import rounded
from dreg.core.profile import Feature, Number, Profile, Split
from dreg.core.types import spelled
from dreg.core.wording import numbered, tick


@dataclass(frozen=True)
class Violation(Problem):
    """One broken promise: what it is about, such as "column `pH`", and what is wrong with it."""


@dataclass(frozen=True, order=True)
class Question:
    """Which samples of `split` break one promise about a column; of all splits if it is empty.

    The promises: nulls, finite, least, most, classes, values, pattern, unique. `decided` is one
    that the profile knows to be broken, `near` one that its rounded figures leave open.
    """

    column: str
    promise: str
    split: str
    decided: bool = False
    near: bool = False


Answers = Mapping[tuple[str, str, str], Evidence]  # by column, promise, split


def asked(contract: Contract, profile: Profile) -> tuple[Question, ...]:
    """What is to be read from the data."""
    found = [
        Question(name, promise, split, True)
        for name, promised in contract.columns.items()
        if name in profile.features
        for promise, split, _ in _measured(name, promised, profile)
        if promise
    ]
    if contract.label is not None and (classes := contract.classes):
        for split, measured in profile.splits.items():
            if any(_unpromised(classes, split, measured)):
                found.append(Question(contract.label, "classes", split, True))
    for name, promised in contract.columns.items():
        if name in profile.features:
            found += _only_in_data(name, promised, contract, profile)
    return tuple(sorted(found))


def _only_in_data(
    name: str, promised: Column, contract: Contract, profile: Profile
) -> Iterator[Question]:
    """What no figure tells."""
    if promised.unique:
        yield Question(name, "unique", "")
    dates = promised.range is not None and isinstance(promised.range[0], str)
    wanted = {
        "values": bool(promised.values),
        "pattern": bool(promised.pattern),
        "classes": bool(promised.classes) and name != contract.label,
        "least": dates,
        "most": dates,
    }
    for split in profile.splits:
        if split in contract.splits:
            yield from (Question(name, promise, split) for promise in wanted if wanted[promise])
            figures = profile.splits[split].columns.get(name, {})
            for promise, bound, figure in _ends(promised, figures):
                if _near(bound, figure, profile.features[name].type):
                    yield Question(name, promise, split, near=True)


def violations(
    contract: Contract, profile: Profile, answers: Answers | None = None
) -> tuple[Violation, ...]:
    """Every promise of `contract` that is broken, sorted; empty if it keeps them all.

    `answers` are to what is `asked`; without them the profile alone decides.
    """
    known = answers or {}
    return tuple(
        sorted(
            (
                *_columns(contract, profile, known),
                *_splits(contract, profile),
                *_labels(contract, profile, known),
            ),
            key=str,
        )
    )


def _columns(contract: Contract, profile: Profile, answers: Answers) -> Iterator[Violation]:
    for name, promised in contract.columns.items():
        about = f"column {tick(name)}"
        measured = profile.features.get(name)
        if measured is None:
            yield Violation(about, "is missing")
            continue
        for text in _as_promised(promised, measured):
            yield Violation(about, text)
        for promise, split, text in _measured(name, promised, profile):
            yield _violation(about, text, answers.get((name, promise, split)))
        for question in _only_in_data(name, promised, contract, profile):
            evidence = answers.get((name, question.promise, question.split), Evidence())
            if evidence.count:
                text = _told(question, promised, evidence.count)
                where = f" in split {tick(question.split)}" if question.split else ""
                yield _violation(about, text + where, evidence)
    for name in profile.features.keys() - contract.columns.keys():
        yield Violation(f"column {tick(name)}", "is not in the contract")


def _violation(about: str, text: str, evidence: Evidence | None) -> Violation:
    found = evidence or Evidence()
    return Violation(about, text, found.count, found.samples)


def _told(question: Question, promised: Column, count: int) -> str:
    """What is wrong with so many values."""
    low, high = promised.range or ("", "")
    below, above = ("before", "after") if isinstance(low, str) else ("below", "above")
    noun = "text" if question.promise == "pattern" else "value"
    return (
        f"has {numbered(count, noun)} "
        + {
            "values": f"not among the {len(promised.values):,} allowed",
            "pattern": f"not matching {tick(promised.pattern)}",
            "unique": "that came before, promised unique",
            "classes": f"not among the {numbered(len(promised.classes), 'class')}",
            "least": f"{below} {low}",
            "most": f"{above} {high}",
        }[question.promise]
    )


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


def _measured(name: str, promised: Column, profile: Profile) -> Iterator[tuple[str, str, str]]:
    """What the figures of each split say about the column's values: promise, split, words."""
    counted = False
    for split_name, split in sorted(profile.splits.items()):
        figures = split.columns.get(name, {})
        where = f"in split {tick(split_name)}"
        if nulls := figures.get("nulls", 0):
            counted = True
            if not promised.nullable:
                yield (
                    "nulls",
                    split_name,
                    f"has {numbered(int(nulls), 'null')} {where}, promised none",
                )
        if promised.range is None:
            continue
        if odd := figures.get("not_finite", 0):
            values = numbered(int(odd), "NaN or infinite value")
            yield "finite", split_name, f"has {values} {where}, promised a range"
        for promise, bound, figure in _ends(promised, figures):
            if not _near(bound, figure, profile.features[name].type):
                for text in _beyond(promise, bound, figure):
                    yield promise, split_name, text.format(where)
    if profile.features[name].nullable and not promised.nullable and not counted:
        yield "", "", "is nullable, promised not to be"


def _ends(promised: Column, figures: Mapping[str, Number]) -> Iterator[tuple[str, float, Number]]:
    """Promise, bound and figure of each end of a range of numbers that was measured."""
    low, high = promised.range or ("", "")
    if isinstance(low, str) or isinstance(high, str):
        return
    for promise, bound, figure in (("least", low, "min"), ("most", high, "max")):
        if figure in figures:
            yield promise, bound, figures[figure]


def _near(bound: float, figure: Number, kind: str) -> bool:
    """Whether the figure, which is rounded, may be of a value on either side of the bound."""
    exact = isinstance(figure, int) or figure == 0 or not math.isfinite(bound)
    if exact or figure != rounded(float(bound)):
        return False
    # Twelve digits tell all values of the narrower types apart: the bound is one of them, or between.
    narrow = spelled(kind) in ("float16", "float32")
    return not (narrow and c_float(bound).value == bound)


def _beyond(promise: str, bound: float, figure: Number) -> Iterator[str]:
    # Asked this way round, NaN is outside of every range.
    if promise == "least" and not figure >= bound:
        yield f"goes down to {figure:g} {{}}, promised at least {bound:g}"
    if promise == "most" and not figure <= bound:
        yield f"goes up to {figure:g} {{}}, promised at most {bound:g}"


def _splits(contract: Contract, profile: Profile) -> Iterator[Violation]:
    for name, promised in contract.splits.items():
        about = f"split {tick(name)}"
        measured = profile.splits.get(name)
        if measured is None:
            yield Violation(about, "is missing")
        elif measured.num_samples == 0:
            yield Violation(about, "is empty")
        elif promised.samples is not None and measured.num_samples != promised.samples:
            yield Violation(
                about,
                f"has {numbered(measured.num_samples, 'sample')}, promised {promised.samples:,}",
            )
        if measured and measured.role and measured.role != promised.role:
            yield Violation(about, f"was measured as {measured.role}, promised {promised.role}")
    for name in profile.splits.keys() - contract.splits.keys():
        yield Violation(f"split {tick(name)}", "is not in the contract")


def _labels(contract: Contract, profile: Profile, answers: Answers) -> Iterator[Violation]:
    if contract.label is None:
        return
    about = f"label {tick(contract.label)}"
    promised = contract.columns[contract.label].classes
    for name, split in sorted(profile.splits.items()):
        if split.num_samples and not split.class_distribution:
            yield Violation(about, f"is not counted by class in split {tick(name)}")
        for text in _unpromised(promised, name, split):
            evidence = answers.get((contract.label, "classes", name))
            yield _violation(about, f"has {text}", evidence)


def _unpromised(promised: tuple[str, ...], name: str, split: Split) -> Iterator[str]:
    """What is counted and was not promised, all of it: the samples of it are named together."""
    if promised:
        known = set(promised)
        for label, samples in sorted(split.class_distribution.items()):
            if samples and label not in known:
                counted = numbered(samples, "sample")
                yield f"{counted} of {tick(label)} in split {tick(name)}, not a promised class"


def _list(names: tuple[str, ...], most: int = 12) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest:,} more" if rest > 0 else "")
