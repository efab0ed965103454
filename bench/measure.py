"""Run two commands in turn as whole processes; medians of time, ratio and peak memory."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Job:
    """One bar: `ours` beside `peer`. `bar` is the highest allowed ratio of our time to theirs, if any;
    `memory` the most megabytes that our process may take, `most` the most seconds and `more` the
    most seconds beyond theirs. With `rows`, `rate` is the least of them that we may do in a second.
    `before` is called before each command, and not counted. Of commands that tell themselves how long it
    took, `told`, only that counts: no start of Python, no imports."""

    name: str
    peer: str
    ours_command: list[str]
    peer_command: list[str]
    folder: Path
    bar: float | None = None
    memory: float | None = None
    runs: int = 7
    rows: int = 0
    rate: float = 0
    most: float | None = None
    more: float | None = None
    before: Callable[[], None] = field(default=lambda: None)
    told: bool = False


@dataclass(frozen=True)
class Result:
    """Medians over the runs. Times in seconds, memory (the largest process) in megabytes."""

    name: str
    peer: str
    runs: int
    seconds: float
    peer_seconds: float
    ratio: float
    bar: float | None
    megabytes: float
    peer_megabytes: float
    memory_bar: float | None
    rows: int = 0
    rate_bar: float = 0
    most: float | None = None
    more: float | None = None

    @property
    def rate(self) -> float:
        """Our rows a second."""
        return self.rows / self.seconds

    @property
    def met(self) -> bool:
        return (
            (self.bar is None or self.ratio <= self.bar)
            and (self.memory_bar is None or self.megabytes <= self.memory_bar)
            and self.rate >= self.rate_bar
            and (self.most is None or self.seconds <= self.most)
            and (self.more is None or self.seconds <= self.peer_seconds + self.more)
        )


def run(job: Job, environment: dict[str, str]) -> Result:
    """Measure the job: one warm-up each, then ours, theirs, ours, theirs, ...

    The ratio is the median of the pairs' ratios, so that a machine whose speed drifts does not
    decide it.
    """
    ours, theirs = [], []
    for i in range(job.runs + 1):
        job.before()
        a = once(job.ours_command, job.folder, environment, told=job.told)
        job.before()
        b = once(job.peer_command, job.folder, environment, told=job.told)
        if i:
            ours.append(a)
            theirs.append(b)
    return Result(
        name=job.name,
        peer=job.peer,
        runs=job.runs,
        seconds=statistics.median(t for t, _ in ours),
        peer_seconds=statistics.median(t for t, _ in theirs),
        ratio=statistics.median(a / b for (a, _), (b, _) in zip(ours, theirs, strict=True)),
        bar=job.bar,
        megabytes=statistics.median(m for _, m in ours),
        peer_megabytes=statistics.median(m for _, m in theirs),
        memory_bar=job.memory,
        rows=job.rows,
        rate_bar=job.rate,
        most=job.most,
        more=job.more,
    )


def once(
    command: list[str], folder: Path, environment: dict[str, str], *, told: bool = False
) -> tuple[float, float]:
    """Wall seconds and peak megabytes of one run; ends the benchmark if the command fails.

    The seconds are those in the last line that it prints, if it tells them: `seconds 0.5`.
    """
    with (folder / ".bench.log").open("w+b") as log:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            log.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{log.read().decode()}")
        if told:
            log.seek(0)
            seconds = float(log.read().decode().rpartition("seconds ")[2])
    return seconds, usage.ru_maxrss / 1000
