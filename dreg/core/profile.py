"""A profile: measured facts about one snapshot of a dataset, as `data/<name>/metadata.json`.

The file's shape is published and training code reads it:
`dataset`, `schema.features`, `splits.<s>.num_samples`, `splits.<s>.class_distribution`,
`metrics.<s>.*`, `prompt`. dreg adds `format`, `schema.key`, `schema.label`, what splits hold beside
those, and `snapshot`. What a profile lacks is not known: those of earlier dregs have less.
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

    The position of a class in `classes` is its index in the data. `model` is what made an embedding,
    `name@revision`.
    """

    type: str
    nullable: bool = False
    shape: tuple[int, ...] = ()
    classes: tuple[str, ...] = ()
    unit: str = ""
    model: str = ""


@dataclass(frozen=True)
class Split:
    """One split. `columns` has statistics by column name: `nulls`, `min`, `max`, `mean`, `p50`.

    `role` is what the contract uses the split for, `train` or `evaluation`; empty if not recorded.
    `duplicates` are the samples that equal an earlier one, where the contract declares no key.
    `histograms` are of numbers, and of the lengths of texts, by column name. `files` are the
    contract's, patterns as they are there; `format` is what they are in, as in `parquet`.
    """

    num_samples: int
    class_distribution: Mapping[str, int] = field(default_factory=dict)
    columns: Mapping[str, Mapping[str, Number]] = field(default_factory=dict)
    role: str = ""
    duplicates: int = 0
    histograms: Mapping[str, Histogram] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    format: str = ""


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

    def same_files(self, other: Published) -> bool:
        """Whether the published files are the same, however their samples were indexed."""
        return (self.files, self.size, self.digest) == (other.files, other.size, other.digest)


@dataclass(frozen=True)
class Prompt:
    """What a model was, or is to be, asked about each sample; `text` is whole."""

    text: str
    name: str = ""
    version: str = ""


@dataclass(frozen=True)
class Profile:
    """What was measured. `metrics` are a dataset's own figures, by split and name, flat.

    `key` and `label` are the contract's columns, empty if it names none, None if not recorded.
    """

    dataset: Mapping[str, str]
    features: Mapping[str, Feature]
    splits: Mapping[str, Split]
    metrics: Mapping[str, Mapping[str, Number]]
    snapshot: Published
    key: tuple[str, ...] | None = None
    label: str | None = None
    prompt: Prompt | None = None

    @property
    def num_samples(self) -> int:
        """Samples of all splits."""
        return sum(split.num_samples for split in self.splits.values())

    def to_json(self) -> dict[str, Any]:
        """The object that metadata.json holds; its text is written sorted and indented."""
        schema: dict[str, Any] = {"features": {n: _feature(f) for n, f in self.features.items()}}
        if self.key is not None:
            schema["key"] = list(self.key)
        if self.label is not None:
            schema["label"] = self.label
        return {
            "format": FORMAT,
            "dataset": dict(self.dataset),
            "schema": schema,
            "splits": {name: _split(split) for name, split in self.splits.items()},
            "metrics": {split: dict(values) for split, values in self.metrics.items()},
            "snapshot": {n: v for n, v in vars(self.snapshot).items() if v or n != "samples"},
            **({"prompt": dict(vars(self.prompt))} if self.prompt else {}),
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
            schema = data["schema"]
            return cls(
                dataset={str(k): str(v) for k, v in data["dataset"].items()},
                features={n: _read_feature(f) for n, f in schema["features"].items()},
                splits={name: _read_split(split) for name, split in data["splits"].items()},
                metrics={s: _numbers(values) for s, values in data.get("metrics", {}).items()},
                snapshot=Published(
                    files=int(data["snapshot"]["files"]),
                    size=int(data["snapshot"]["size"]),
                    digest=str(data["snapshot"]["digest"]),
                    samples=str(data["snapshot"].get("samples", "")),
                ),
                key=_names(schema["key"]) if "key" in schema else None,
                label=str(schema["label"]) if "label" in schema else None,
                prompt=_prompt(data["prompt"]) if data.get("prompt") else None,
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
        model=str(data.get("model", "")),
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
        files=_names(data.get("files", ())),
        format=str(data.get("format", "")),
    )


def _prompt(data: Any) -> Prompt:
    """A prompt; other tools have it as a text, or with more about it than is read here."""
    told = {"text": data} if isinstance(data, str) else data
    return Prompt(str(told["text"]), str(told.get("name", "")), str(told.get("version", "")))


def _names(data: Any) -> tuple[str, ...]:
    if isinstance(data, str):
        raise TypeError(f"{data!r} is no list of names")
    return tuple(str(name) for name in data)


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
    if feature.model:
        shown["model"] = feature.model
    return shown


def _split(split: Split) -> dict[str, Any]:
    shown: dict[str, Any] = {"num_samples": split.num_samples}
    if split.role:
        shown["role"] = split.role
    if split.files:
        shown["files"] = list(split.files)
    if split.format:
        shown["format"] = split.format
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
