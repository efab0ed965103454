"""A contract: what a dataset's owner promises, as `pipelines/<name>/dataset.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreg.errors import BadRequest

ROLES = ("train", "evaluation")


@dataclass(frozen=True)
class Column:
    """A promised column: Arrow type name, unit, shape, inclusive range, class names in order."""

    type: str
    nullable: bool = False
    shape: tuple[int, ...] = ()
    unit: str = ""
    range: tuple[float, float] | None = None
    classes: tuple[str, ...] = ()


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
    """The promise. `label` names the column whose classes `class_distribution` counts."""

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

    @classmethod
    def parse(cls, data: Any, where: str = "dataset.yaml") -> Contract:
        """A contract from the YAML's value. Raises BadRequest naming `where` and the key."""
        return _Reader(where).contract(data)


class _Reader:
    """Reads mappings strictly: an unknown key is more often a typo than an extension."""

    def __init__(self, where: str) -> None:
        self.where = where

    def fail(self, fact: str, hint: str) -> BadRequest:
        return BadRequest(f"`{self.where}`: {fact}", hint=hint)

    def mapping(
        self, value: Any, at: str, known: tuple[str, ...], needed: tuple[str, ...]
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(f"{at} is not a mapping", f"write {at} as `key: value` lines")
        for key in value:
            if key not in known:
                raise self.fail(
                    f"{at} has the unknown key `{key}`", f"known keys: {', '.join(known)}"
                )
        for key in needed:
            if key not in value:
                raise self.fail(f"{at} lacks `{key}`", f"add `{key}:` to {self.where}")
        return value

    def contract(self, data: Any) -> Contract:
        known = tuple(Contract.__dataclass_fields__)
        needed = ("title", "description", "licence", "splits", "columns")
        top = self.mapping(data, "the contract", known, needed)
        contract = Contract(
            title=str(top["title"]),
            description=" ".join(str(top["description"]).split()),
            licence=str(top["licence"]),
            splits=self.splits(top["splits"]),
            columns=self.columns(top["columns"]),
            owner=str(top.get("owner", "")),
            homepage=str(top.get("homepage", "")),
            task=str(top.get("task", "")),
            kind=str(top.get("kind", "tabular")),
            label=top.get("label"),
            key=self.names(top.get("key", ()), "`key`"),
            upstream=self.names(top.get("upstream", ()), "`upstream`"),
            facts={str(k): str(v) for k, v in dict(top.get("facts") or {}).items()},
        )
        for name in (*contract.key, *([contract.label] if contract.label else ())):
            if name not in contract.columns:
                raise self.fail(
                    f"`{name}` is not among the columns", "name a column listed under `columns:`"
                )
        return contract

    def names(self, value: Any, at: str) -> tuple[str, ...]:
        listed = [value] if isinstance(value, str) else list(value or ())
        if not all(isinstance(item, str) for item in listed):
            raise self.fail(f"{at} is not a list of names", f"write {at} as a list of names")
        return tuple(listed)

    def splits(self, value: Any) -> dict[str, ContractSplit]:
        if not isinstance(value, dict) or not value:
            raise self.fail(
                "`splits` names no split",
                "add at least `train: {files: [processed/train.parquet]}`",
            )
        splits = {}
        for name, item in value.items():
            split = self.mapping(item, f"split `{name}`", ("role", "files", "samples"), ("files",))
            role = split.get("role", "train" if name == "train" else "evaluation")
            if role not in ROLES:
                raise self.fail(
                    f"split `{name}` has the role `{role}`", f"roles: {', '.join(ROLES)}"
                )
            files = self.names(split["files"], f"files of split `{name}`")
            splits[str(name)] = ContractSplit(role=role, files=files, samples=split.get("samples"))
        return splits

    def columns(self, value: Any) -> dict[str, Column]:
        if not isinstance(value, dict) or not value:
            raise self.fail("`columns` names no column", "list every column with its type")
        columns = {}
        for name, item in value.items():
            known = tuple(Column.__dataclass_fields__)
            given = self.mapping(
                {"type": item} if isinstance(item, str) else item,
                f"column `{name}`",
                known,
                ("type",),
            )
            bounds = given.get("range")
            if bounds is not None and (
                not isinstance(bounds, list) or len(bounds) != 2 or bounds[0] > bounds[1]
            ):
                raise self.fail(
                    f"column `{name}` has no usable range", "write it as [lowest, highest]"
                )
            columns[str(name)] = Column(
                type=str(given["type"]),
                nullable=bool(given.get("nullable", False)),
                shape=tuple(given.get("shape", ())),
                unit=str(given.get("unit", "")),
                range=None if bounds is None else (float(bounds[0]), float(bounds[1])),
                classes=tuple(str(c) for c in given.get("classes", ())),
            )
        return columns
