"""A profile: measured facts about one snapshot of a dataset, as `data/<name>/metadata.json`.

The file's shape is published and training code reads it:
`dataset`, `schema.features`, `splits.<s>.num_samples`, `splits.<s>.class_distribution`,
`metrics.<s>.*`. dreg adds `format`, `splits.<s>.role`, `splits.<s>.columns`,
`splits.<s>.duplicates` and `snapshot`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreg.core.drift import Histogram
from dreg.errors import BadRequest

FORMAT = 1

Number = int | float


@dataclass(frozen=True)
class Feature:
    """A column: Arrow's name of its type, whether nulls occur, shape of a tensor, class names.

    The position of a class in `classes` is its index in the data.
    """

    type: str
    nullable: bool = False
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    unit: str = ""


@dataclass(frozen=True)
class Split:
    """One split. `columns` has statistics by column name: `nulls`, `min`, `max`, `mean`, `p50`.

    `role` is what the contract uses the split for, `train` or `evaluation`; empty if not recorded.
    `duplicates` are the samples that equal an earlier one, where the contract declares no key.
    `histograms` are of numbers, and of the lengths of texts, by column name.
    """

    num_samples: int
    class_distribution: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)
    role: str = ""
    duplicates: int = 0
    histograms: Mapping[str, Histogram] = field(default_factory=dict)


@dataclass(frozen=True)
class Published:
    """The published files as a whole: how many, their bytes, `Snapshot.digest` of them.

    `samples` is the digest of the sample index: equal exactly when all samples are, whatever files
    they are in. Empty in profiles from before there was one.
    """

    files: int
    size: int
    digest: str
    samples: str = ""


@dataclass(frozen=True)
class Profile:
    """What was measured. `metrics` are a dataset's own figures, by split and name, flat."""

    dataset: Mapping[str, str]
    features: Mapping[str, Feature]
    splits: Mapping[str, Split]
    metrics: Mapping[str, Mapping[str, Number]]
    snapshot: Published

    @property
    def num_samples(self) -> int:
        """Samples of all splits."""
        return sum(split.num_samples for split in self.splits.values())

    def to_json(self) -> dict[str, Any]:
        """The object that metadata.json holds; its text is written sorted and indented."""
        return {
            "format": FORMAT,
            "dataset": dict(self.dataset),
            "schema": {"features": {n: _feature(f) for n, f in self.features.items()}},
            "splits": {name: _split(split) for name, split in self.splits.items()},
            "metrics": {split: dict(values) for split, values in self.metrics.items()},
            "snapshot": {n: v for n, v in vars(self.snapshot).items() if v or n != "samples"},
        }

    @classmethod
    def from_json(cls, data: Any, where: str = "metadata.json") -> Profile:
        """The profile that `to_json` gave. Raises BadRequest for another shape, naming `where`."""
        try:
            if data.get("format", FORMAT) > FORMAT:
                raise BadRequest(
                    f"`{where}` has format {data['format']}, and this dreg reads up to {FORMAT}",
                    hint="upgrade dreg: pip install --upgrade dreg",
                )
            return cls(
                dataset={str(k): str(v) for k, v in data["dataset"].items()},
                features={n: _read_feature(f) for n, f in data["schema"]["features"].items()},
                splits={name: _read_split(split) for name, split in data["splits"].items()},
                metrics={s: _numbers(values) for s, values in data.get("metrics", {}).items()},
                snapshot=Published(
                    files=int(data["snapshot"]["files"]),
                    size=int(data["snapshot"]["size"]),
                    digest=str(data["snapshot"]["digest"]),
                    samples=str(data["snapshot"].get("samples", "")),
                ),
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BadRequest(
                f"`{where}` is not a profile that dreg wrote ({type(error).__name__}: {error})",
                hint="measure again: dreg run NAME",
            ) from error


def _read_feature(data: Mapping[str, Any]) -> Feature:
    return Feature(
        type=str(data["type"]),
        nullable=bool(data.get("nullable", False)),
        shape=tuple(int(length) for length in data.get("shape", ())),
        classes=tuple(str(name) for name in data.get("classes", ())),
        unit=str(data.get("unit", "")),
    )


def _read_split(data: Mapping[str, Any]) -> Split:
    columns = data.get("columns", {})
    return Split(
        num_samples=_count(data["num_samples"]),
        class_distribution={
            str(name): _count(number) for name, number in data.get("class_distribution", {}).items()
        },
        columns={name: _figures(values) for name, values in columns.items()},
        role=str(data.get("role", "")),
        duplicates=_count(data.get("duplicates", 0)),
        histograms={
            name: Histogram.parse(values["histogram"])
            for name, values in columns.items()
            if "histogram" in values
        },
    )


def _figures(data: Mapping[str, Any]) -> dict[str, Number]:
    """Statistics of a column but for its histogram; the only truth among them marks an estimate."""
    estimated = data.get("distinct_is_estimate", False)
    if not isinstance(estimated, bool):
        raise TypeError(f"`distinct_is_estimate` is {estimated!r}, neither true nor false")
    numbers = {n: v for n, v in data.items() if n not in ("histogram", "distinct_is_estimate")}
    return _numbers(numbers) | ({"distinct_is_estimate": True} if estimated else {})


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**63:
        raise TypeError(f"{value!r} is not a count")
    return value


def _numbers(data: Mapping[str, Any]) -> dict[str, Number]:
    for name, value in data.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"`{name}` is {value!r}, not a number")
        if isinstance(value, int) and abs(value) >= 2**64:
            raise ValueError(f"`{name}` needs more than 64 bits")
    return dict(data)


def _feature(feature: Feature) -> dict[str, Any]:
    shown: dict[str, Any] = {"type": feature.type, "nullable": feature.nullable}
    if feature.shape:
        shown["shape"] = list(feature.shape)
    if feature.classes:
        shown["classes"] = list(feature.classes)
    if feature.unit:
        shown["unit"] = feature.unit
    return shown


def _split(split: Split) -> dict[str, Any]:
    shown: dict[str, Any] = {"num_samples": split.num_samples}
    if split.role:
        shown["role"] = split.role
    if split.class_distribution:
        shown["class_distribution"] = dict(split.class_distribution)
    if split.columns:
        shown["columns"] = {name: _column(split, name) for name in split.columns}
    if split.duplicates:
        shown["duplicates"] = split.duplicates
    return shown


def _column(split: Split, name: str) -> dict[str, Number | str]:
    shown: dict[str, Number | str] = dict(split.columns[name])
    if name in split.histograms:
        shown["histogram"] = str(split.histograms[name])
    return shown
