"""Jobs of a Ray cluster, by its own API."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from dreg.adapters.ray_jobs import RayJobs
from dreg.core.submission import Asked, Progress, Submission
from dreg.core.submission.asked import ENTRYPOINT, REQUEST, SUBMISSION
from dreg.errors import Outside

FIRST, LONGEST = 0.5, 5.0  # seconds between looks
GONE = 15.0  # seconds that a job may take to end


class OnRay:
    """Submissions on one Ray cluster; `options` are those by which `dreg submit` finds it."""

    def __init__(
        self, jobs: RayJobs, options: str = "", *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.jobs = jobs
        self.options = options
        self.sleep = sleep
        self.where = jobs.address

    def submit(self, submission: Submission, asked: Asked) -> str | None:
        """None if it was submitted now, else the digest of what the one that is there was asked for."""
        environment = {**asked.environment(), SUBMISSION: str(submission)}
        if asked.repo:
            environment["DREG_REPO"] = asked.repo
        if self.jobs.submit(submission.name, ENTRYPOINT, environment, {REQUEST: asked.digest}):
            return None
        there = self.jobs.get(submission.name)
        return str((there.get("metadata") or {}).get(REQUEST, ""))

    def progress(self, submission: Submission) -> Progress:
        """How it is going. Raises BadRequest for a job that is not known."""
        return Progress.of_job(self.jobs.get(submission.name))

    def changes(self, submission: Submission) -> Iterator[Progress]:
        """How it is going, until it is over."""
        pause = FIRST
        while True:
            progress = self.progress(submission)
            yield progress
            if progress.over:
                return
            self.sleep(pause)
            pause = min(pause * 1.5, LONGEST)

    def cancel(self, submission: Submission) -> Progress:
        """End it, and wait for that; how it ended. What is over stays as it is."""
        progress = self.progress(submission)
        if progress.over:
            return progress
        self.jobs.stop(submission.name)
        until = time.monotonic() + GONE
        for progress in self.changes(submission):
            if progress.over:
                return progress
            if time.monotonic() > until:
                break
        raise Outside(
            f"`{submission}` was told to end and has not within {GONE:.0f} s",
            hint=f"dreg submit status {submission}{self.options}",
        )

    def log(self, submission: Submission, *, follow: bool) -> Iterator[str]:
        """What it has said; with `follow`, until it is over."""
        told = 0
        pause = FIRST
        while True:
            over = not follow or self.progress(submission).over  # first: its last words come after
            lines = self.jobs.log(submission.name).splitlines(keepends=True)
            whole = lines if over else [line for line in lines if line.endswith("\n")]
            yield from (line.rstrip("\r\n") for line in whole[told:])
            pause = FIRST if len(whole) > told else min(pause * 1.5, LONGEST)
            told = len(whole)
            if over:
                return
            self.sleep(pause)
