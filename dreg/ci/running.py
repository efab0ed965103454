"""An automated run: pipelines, checks, bytes, tags, of many datasets, as one step.

What is not new costs little: a dataset whose pipeline is as it was released is released first, which
finds that out from git and fetches no data. Only the rest runs, and gets what it needs from the remote.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from dreg.adapters.dvc import Pipeline
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.git import Repository
from dreg.adapters.step_files import tell_outputs, tell_summary
from dreg.adapters.written import written
from dreg.ci.answer import Outcome, Result, failed, result, settled
from dreg.ci.cloning import Cloned
from dreg.ci.following import follow
from dreg.core.choices import Choices
from dreg.core.ci.automation import Automation
from dreg.core.ci.compute import USUAL, ComputeType, compute_type
from dreg.core.freshness import State
from dreg.errors import BadRequest, DregError, Lasting, Outside, Refused, Stale
from dreg.freshness import state_of
from dreg.output import harmless, jsonable, out
from dreg.registry import Dataset, Registry
from dreg.release.manner import Manner
from dreg.release.releasing import release_each, upstream_first
from dreg.release.unchanged import surely_unchanged
from dreg.remote import check as check_remote
from dreg.run.running import carried_out, needs
from dreg.upstream import upstream

ATTEMPTS = 3
FILE = "result.json"


@dataclass
class Work:
    """The datasets of one run, and what became of them so far."""

    registry: Registry
    choices: Choices
    manner: Manner
    compute: ComputeType
    force: bool = False
    wait: float | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    errors: dict[str, DregError] = field(default_factory=dict)

    def carry_out(self, datasets: Sequence[Dataset]) -> None:
        """Bring each dataset to a release, or tell what keeps it from one."""
        for attempt in range(ATTEMPTS):
            rest = [dataset for dataset in datasets if dataset.name not in self.outcomes]
            rest = self._quickly(rest)
            if not rest:
                return
            check_remote(self.registry)  # before what may take hours
            self._run(rest)
            stale = [d for d in datasets if isinstance(self.errors.get(d.name), Stale)]
            if not stale or self.manner.dry_run or attempt == ATTEMPTS - 1:
                return
            for dataset in stale:
                if follow(dataset, self.wait):
                    out.note(f"`{dataset.name}` was changed meanwhile; running it again from there")
                    del self.outcomes[dataset.name], self.errors[dataset.name]

    def _quickly(self, datasets: Sequence[Dataset]) -> list[Dataset]:
        """Release what needs no run, nor anything that it is made from; the rest."""
        rest: list[Dataset] = []
        if self.force:
            return list(datasets)
        needed: Mapping[str, set[str]] = {}
        try:
            needed = needs(self.registry, [dataset.name for dataset in datasets])
        except DregError:
            return list(datasets)  # the run tells
        asked = {dataset.name for dataset in datasets}
        known = surely_unchanged(self.registry, datasets, self.choices, self.manner)
        self.outcomes |= {name: settled(released) for name, released in known.items()}
        for dataset in datasets:
            if dataset.name in known:
                continue
            waits = needed[dataset.name] & {d.name for d in rest}
            other = needed[dataset.name] - asked
            if waits or not all(map(self._fresh, [dataset.name, *other])):
                rest.append(dataset)
                continue
            (tried,) = self._released([dataset])
            if isinstance(tried, DregError):
                rest.append(dataset)
            else:
                self.outcomes[dataset.name] = tried
        return rest

    def _fresh(self, name: str) -> bool:
        """Whether its pipeline has nothing to do; its data need not be here."""
        try:
            state = state_of(self.registry.dataset(name)).state
        except DregError:
            return False
        return state in (State.UP_TO_DATE, State.MISSING)

    def _run(self, datasets: Sequence[Dataset]) -> None:
        names = [dataset.name for dataset in datasets]
        runs, errors = carried_out(
            self.registry,
            names,
            force=self.force,
            jobs=self.compute.cpus,
            wait=self.wait,
            environment=self.compute.environment(),
        )
        ran = {one.name: one for one in runs.datasets}
        ready = []
        for dataset in datasets:
            one = ran[dataset.name]
            if error := errors.get(one.name):
                self._fail(one.name, error)
            elif one.state == "skipped":
                # It may need one that was skipped itself.
                near = (errors[n] for n in ran if n in errors and n in one.why)
                culprit = next(near, None) or next(iter(errors.values()))
                kind = Lasting if isinstance(culprit, Lasting) else Outside
                self._fail(one.name, kind(one.why, hint=culprit.hint, details=[culprit.fact]))
            else:
                ready.append(dataset)
        needed = needs(self.registry, [dataset.name for dataset in ready])
        for dataset in ready:
            try:
                self._refuse_unreleased(dataset, needed[dataset.name])
                (tried,) = self._released([dataset])
                if isinstance(tried, DregError):
                    raise tried
                self.outcomes[dataset.name] = tried
            except DregError as error:
                self._fail(dataset.name, error)
        for name in self.outcomes.keys() & ran.keys():
            one = ran[name]
            self.outcomes[name] = replace(
                self.outcomes[name], stages=one.stages, seconds=one.seconds, log=one.log
            )

    def _refuse_unreleased(self, dataset: Dataset, needed: Set[str]) -> None:
        """Raises Outside or Refused for what is made from bytes that were not released, in this run or before."""
        if name := next((name for name in sorted(needed) if name in self.errors), None):
            error = self.errors[name]
            kind = next(k for k in (Refused, Lasting, Outside, DregError) if isinstance(error, k))
            raise kind(f"needs {name}", hint=error.hint, details=[error.fact])
        if self.manner.dry_run:  # then nothing is released that it could be made from
            return
        read = Pipeline(dataset.root, dataset.name).reads()
        for pin in upstream(dataset) if read - {dataset.name} else ():
            if pin.dataset in read and pin.version is None:
                raise Refused(
                    f"`{dataset.name}` is made from bytes of `{pin.dataset}` that no release has",
                    hint=f"release them first: dreg ci run {pin.dataset} {dataset.name}",
                )

    def _released(self, datasets: Sequence[Dataset]) -> list[Outcome | DregError]:
        each = release_each(self.registry, datasets, self.choices, self.manner, self.wait)
        return [one if isinstance(one, DregError) else settled(one) for _, one in each]

    def _fail(self, name: str, error: DregError) -> None:
        self.errors[name] = error
        self.outcomes[name] = failed(name, error)


def ci_run(
    registry: Registry,
    names: list[str] | None = None,
    *,
    choices: Choices,
    compute: str = USUAL,
    force: bool = False,
    dry_run: bool = False,
    branch: str | None = None,
    results: Path | None = None,
    wait: float | None = None,
) -> Result:
    """Run, check and release the named datasets, or all, on a compute type; `results` is the folder for result.json.

    One that fails stops only those made from it. Raises what went wrong, with each one's outcome as
    its answer; the result is written, and the job told, in any case.
    """
    automation = Automation.of(os.environ)
    _identify(registry, automation)
    place = None if results is None else results.expanduser().absolute() / FILE
    if place:
        place.unlink(missing_ok=True)  # nobody must take an old one for this run's
    said = str(automation) if automation else ""
    manner = Manner(dry_run=dry_run, branch=branch, automated=said)
    # What is given to all of a run's datasets is not meant for one that it would be an error for.
    choices = replace(choices, named=False)
    outcomes: dict[str, Outcome] = {}
    error: DregError | None = None
    commit = Repository(registry.root).head()
    order: list[str] = []
    try:
        asked = registry.datasets(names) if names or registry.names else ()
        datasets = upstream_first(registry, asked)
        order = [dataset.name for dataset in datasets]
        _refuse_passing_disk(registry, automation)
        given = compute_type(compute)
        work = Work(registry, choices, manner, given, force, wait, outcomes)
        work.carry_out(datasets)
        error = _summary(work.errors, len(order))
    except DregError as whole:
        error = whole
    answer = result(
        tuple(outcomes[name] for name in order if name in outcomes),
        automated=said or None,
        commit=commit,
        compute_type=compute,
        dry_run=dry_run,
        error=error,
        complete=bool(order) and outcomes.keys() >= set(order),
    )
    _tell(answer, place)
    if error:
        error.answer = answer
        raise error
    return answer


def _tell(answer: Result, place: Path | None) -> None:
    if place:
        with written(place) as file:
            file.write(f"{harmless(json.dumps(jsonable(answer), indent=2))}\n".encode())
    tell_summary(harmless(line) for line in answer.markdown())
    changed = answer.of("changed")
    tell_outputs(
        {
            "changed": bool(changed),
            "tags": [outcome.tag for outcome in changed],
            "states": {outcome.dataset: outcome.state for outcome in answer.datasets},
        }
    )


def _identify(registry: Registry, automation: Automation | None) -> None:
    """An automated run that git knows no name of goes by the system's."""
    if automation is None or Repository(registry.root).try_("var", "GIT_COMMITTER_IDENT"):
        return
    name, address = automation.identity()
    for role in ("AUTHOR", "COMMITTER"):
        os.environ.setdefault(f"GIT_{role}_NAME", name)
        os.environ.setdefault(f"GIT_{role}_EMAIL", address)


def _refuse_passing_disk(registry: Registry, automation: Automation | None) -> None:
    """Raises BadRequest where released bytes would be gone with the machine.

    A path in DREG_REMOTE is somebody's decision: it may be mounted.
    """
    if isinstance(registry, Cloned):
        registry.refuse_folder_beside()
    remote = remote_of(registry.root)
    meant = remote.name == remote.url
    if automation is not None and automation.passing and remote.scheme == "" and not meant:
        raise BadRequest(
            f"the remote `{remote.name}` is a folder on this machine, which is gone when the run ends",
            hint="name a remote that is reached from here in DREG_REMOTE",
        )


def _summary(errors: Mapping[str, DregError], total: int) -> DregError | None:
    """One error for all: the only one itself, or a list."""
    if len(errors) < 2:
        return next(iter(errors.values()), None)
    kinds = {type(error) for error in errors.values()}
    several = Outside if Outside in kinds else Lasting  # what may pass is worth another try
    kind = kinds.pop() if len(kinds) == 1 else several
    return kind(
        f"{len(errors)} of {total} datasets were not released",
        hint=f"see each one alone: dreg ci run {next(iter(errors))}",
        details=[f"{name}: {error.fact}" for name, error in errors.items()],
    )
