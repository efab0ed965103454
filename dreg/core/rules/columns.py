"""Rules about columns: what training code reads by name and type."""

from __future__ import annotations

from collections.abc import Iterator

from dreg.core.profile import Profile
from dreg.core.rules.rule import gone, rule, shared
from dreg.core.types import spelled, widens
from dreg.core.vectors import other_model
from dreg.core.version import Bump
from dreg.core.wording import numbered, tick


@rule(Bump.MAJOR)
def column_removed(old: Profile, new: Profile) -> Iterator[str]:
    """Training code that reads the column stops working.

    Before: schema: {features: {alcohol: {type: float64}, pH: {type: float64}}}
    After: schema: {features: {alcohol: {type: float64}}}
    """
    for name in gone(old.features, new.features):
        yield f"column {tick(name)} is gone"


@rule(Bump.MINOR)
def column_added(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody who reads columns by name; code that takes all columns gets one more.

    Before: schema: {features: {alcohol: {type: float64}}}
    After: schema: {features: {alcohol: {type: float64}, pH: {type: float64}}}
    """
    for name in gone(new.features, old.features):
        yield f"column {tick(name)} ({new.features[name].type}) is new"


@rule(Bump.MAJOR)
def type_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Code that relies on the column's type fails, or loses digits without a word.

    Before: schema: {features: {quality: {type: int64}}}
    After: schema: {features: {quality: {type: string}}}
    """
    for name, before, after in _types(old, new):
        if before != after and not widens(before, after):
            yield f"column {tick(name)} is {after} instead of {before}"


@rule(Bump.MINOR)
def type_widened(old: Profile, new: Profile) -> Iterator[str]:
    """Code that needs the narrower type's size: every old value still fits, memory may grow.

    Before: schema: {features: {quality: {type: int32}}}
    After: schema: {features: {quality: {type: int64}}}
    """
    for name, before, after in _types(old, new):
        if before != after and widens(before, after):
            yield f"column {tick(name)} is {after} instead of {before}; every {before} fits"


@rule(Bump.MAJOR)
def became_nullable(old: Profile, new: Profile) -> Iterator[str]:
    """Code that never met a null in the column fails on the first, or trains on NaN.

    Before: schema: {features: {pH: {type: float64, nullable: false}}}
    After: schema: {features: {pH: {type: float64, nullable: true}}}
    """
    for name in shared(old.features, new.features):
        if new.features[name].nullable and not old.features[name].nullable:
            yield f"column {tick(name)} has nulls now"
        if _meets_no_number(new, name) and not _meets_no_number(old, name):
            yield f"column {tick(name)} has values now that are NaN or infinite"


@rule(Bump.PATCH)
def nulls_filled(old: Profile, new: Profile) -> Iterator[str]:
    """Nobody: code that copes with nulls meets none any more.

    Before: schema: {features: {pH: {type: float64, nullable: true}}}
    After: schema: {features: {pH: {type: float64, nullable: false}}}
    """
    for name in shared(old.features, new.features):
        if old.features[name].nullable and not new.features[name].nullable:
            yield f"column {tick(name)} has no nulls any more"
            continue
        for split in shared(old.splits, new.splits):
            before, after = (p.splits[split].columns.get(name, {}) for p in (old, new))
            fewer = after.get("nulls", 0) < before.get("nulls", 0)
            if fewer and new.splits[split].num_samples >= old.splits[split].num_samples:
                yield (
                    f"column {tick(name)} of split {tick(split)} has {numbered(int(after.get('nulls', 0)), 'null')} "
                    f"instead of {before.get('nulls', 0):,}"
                )


@rule(Bump.MAJOR)
def shape_changed(old: Profile, new: Profile) -> Iterator[str]:
    """A model whose input has the old shape can't take the new one.

    Before: schema: {features: {image: {type: uint8, shape: [28, 28]}}}
    After: schema: {features: {image: {type: uint8, shape: [32, 32]}}}
    """
    for name in shared(old.features, new.features):
        before, after = old.features[name].shape, new.features[name].shape
        if before != after:
            yield f"column {tick(name)} has the shape {_shape(after)} instead of {_shape(before)}"


@rule(Bump.MAJOR)
def unit_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Numbers keep their type and mean something else: models go wrong without an error.

    Before: schema: {features: {sulphates: {type: float64, unit: g/l}}}
    After: schema: {features: {sulphates: {type: float64, unit: mg/l}}}
    """
    for name in shared(old.features, new.features):
        before, after = old.features[name].unit, new.features[name].unit
        if before and after and before != after:
            yield f"column {tick(name)} is in {after} instead of {before}"


@rule(Bump.MAJOR)
def embedding_model_changed(old: Profile, new: Profile) -> Iterator[str]:
    """Vectors of two models can't be compared: searches and models trained before go wrong, silently.

    Before: schema: {features: {vector: {type: float32, shape: [384], model: a/MiniLM-L6@5c38}}}
    After: schema: {features: {vector: {type: float32, shape: [384], model: a/MiniLM-L12@9e1b}}}
    """
    for name in shared(old.features, new.features):
        before, after = old.features[name].model, new.features[name].model
        if other_model(before, after):
            yield f"the vectors in column {tick(name)} are made by {after} instead of {before}"


def _types(old: Profile, new: Profile) -> Iterator[tuple[str, str, str]]:
    for name in shared(old.features, new.features):
        yield name, spelled(old.features[name].type), spelled(new.features[name].type)


def _meets_no_number(profile: Profile, column: str) -> bool:
    """Whether some value of a column of numbers is NaN or infinite."""
    return any(
        split.columns.get(column, {}).get("not_finite", 0) for split in profile.splits.values()
    )


def _shape(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) if shape else "of a single value"
