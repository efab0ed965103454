"""An automated run: pipelines, checks, bytes, tags, of many datasets, as one step that tells what it did however it ends."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dreg.adapters.dvc_config import remote_of
from dreg.adapters.ending import Asked, AskedToEnd, asked_to_end
from dreg.adapters.git import Repository
from dreg.adapters.step_files import tell_outputs, tell_summary
from dreg.adapters.written import written
from dreg.ci.answer import Result, result
from dreg.ci.cloning import Cloned
from dreg.ci.work import Work
from dreg.core.choices import Choices
from dreg.core.ci.automation import Automation
from dreg.core.ci.compute import USUAL, compute_type
from dreg.core.wording import numbered
from dreg.errors import BadRequest, DregError, Interrupted, Lasting, Outside, Terminated
from dreg.output import harmless, jsonable, out
from dreg.registry import Registry
from dreg.release.manner import Manner
from dreg.release.releasing import upstream_first

FILE = "result.json"


@dataclass
class Run:
    """One automated run: what was asked, what is known of it so far, and whether it was told.

    `place` is where result.json goes. `work` and `order`, the names of all datasets, are known once the registry is there.
    """

    automation: Automation | None
    compute: str
    dry_run: bool
    place: Path | None
    commit: str | None = None
    work: Work | None = None
    order: tuple[str, ...] = ()
    _told: bool = False
    _telling: threading.Lock = field(default_factory=threading.Lock)

    def ended(self, by: signal.Signals) -> DregError:
        """The error for a run that a signal ended."""
        kind = Interrupted if by is signal.SIGINT else Terminated
        done = len(self.work.outcomes) if self.work else 0
        left = [name for name in self.order if self.work and name not in self.work.outcomes]
        return kind(
            f"{by.name} ended the run, with {done} of {numbered(len(self.order), 'dataset')} done"
            if self.order
            else f"{by.name} ended the run before it looked at any dataset",
            hint=f"run the rest again, it takes up where this was: dreg ci run {' '.join(left)}".rstrip(),
        )

    def tell(self, error: DregError | None, by: signal.Signals | None = None) -> Result:
        """Write result.json, and tell the job, once; `by` is the signal that ended it."""
        with self._telling:
            outcomes = dict(self.work.outcomes) if self.work else {}
            whole = bool(self.order) and outcomes.keys() >= set(self.order)
            if by is not None and self.work is not None:
                for name in self.order:
                    outcomes.setdefault(name, self.work.interrupted(name, by.name))
            answer = result(
                tuple(outcomes[name] for name in self.order if name in outcomes),
                automated=str(self.automation) if self.automation else None,
                commit=self.commit,
                compute_type=self.compute,
                dry_run=self.dry_run,
                error=error,
                complete=whole and by is None,
            )
            if not self._told:
                _write(answer, self.place)
                self._told = True
        return answer

    def tell_at_last(self, by: signal.Signals) -> None:
        """What can still be said when there is no more time to end in good order."""
        error = self.ended(by)
        error.answer = self.tell(error, by)
        out.error(error)
        sys.stdout.flush()


def ci_run(
    where: AbstractContextManager[Registry],
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

    The registry is `where`'s, as long as the run takes. One that fails stops only those made from it. Raises what went
    wrong, with each one's outcome as its answer: Interrupted or Terminated for a signal, and then what it was in the
    midst of is told as failed. The result is written, and the job told, in any case.
    """
    place = None if results is None else results.expanduser().absolute() / FILE
    if place:
        place.unlink(missing_ok=True)  # nobody must take an old one for this run's
    run = Run(Automation.of(os.environ), compute, dry_run, place)
    said = str(run.automation) if run.automation else ""
    manner = Manner(dry_run=dry_run, branch=branch, automated=said)
    # What is given to all of a run's datasets is not meant for one that it would be an error for.
    choices = replace(choices, named=False)
    with asked_to_end(run.tell_at_last) as asked:
        error, by = _carried_out(run, asked, where, names, choices, manner, force, wait)
        answer = run.tell(error, by)
    if error:
        error.answer = answer
        raise error
    return answer


def _carried_out(
    run: Run,
    asked: Asked,
    where: AbstractContextManager[Registry],
    names: list[str] | None,
    choices: Choices,
    manner: Manner,
    force: bool,
    wait: float | None,
) -> tuple[DregError | None, signal.Signals | None]:
    """What went wrong, and the signal that ended it."""
    error: DregError | None = None
    try:
        try:
            with where as registry:
                _identify(registry, run.automation)
                run.commit = Repository(registry.root).head()
                found = registry.datasets(names) if names or registry.names else ()
                datasets = upstream_first(registry, found)
                run.order = tuple(dataset.name for dataset in datasets)
                _refuse_passing_disk(registry, run.automation)
                given = compute_type(run.compute)
                run.work = Work(registry, choices, manner, given, force, wait)
                run.work.carry_out(datasets)
                error = _summary(run.work.errors, len(datasets))
                asked.over()
        except DregError as whole:
            asked.over()
            error = whole
    except AskedToEnd as ended:
        return run.ended(ended.number), ended.number
    return error, None


def _write(answer: Result, place: Path | None) -> None:
    if place:
        with written(place) as file:
            file.write(f"{harmless(json.dumps(jsonable(answer), indent=2))}\n".encode())
    changed = answer.of("changed")
    tell_outputs(
        {
            "changed": bool(changed),
            "tags": [outcome.tag for outcome in changed],
            "states": {outcome.dataset: outcome.state for outcome in answer.datasets},
        }
    )
    try:
        tell_summary(harmless(line) for line in answer.markdown())
    except OSError as error:  # what it would say is in result.json, and done is done
        out.warn(f"the job's summary cannot be written: {error.strerror}")


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
