"""A contract: what a dataset's owner promises, as `pipelines/<name>/dataset.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dreg.core.gates import Gates, read_gates
from dreg.core.reader import Reader, whole
from dreg.core.rules import Pricing
from dreg.core.types import spelled

ROLES = ("train", "evaluation")


@dataclass(frozen=True)
class Column:
    """A promised column: Arrow type name, unit, shape, inclusive range, class names in order.

    `model` is what made an embedding, `name@revision`.
    """

    type: str
    nullable: bool = False
    shape: tuple[int, ...] = ()
    unit: str = ""
    range: tuple[float, float] | None = None
    classes: tuple[str, ...] = ()
    model: str = ""


@dataclass(frozen=True)
class ContractSplit:
    """A split's role (`train` or `evaluation`) and its files, relative to `data/<name>/`.

    A file may be a glob pattern. `samples` optionally promises the exact number of samples.
    """

    role: str
    files: tuple[str, ...]
    samples: int | None = None


@dataclass(frozen=True)
class Contract:
    """The promise. `label` names the column whose classes `class_distribution` counts.

    `pricing` is what the keys `overrides` and `thresholds` say; it counts from the release on that
    has it.
    """

    title: str
    description: str
    licence: str
    splits: Mapping[str, ContractSplit]
    columns: Mapping[str, Column]
    owner: str = ""
    homepage: str = ""
    task: str = ""
    kind: str = "tabular"
    label: str | None = None
    key: tuple[str, ...] = ()
    upstream: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    gates: Gates = field(default_factory=Gates)
    pricing: Pricing = field(default_factory=Pricing)

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes of the label, if it names any."""
        return self.columns[self.label].classes if self.label else ()

    @classmethod
    def parse(cls, data: Any, where: str = "dataset.yaml") -> Contract:
        """A contract from the YAML's value. Raises BadRequest naming `where` and the key."""
        return _Reader(where).contract(data)


KEYS = (
    *(key for key in Contract.__dataclass_fields__ if key != "pricing"),
    *Pricing.__dataclass_fields__,
)


class _Reader(Reader):
    """Reads a contract."""

    def contract(self, data: Any) -> Contract:
        known = KEYS
        needed = ("title", "description", "licence", "splits", "columns")
        top = self.mapping(data, "the contract", known, needed)
        facts = top.get("facts") or {}
        if not isinstance(facts, dict):
            raise self.fail("`facts` is not a mapping", "write `facts` as `key: value` lines")
        contract = Contract(
            title=self.text(top, "title"),
            description=" ".join(self.text(top, "description").split()),
            licence=self.text(top, "licence"),
            splits=self.splits(top["splits"]),
            columns=self.columns(top["columns"]),
            owner=self.text(top, "owner"),
            homepage=self.text(top, "homepage"),
            task=self.text(top, "task"),
            kind=self.text(top, "kind") or "tabular",
            label=self.text(top, "label") or None,
            key=self.names(top.get("key"), "`key`"),
            upstream=self.names(top.get("upstream"), "`upstream`"),
            facts={self.name(key, "`facts`"): str(value) for key, value in facts.items()},
            pricing=Pricing.parse(top, self.where),
        )
        for name in (*contract.key, *([contract.label] if contract.label else ())):
            if name not in contract.columns:
                raise self.fail(
                    f"`{name}` is not among the columns", "name a column listed under `columns:`"
                )
        gates = read_gates(
            self, top.get("gates"), tuple(contract.splits), tuple(contract.columns), contract.label
        )
        return replace(contract, gates=gates)

    def splits(self, value: Any) -> dict[str, ContractSplit]:
        if not isinstance(value, dict) or not value:
            raise self.fail(
                "`splits` names no split",
                "add at least `train: {files: [processed/train.parquet]}`",
            )
        return {self.name(key, "`splits`"): self.split(key, item) for key, item in value.items()}

    def split(self, name: str, value: Any) -> ContractSplit:
        at = f"split `{name}`"
        given = self.mapping(value, at, tuple(ContractSplit.__dataclass_fields__), ("files",))
        role = given.get("role", "train" if name == "train" else "evaluation")
        if role not in ROLES:
            raise self.fail(f"{at} has the role `{role}`", f"roles: {', '.join(ROLES)}")
        files = self.names(given["files"], f"`files` of {at}")
        if not files:
            raise self.fail(f"{at} has no files", "add `files: [processed/train.parquet]`")
        for file in files:
            if file.startswith("/") or "\\" in file or ".." in file.split("/"):
                raise self.fail(
                    f"{at} has the file `{file}` outside of the dataset",
                    "write it relative to data/<name>/, such as processed/train.parquet",
                )
        samples = given.get("samples")
        if samples is not None and not _length(samples):
            raise self.fail(f"{at} promises `{samples}` samples", "write a whole number")
        return ContractSplit(role=role, files=files, samples=samples)

    def columns(self, value: Any) -> dict[str, Column]:
        if not isinstance(value, dict) or not value:
            raise self.fail("`columns` names no column", "list every column with its type")
        return {self.name(key, "`columns`"): self.column(key, item) for key, item in value.items()}

    def column(self, name: str, value: Any) -> Column:
        at = f"column `{name}`"
        short = {"type": value} if isinstance(value, str) else value
        given = self.mapping(short, at, tuple(Column.__dataclass_fields__), ("type",))
        nullable = given.get("nullable", False)
        if not isinstance(nullable, bool):
            raise self.fail(f"{at} has `nullable: {nullable}`", "write true or false")
        shape = given.get("shape") or []
        if not isinstance(shape, list) or not all(_length(length) for length in shape):
            raise self.fail(f"{at} has no usable shape", "write it as a list: [28, 28]")
        classes = self.names(given.get("classes"), f"`classes` of {at}")
        if len(set(classes)) < len(classes):
            raise self.fail(f"{at} names a class twice", "a class has one place, its index")
        return Column(
            type=spelled(self.text(given, "type", at)),
            nullable=nullable,
            shape=tuple(shape),
            unit=self.text(given, "unit", at),
            range=self.range(given.get("range"), at),
            classes=classes,
            model=self.text(given, "model", at),
        )

    def range(self, value: Any, at: str) -> tuple[float, float] | None:
        if value is None:
            return None
        usable = (
            isinstance(value, list)
            and len(value) == 2
            and all(isinstance(n, int | float) and not isinstance(n, bool) for n in value)
            and value[0] <= value[1]
        )
        if not usable:
            raise self.fail(f"{at} has no usable range", "write it as [lowest, highest]")
        return float(value[0]), float(value[1])


def _length(value: Any) -> bool:
    return whole(value) and value >= 0
