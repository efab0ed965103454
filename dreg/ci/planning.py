"""Planning: which datasets a push or a pull request touches, as the matrix of a workflow."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.dvc import Pipeline
from dreg.adapters.git.since import NEVER, branched_off, changed_since, commit_of
from dreg.adapters.step_files import tell_outputs
from dreg.adapters.written import written
from dreg.core.ci.touched import Reach, gone, jobs, touched
from dreg.core.version import check_name
from dreg.errors import BadRequest, DregError
from dreg.output import jsonable, out, table
from dreg.registry import Registry

AT_MOST = 8
GROUPS = "groups.json"
LIMIT = 256  # jobs of one matrix, on GitHub


@dataclass(frozen=True)
class Touched:
    """A dataset that has to be looked at, and why."""

    name: str
    why: tuple[str, ...]


@dataclass(frozen=True)
class Job:
    """One job of the matrix: its number, and names separated by spaces, each behind those it is made from."""

    number: int
    datasets: str


@dataclass(frozen=True)
class Matrix:
    """What `strategy.matrix` takes. GitHub takes none without an entry: see whether there is `any`."""

    include: tuple[Job, ...]


@dataclass(frozen=True)
class Planned:
    """The answer of `dreg ci plan`. `since` is the commit that was compared with, null for all there is.

    `gone` are datasets that were there then. What is made from another is in its job.
    """

    since: str | None
    datasets: tuple[Touched, ...]
    gone: tuple[str, ...]
    matrix: Matrix
    any: bool

    def lines(self) -> Iterator[str]:
        if self.datasets:
            rows = [(one.name, "; ".join(one.why)) for one in self.datasets]
            yield from table(("DATASET", "TOUCHED BY"), rows)
        else:
            yield "no dataset is touched"
        yield from (f"{name} is gone" for name in self.gone)


def ci_plan(
    registry: Registry,
    names: list[str] | None = None,
    *,
    since: str | None = None,
    at_most: int = AT_MOST,
    results: Path | None = None,
) -> Planned:
    """As `planned`, and the job is told: its outputs are `matrix` and whether there is `any`.

    In the folder `results`, groups.json has the names of each job as a list of lists, as Argo takes it.
    """
    answer = planned(registry, names, since=since, at_most=at_most)
    if results is not None:
        groups = [job.datasets.split() for job in answer.matrix.include]
        with written(results.expanduser().absolute() / GROUPS) as file:
            file.write(f"{json.dumps(groups)}\n".encode())
    tell_outputs({"matrix": jsonable(answer.matrix), "any": answer.any})
    return answer


def planned(
    registry: Registry,
    names: list[str] | None = None,
    *,
    since: str | None = None,
    at_most: int = AT_MOST,
) -> Planned:
    """The named datasets or all, and with `since` those of them that were touched since that commit.

    Where HEAD has left that commit's history, since it did. Raises BadRequest for a commit that
    is nowhere, and an unknown dataset.
    """
    asked = {dataset.name for dataset in registry.datasets(names)} if names else set(registry.names)
    reaches = {name: _reach(registry, name) for name in registry.names}
    start: str | None = None
    changed: list[str] = []
    why: dict[str, tuple[str, ...]]
    if since is None or NEVER.fullmatch(since):
        why = dict.fromkeys(sorted(asked), ("asked for",))
    else:
        start = branched_off(registry.root, commit_of(registry.root, since))
        changed = changed_since(registry.root, start)
        why = touched(changed, reaches)
    wanted = [name for name in _in_order(reaches) if name in why and name in asked]
    fit = [name for name in wanted if _can_be_released(name)]
    groups = jobs(fit, {n: reaches[n].upstream for n in fit}, min(at_most, LIMIT)) if fit else []
    return Planned(
        start,
        tuple(Touched(name, why[name]) for name in fit),
        gone(changed, registry.names),
        Matrix(tuple(Job(at, " ".join(group)) for at, group in enumerate(groups))),
        bool(fit),
    )


def _reach(registry: Registry, name: str) -> Reach:
    """What the dataset is made from; of files that cannot be read nothing, which its own run tells."""
    try:
        pipeline = Pipeline(registry.root, name)
        paths = {path for stage in pipeline.stages.values() for _, path in stage.deps}
        upstream = {*registry.dataset(name).contract().upstream, *pipeline.reads()}
    except DregError:
        return Reach()
    return Reach(frozenset(paths), frozenset(upstream & set(registry.names)))


def _in_order(reaches: dict[str, Reach]) -> list[str]:
    """Names, each behind those it is made from; where that is a circle, its run tells."""
    order: list[str] = []

    def visit(name: str, above: frozenset[str]) -> None:
        if name in order or name in above:
            return
        for other in sorted(reaches[name].upstream):
            visit(other, above | {name})
        order.append(name)

    for name in sorted(reaches):
        visit(name, frozenset())
    return order


def _can_be_released(name: str) -> bool:
    try:
        check_name(name)
    except BadRequest as error:
        out.warn(f"pipelines/{name} is left out: {error.fact}")
        return False
    return True
