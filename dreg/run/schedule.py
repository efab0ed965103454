"""Carrying out a plan: each pipeline when what it needs is done, independent ones side by side."""

from __future__ import annotations

import functools
import graphlib
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue

from dreg.adapters.claims import Claims
from dreg.adapters.dvc import Pipeline
from dreg.adapters.dvc.process import Processes
from dreg.adapters.dvc.reproduce import Attempt
from dreg.adapters.interrupts import held_back
from dreg.adapters.yaml_files import shown
from dreg.errors import DregError
from dreg.output import out
from dreg.push.outputs import push_outputs
from dreg.registry import Dataset
from dreg.run.plan import Fate, Plan, ordered


@dataclass
class Schedule:
    """A plan being carried out in the registry at `root`; those `forced` run whatever they have.

    `environment` is what the stages are to find in theirs, `wait` how many seconds another dreg
    is awaited that is at one of the datasets. `problems` tells where a dataset that ran breaks its contract.
    """

    root: Path
    plan: Plan
    forced: set[str]
    push: bool
    wait: float
    problems: Callable[[str], tuple[str, ...]]
    environment: Mapping[str, str] = field(default_factory=dict)

    def carry_out(self, jobs: int) -> dict[str, Fate]:
        """Every dataset's fate. Ctrl-C ends all processes first, then raises KeyboardInterrupt."""
        sorter = graphlib.TopologicalSorter(ordered(self.plan.needs))
        sorter.prepare()
        processes = Processes(self.root, self.environment, forking=True)
        fates: dict[str, Fate] = {}
        running: dict[Future[Fate], str] = {}
        ended: SimpleQueue[Future[Fate] | None] = SimpleQueue()
        total = sum(self.plan.stages.values())
        with (
            held_back(wake=lambda: ended.put(None)) as signals,
            ThreadPoolExecutor(jobs) as threads,
            out.progress("running", total, "stages") as step,
        ):
            try:
                while sorter.is_active():
                    # What takes longest first, so that nothing long is left when all else is done.
                    for name in sorted(sorter.get_ready(), key=lambda n: -self.plan.ahead[n]):
                        if fate := self._without_running(name, fates):
                            fates[name] = fate
                            sorter.done(name)
                        else:
                            work = functools.partial(self._run, name, processes, step)
                            future = threads.submit(work)
                            running[future] = name
                            future.add_done_callback(ended.put)
                    signals.heed()
                    if running and (first := ended.get()):
                        name = running.pop(first)
                        fates[name] = first.result()
                        sorter.done(name)
            except BaseException as reason:
                if isinstance(reason, KeyboardInterrupt):
                    out.note("stopping; the same command takes up where it was")
                processes.stop()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
            finally:
                processes.close()
        return fates

    def _without_running(self, name: str, fates: Mapping[str, Fate]) -> Fate | None:
        """The fate of a dataset that cannot run."""
        if error := self.plan.broken.get(name):
            return Fate(name, "failed", error=error)
        stopped = [
            n for n in sorted(self.plan.needs[name]) if fates[n].state in ("failed", "skipped")
        ]
        if not stopped:
            return None
        return Fate(name, "skipped", why=f"needs {', '.join(stopped)}")

    def _run(self, name: str, processes: Processes, step: Callable[[int], None]) -> Fate:
        width = max(map(len, self.plan.needs))
        total = self.plan.stages[name]
        begun = done = 0

        def next_stage() -> None:
            nonlocal begun, done
            begun += 1
            if 1 < begun <= total:  # the one before has ended
                done += 1
                step(1)

        def tell(line: str) -> None:
            if not processes.stopping:
                out.note(f"{name.ljust(width)} | {line}")

        attempt = Attempt(Pipeline(self.root, name), processes, tell, next_stage, out.debug)
        claims = Claims(self.root, f"dreg run {name}", self.wait, tell, processes.check)
        fate = Fate(name, "failed")
        start = time.monotonic()
        try:
            with claims.of(name, reading=self.plan.needs[name]) as held:
                start = time.monotonic()
                attempt = replace(attempt, held=held)
                state, stages = attempt.reproduce(force=name in self.forced)
                fate = replace(fate, state=state, stages=stages)
                if state == "ran":
                    fate = replace(fate, problems=self.problems(name))
                if self.push:
                    tell("pushing")
                    push_outputs(Dataset(self.root, name), processes)
                    fate = replace(fate, pushed=True)
        except DregError as error:
            fate = replace(fate, state="failed", error=error)
        step(total - done)
        log = shown(attempt.log) if attempt.log.is_file() else None
        return replace(fate, seconds=time.monotonic() - start, log=log)
