"""What an automated run does with each dataset, and what became of it so far.

What is not new costs little: a dataset whose pipeline is as it was released is released first, which
finds that out from git and fetches no data. Only the rest runs, and gets what it needs from the remote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace

from dreg.ci.answer import Outcome, failed, settled
from dreg.ci.following import follow
from dreg.core.choices import Choices
from dreg.core.ci.compute import ComputeType
from dreg.core.freshness import State
from dreg.errors import DregError, Lasting, Outside, Refused, Stale
from dreg.freshness import state_of
from dreg.output import out
from dreg.registry import Dataset, Registry
from dreg.release.manner import Manner
from dreg.release.releasing import release_each
from dreg.release.unchanged import surely_unchanged
from dreg.remote import check as check_remote
from dreg.run.running import Ran, carried_out, needs

ATTEMPTS = 3


@dataclass
class Work:
    """The datasets of one run, and what became of them so far.

    `running` are those whose pipelines are being run, `releasing` the one that is being released, and
    `kept_back` names for what was not released the one that it is made from, and that was not either. `ahead` are those that were released, or with `--dry-run` planned.
    """

    registry: Registry
    choices: Choices
    manner: Manner
    compute: ComputeType
    force: bool = False
    wait: float | None = None
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    errors: dict[str, DregError] = field(default_factory=dict)
    running: frozenset[str] = frozenset()
    releasing: str | None = None
    kept_back: dict[str, str] = field(default_factory=dict)
    ahead: set[str] = field(default_factory=set)

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
            again = set()
            for dataset in stale:
                if follow(dataset, self.wait):
                    out.note(f"`{dataset.name}` was changed meanwhile; running it again from there")
                    again.add(dataset.name)
            for dataset in datasets:  # each behind those it is made from
                if self.kept_back.get(dataset.name) in again:
                    again.add(dataset.name)
            for name in again:
                del self.outcomes[name], self.errors[name]
                self.kept_back.pop(name, None)

    def interrupted(self, name: str, by: str) -> Outcome:
        """What is told of a dataset that the run did not get done with before the signal `by` ended it."""
        during = "before its turn"
        if name == self.releasing:
            during = "while it was being released"
        elif name in self.running:
            during = "while pipelines ran"
        hint = f"run it again, it takes up where this was: dreg ci run {name}"
        return Outcome(name, "failed", why=f"{by} ended the run {during}", hint=hint)

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
            tried = self._released(dataset)
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
        self.running = frozenset(names)
        runs, errors = carried_out(
            self.registry,
            names,
            force=self.force,
            jobs=self.compute.cpus,
            wait=self.wait,
            environment=self.compute.environment(),
        )
        self.running = frozenset()
        ran = {one.name: one for one in runs.datasets}
        ready = []
        for dataset in datasets:
            one = ran[dataset.name]
            if error := errors.get(one.name):
                self._fail(one.name, error, one)
            elif one.state == "skipped":
                # It may need one that was skipped itself.
                near = (
                    errors[n] for n in one.why.removeprefix("needs ").split(", ") if n in errors
                )
                culprit = next(near, None) or next(iter(errors.values()))
                kind = Lasting if isinstance(culprit, Lasting) else Outside
                told = kind(one.why, hint=culprit.hint, details=[culprit.fact])
                self._fail(one.name, told, one)
            else:
                ready.append(dataset)
        needed = needs(self.registry, [dataset.name for dataset in ready])
        for dataset in ready:
            try:
                self._refuse_behind(dataset, needed[dataset.name])
                tried = self._released(dataset)
                if isinstance(tried, DregError):
                    raise tried
                self.outcomes[dataset.name] = _with_run(tried, ran[dataset.name])
            except DregError as error:
                self._fail(dataset.name, error, ran[dataset.name])

    def _refuse_behind(self, dataset: Dataset, needed: Set[str]) -> None:
        """Raises Outside or Refused for what is made from a dataset that this run could not release."""
        if name := next((name for name in sorted(needed) if name in self.errors), None):
            error = self.errors[name]
            kind = next(k for k in (Refused, Lasting, Outside, DregError) if isinstance(error, k))
            self.kept_back[dataset.name] = name
            raise kind(f"needs {name}", hint=error.hint, details=[error.fact])

    def _released(self, dataset: Dataset) -> Outcome | DregError:
        self.releasing = dataset.name
        ((_, one),) = release_each(
            self.registry, [dataset], self.choices, self.manner, self.wait, self.ahead
        )
        self.releasing = None
        return one if isinstance(one, DregError) else settled(one)

    def _fail(self, name: str, error: DregError, ran: Ran) -> None:
        self.errors[name] = error
        self.outcomes[name] = _with_run(failed(name, error), ran)


def _with_run(outcome: Outcome, ran: Ran) -> Outcome:
    return replace(outcome, stages=ran.stages, seconds=ran.seconds, log=ran.log)
