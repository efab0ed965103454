"""Checking: whether datasets keep what their contracts say."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dreg.adapters.dvc import tracked_files
from dreg.catalog import releases_of, warn_of_tags_elsewhere
from dreg.core.contract import Contract
from dreg.core.contract_schema import contract_schema
from dreg.core.evidence import Problem, told
from dreg.core.gates import Breach
from dreg.core.profile import Profile
from dreg.core.receipt import check_placeable
from dreg.core.release import last_final
from dreg.core.violations import Violation
from dreg.core.wording import numbered
from dreg.errors import DregError, Refused
from dreg.freshness import measured
from dreg.history import profile_of
from dreg.inspection import breached, not_as_measured, violated
from dreg.registry import Dataset, Registry
from dreg.upstream import out_of_range

MANY = 5


@dataclass(frozen=True)
class Inspected:
    """One dataset, how much was checked, and what it breaks; `gates` are single bounds.

    `violations` are broken promises, `breaches` gates that are not passed; each with how many
    samples show it, and the first of them.
    """

    dataset: str
    columns: int
    splits: int
    gates: int
    samples: int
    violations: tuple[Violation, ...]
    breaches: tuple[Breach, ...]

    @property
    def problems(self) -> tuple[Problem, ...]:
        return *self.violations, *self.breaches


@dataclass(frozen=True)
class Checked:
    """The answer of `dreg check`. One dataset that breaks its contract, and it is refused."""

    datasets: tuple[Inspected, ...]

    def lines(self) -> Iterator[str]:
        if not self.datasets:
            yield "no datasets yet"
        for kept in self.datasets:
            if not kept.problems:
                told = [numbered(kept.columns, "column"), numbered(kept.splits, "split")]
                told += [numbered(kept.gates, "gate")] if kept.gates else []
                told.append(numbered(kept.samples, "sample"))
                yield f"{kept.dataset}: keeps its contract ({', '.join(told)})"


@dataclass(frozen=True)
class ContractSchema:
    """The JSON Schema of dataset.yaml, by which editors complete and check it."""

    schema: Mapping[str, Any]

    def lines(self) -> Iterator[str]:
        yield from json.dumps(self.schema, indent=2).splitlines()


def schema() -> ContractSchema:
    """The schema that belongs to this version of dreg."""
    return ContractSchema(contract_schema())


def check(registry: Registry, names: list[str] | None = None) -> Checked:
    """The contract of each named dataset, or of all, against profile and data in the tree.

    Raises Refused with every violation, BadRequest for a dataset that was never run.
    """
    checked = Checked(tuple(_inspected(registry, dataset) for dataset in registry.datasets(names)))
    broken = [one for one in checked.datasets if one.problems]
    if not broken:
        return checked
    who = ", ".join(f"`{one.dataset}`" for one in broken)
    number = sum(len(one.problems) for one in broken)
    found = f", in {number:,} places" if number > MANY else ""
    refused = Refused(
        f"{who} {'breaks its contract' if len(broken) == 1 else 'break their contracts'}{found}",
        hint="correct the pipeline, or the promise in "
        f"pipelines/{broken[0].dataset}/dataset.yaml, then: "
        f"dreg run {' '.join(one.dataset for one in broken)}",
        details=[
            line if len(broken) == 1 else f"{one.dataset}: {line}"
            for one in broken
            for line in told(one.problems)
        ],
    )
    refused.answer = checked
    raise refused


def _inspected(registry: Registry, dataset: Dataset) -> Inspected:
    profile = measured(dataset)
    contract = dataset.contract()
    return Inspected(
        dataset=dataset.name,
        columns=len(profile.features),
        splits=len(profile.splits),
        gates=contract.gates.count,
        samples=profile.num_samples,
        violations=(
            *not_as_measured(dataset),
            *_unplaceable(dataset),
            *violated(dataset, contract, profile),
            *out_of_range(registry, dataset, lambda other: releases_of(other.root, other.name)),
        ),
        breaches=breached(dataset, contract, profile, _drifted_from(dataset, contract)),
    )


def _unplaceable(dataset: Dataset) -> Iterator[Violation]:
    """A file whose name not every system can have, for which a release would be refused."""
    with suppress(DregError):  # of what is not here the release tells
        files = tracked_files(dataset.root, dataset.name)
        try:
            check_placeable(files)
        except Refused as error:
            yield Violation("the release", error.fact.removeprefix("the release "))


def _drifted_from(dataset: Dataset, contract: Contract) -> Profile | None:
    """The last release's profile, if there is a gate that looks at it."""
    if not contract.gates.max_drift:
        return None
    releases = releases_of(dataset.root, dataset.name)
    warn_of_tags_elsewhere(dataset, {release.version for release in releases})
    last = last_final(releases)
    return profile_of(dataset, last) if last else None
