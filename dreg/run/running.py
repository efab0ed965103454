"""Running pipelines: what is needed in its order, what is independent side by side."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from dreg.adapters import engines
from dreg.adapters.claims import patience
from dreg.adapters.dvc import Pipeline
from dreg.core.ci.compute import compute_type
from dreg.core.freshness import State
from dreg.errors import BadRequest, DregError, Outside, Refused
from dreg.freshness import native_state, refuse_other_files, state_of
from dreg.output import count, table
from dreg.registry import Dataset, Registry, unknown_dataset
from dreg.run.plan import Fate, Plan, in_order
from dreg.run.problems import found_now, told_by

MOST_AT_ONCE = 4


@dataclass(frozen=True)
class Ran:
    """One dataset. `state`: ran, restored, up to date, failed or skipped; `why` for the last two.

    `stages` are those that really ran, `violations` where the new profile breaks the contract.
    """

    name: str
    state: str
    stages: tuple[str, ...] = ()
    seconds: float = 0.0
    samples: int | None = None
    violations: tuple[str, ...] = ()
    pushed: bool = False
    why: str = ""
    log: str | None = None


@dataclass(frozen=True)
class Runs:
    """Each dataset's fate, in the order they could start."""

    datasets: tuple[Ran, ...]

    def lines(self) -> Iterable[str]:
        rows = []
        for ran in self.datasets:
            said = ", ".join(ran.stages) or ran.why or "-"
            seconds = f"{ran.seconds:.1f} s" if ran.stages else "-"
            state = f"{ran.state}, pushed" if ran.pushed else ran.state
            rows.append((ran.name, state, count(ran.samples), seconds, said))
        yield from table(("DATASET", "STATE", "SAMPLES", "TIME", "STAGES"), rows)
        for ran in self.datasets:
            for violation in ran.violations:
                yield f"warning: {ran.name} breaks its contract: {violation}"
        broken = [ran.name for ran in self.datasets if ran.violations]
        if broken:
            yield f"samples that break it are named by: dreg check {' '.join(broken)}"


def run(
    registry: Registry,
    names: list[str] | None = None,
    *,
    everything: bool = False,
    push: bool = False,
    force: bool = False,
    jobs: int | None = None,
    engine: str | None = None,
    compute: str | None = None,
    wait: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> Runs:
    """Bring the named datasets, and those they are made from, up to date.

    A dataset that fails stops only those that need it. `engine` is for the stages that measure or
    embed, `compute` the compute type that they are given, `wait` how many seconds for another dreg that is at a dataset (None: DREG_WAIT, else 600);
    `environment` is added to that of all stages. Raises what went wrong, with each one's fate as its
    answer; BadRequest when it is unclear what to run, for an engine that isn't there, and for a compute
    type that is none.
    """
    runs, errors = carried_out(
        registry,
        _wanted(registry, names, everything),
        push=push,
        force=force,
        jobs=jobs,
        engine=engine,
        wait=wait,
        environment={
            **(environment or {}),
            **(compute_type(compute).environment() if compute else {}),
        },
    )
    if errors:
        raise _summary(errors, runs)
    return runs


def carried_out(
    registry: Registry,
    wanted: list[str],
    *,
    push: bool = False,
    force: bool = False,
    jobs: int | None = None,
    engine: str | None = None,
    wait: float | None = None,
    environment: Mapping[str, str] | None = None,
) -> tuple[Runs, dict[str, DregError]]:
    """As `run`, of datasets that are there: each one's fate, and what went wrong with some by name."""
    by = engines.chosen(engine)
    surroundings = dict(environment or {})
    if engine or engines.VARIABLE in os.environ:  # else each stage takes what suits it
        surroundings[engines.VARIABLE] = by
    seconds = patience(wait)
    plan = _plan(registry, wanted)
    order = in_order(plan.needs)
    fates = None if force or plan.broken else _without_running(registry, order, push)
    if fates is None:
        # Where there is nothing to do, nobody should wait for these.
        from dreg.adapters.dvc.process import check_installed, mend
        from dreg.adapters.scratch import tidy
        from dreg.run.schedule import Schedule

        plan.sizes.update((name, _bytes_made(registry, name)) for name in order)
        check_installed()
        mend(registry.root)
        tidy()
        schedule = Schedule(
            registry.root,
            plan,
            forced=set(wanted) if force else set(),
            push=push,
            wait=seconds,
            problems=functools.partial(found_now, registry),
            environment=surroundings,
        )
        fates = schedule.carry_out(jobs or min(MOST_AT_ONCE, os.cpu_count() or 1))
    runs = Runs(tuple(_measured(registry, fates[name]) for name in order))
    return runs, {name: error for name in order if (error := fates[name].error)}


def needed(registry: Registry, names: list[str]) -> list[str]:
    """The datasets and all that they are made from, each behind those it needs.

    Raises BadRequest for an unknown one, and for a cycle.
    """
    return in_order(needs(registry, names))


def needs(registry: Registry, names: list[str]) -> Mapping[str, set[str]]:
    """What each dataset is made from, of these and of all that they need. Raises BadRequest for an unknown one."""
    return _plan(registry, [dataset.name for dataset in registry.datasets(names)]).needs


def refuse_unfinished(dataset: Dataset) -> None:
    """Raises Refused unless the dataset's outputs are what its pipeline says.

    Outputs that are just not here do not matter: their bytes are asked for where they are needed.
    """
    verdict = state_of(dataset)
    if verdict.state is State.NEVER_RUN:
        raise Refused(f"`{dataset.name}` was never run", hint=f"dreg run {dataset.name}")
    if verdict.state not in (State.UP_TO_DATE, State.MISSING):
        raise Refused(
            f"`{dataset.name}` is not up to date",
            hint=f"dreg run {dataset.name}; then commit what changed",
            details=verdict.why,
        )


def _wanted(registry: Registry, names: list[str] | None, everything: bool) -> list[str]:
    if names and everything:
        raise BadRequest("`--all` and names exclude each other", hint="give one of them")
    if not registry.names:
        raise BadRequest("the registry has no datasets", hint="dreg new NAME --kind tabular")
    if not names and not everything:
        raise BadRequest(
            "it is not said what to run",
            hint=f"dreg run {registry.names[0]}, or all: dreg run --all",
        )
    return [dataset.name for dataset in registry.datasets(names)]


def _plan(registry: Registry, wanted: list[str]) -> Plan:
    """What to run: the wanted datasets, and all that they are made from."""
    plan = Plan()
    todo = list(wanted)
    while todo:
        name = todo.pop()
        if name in plan.needs:
            continue
        plan.needs[name] = set()
        try:
            pipeline = Pipeline(registry.root, name)
            refuse_other_files(registry.root, name)
            upstream = registry.dataset(name).contract().upstream
            for other in upstream:
                if other not in registry.names:
                    raise _no_upstream(name, other, registry)
            read = pipeline.reads() & set(registry.names)
            plan.needs[name] = {*upstream, *read}
            plan.stages[name] = len(pipeline.order)
        except DregError as error:
            plan.broken[name] = error
        todo += sorted(plan.needs[name])
    return plan


def _bytes_made(registry: Registry, name: str) -> int:
    """Of all that the dataset's stages made when they last ran."""
    try:
        stages = Pipeline(registry.root, name).locked().values()
    except DregError:  # it is told, or mended, when the dataset's turn comes
        return 0
    return sum(out.size or 0 for stage in stages for out in stage.outs.values())


def _no_upstream(name: str, other: str, registry: Registry) -> BadRequest:
    return BadRequest(
        f"`{name}` is made from `{other}`, and there is no dataset of that name",
        hint=f"correct `upstream` in pipelines/{name}/dataset.yaml: "
        f"{unknown_dataset(other, registry.names).hint}",
    )


def _without_running(registry: Registry, order: list[str], push: bool) -> dict[str, Fate] | None:
    """Every dataset's fate if there is nothing to run and, with `push`, nothing to push; else None.

    Found out before any claim, thread or bar. One that cannot be read has something to be told.
    """
    try:
        for name in order:
            if native_state(Pipeline(registry.root, name)).state is not State.UP_TO_DATE:
                return None
    except DregError:
        return None
    fates = {name: Fate(name, "up to date", pushed=push) for name in order}
    if not push:
        return fates
    from dreg.push.outputs import is_pushed

    for number, name in enumerate(order):
        try:
            if not is_pushed(Dataset(registry.root, name)):
                return None
        except DregError as error:  # there is one remote, and asking it once more takes as long
            return fates | {other: Fate(other, "failed", error=error) for other in order[number:]}
    return fates


def _measured(registry: Registry, fate: Fate) -> Ran:
    """The fate with what the new profile says."""
    ran = Ran(
        name=fate.name,
        state=fate.state,
        stages=fate.stages,
        seconds=round(fate.seconds, 3),
        pushed=fate.pushed,
        why=fate.error.fact if fate.error else fate.why,
        log=fate.log,
    )
    if ran.state in ("failed", "skipped"):
        return ran
    dataset = registry.dataset(fate.name)
    profile = dataset.profile()
    if profile is None:
        return ran
    broken = told_by(dataset, profile) if fate.problems is None else fate.problems
    return replace(ran, samples=profile.num_samples, violations=broken)


def _summary(errors: Mapping[str, DregError], runs: Runs) -> DregError:
    """One error for all: the only one itself, or a list; with every fate as its answer."""
    if len(errors) == 1:
        (error,) = errors.values()
    else:
        details = [f"{name}: {error.fact}" for name, error in errors.items()]
        kinds = {type(error) for error in errors.values()}
        kind = kinds.pop() if len(kinds) == 1 else Outside
        again = f"dreg run {' '.join(errors)}"
        error = kind(
            f"{len(errors)} of {len(runs.datasets)} datasets failed",
            hint=f"see each one alone: dreg run {next(iter(errors))}; or all again: {again}",
            details=details,
        )
    error.answer = runs
    return error
