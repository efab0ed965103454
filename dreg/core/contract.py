"""A contract: what a dataset's owner promises, as `pipelines/<name>/dataset.yaml`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dreg.core.columns import Column, read_column
from dreg.core.gates import Gates, read_gates
from dreg.core.pricing import Pricing
from dreg.core.reader import Reader, whole
from dreg.core.version import Range, parse_request
from dreg.errors import BadRequest

__all__ = ["Column", "Contract", "ContractSplit"]

ROLES = ("train", "evaluation")


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

    `upstream` are the datasets it is made from, each with the versions that will do. `pricing` is
    what the keys `overrides` and `thresholds` say; it counts from the release on that has it.
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
    upstream: Mapping[str, Range] = field(default_factory=dict)
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
            upstream=self.upstream(top.get("upstream")),
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

    def upstream(self, value: Any) -> dict[str, Range]:
        """Datasets by name, written `name` or `name@range`."""
        found: dict[str, Range] = {}
        for request in self.names(value, "`upstream`"):
            try:
                name, wanted = parse_request(request)
            except BadRequest as error:
                raise self.fail(f"`upstream` has `{request}`: {error.fact}", error.hint) from error
            if name in found:
                raise self.fail(f"`upstream` names `{name}` twice", "name a dataset once")
            found[name] = wanted
        return found

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
        return {
            self.name(key, "`columns`"): read_column(self, key, item) for key, item in value.items()
        }


def _length(value: Any) -> bool:
    return whole(value) and value >= 0
