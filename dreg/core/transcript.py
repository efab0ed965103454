"""What `dvc repro` says while it runs, told apart from what the stages' own scripts say."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass, field

from dreg.errors import BadRequest, DregError, Lasting, Outside, Refused

LAST_WORDS = 10
KEPT = 200

_RUNNING = re.compile(r"Running stage '(?:.*:)?([^:']+)':")
_SKIPPED = re.compile(r"Stage '(?:.*:)?([^:']+)' didn't change, skipping")
_CACHED = re.compile(r"Stage '(?:.*:)?([^:']+)' is cached - skipping run, checking out outputs")
_FAILED = re.compile(r"ERROR: failed to reproduce '(?:.*:)?([^:']+)'(?:: (.*))?")
_EXITED = re.compile(r"failed to run: .*, exited with (-?\d+)")
_NOISE = re.compile(
    r"\s*|(?:Generating|Updating) lock file '.*'|To track the changes with git, run:"
    r"|\tgit add .*|To enable auto staging, run:|\tdvc config core\.autostage true"
    r"|Use `dvc push` to send your updates to remote storage\."
    r"|Data and pipelines are up to date\."
    # Left by `kill -9`; DVC has just tidied up.
    r"|WARNING: Process '.*', in RWLock-file '.*' had been killed\. Auto removed .*"
)

_KINDS: dict[int, type[DregError]] = {1: Refused, 2: BadRequest, 3: Outside}


@dataclass
class Transcript:
    """Fed line by line with what DVC and the scripts print, of one pipeline.

    `commands` are the pipeline's own, which DVC repeats before it runs them.
    """

    commands: Collection[str] = ()
    stages: list[str] = field(default_factory=list)
    restored: list[str] = field(default_factory=list)
    failed: str = ""
    reason: str = ""
    own: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))
    said: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT))

    def read(self, line: str) -> str | None:
        """Take in a line; the text that is worth showing, or None."""
        if found := _RUNNING.fullmatch(line):
            self.stages.append(found[1])
            self.own.clear()
            return f"stage {found[1]}"
        if found := _CACHED.fullmatch(line):
            self.restored.append(found[1])
            return f"stage {found[1]}: outputs of an earlier run"
        if found := _FAILED.fullmatch(line):
            self.failed, self.reason = found[1], found[2] or ""
            return None
        is_command = line.startswith("> ") and line[2:] in self.commands
        if _SKIPPED.fullmatch(line) or _NOISE.fullmatch(line) or is_command:
            return None
        if line.startswith("ERROR: "):
            self.reason = self.reason or line.removeprefix("ERROR: ")
            self.said.append(line)
            return None
        (self.own if self.stages else self.said).append(line)
        return line if self.stages else None

    def failure(self, dataset: str, log: str) -> DregError:
        """Why the run failed, in the terms of the stage that did."""
        exited = _EXITED.fullmatch(self.reason)
        if not self.failed or "is busy, it is being blocked by" in self.reason:
            return self._dvcs_own(dataset, log)
        stage = f"stage `{self.failed}` of `{dataset}`"
        if exited is None:
            reason = self.reason or "failed"
            return Lasting(f"{stage}: {reason}", hint=f"the whole log: {log}", details=self._last())
        code = int(exited[1])
        if code in _KINDS and (told := self._told(stage, _KINDS[code])):
            return told
        if code < 0 or code > 128:
            number = -code if code < 0 else code - 128
            fact = f"{stage} was ended by signal {number}"
            hint = f"the machine may have run out of memory; the whole log: {log}"
            return Lasting(
                fact, hint=hint if number == 9 else f"the whole log: {log}", details=self._last()
            )
        hint = f"the whole log: {log}"
        if code == 127:
            hint = f"a program it needs is not installed; {hint}"
        return Lasting(f"{stage} ended with exit code {code}", hint=hint, details=self._last())

    def _last(self) -> list[str]:
        return [line for line in self.own if line.strip()][-LAST_WORDS:]

    def _told(self, stage: str, kind: type[DregError]) -> DregError | None:
        """The error that the script itself reported as dreg's stages do: fact, details, hint."""
        lines = list(self.own)
        starts = [i for i, line in enumerate(lines) if line.startswith("error: ")]
        if not starts or not lines[-1].startswith("hint: "):
            return None
        fact, *details = lines[starts[-1] : -1]
        return kind(
            f"{stage}: {fact.removeprefix('error: ')}",
            hint=lines[-1].removeprefix("hint: "),
            details=[line.strip() for line in details if line.strip()],
        )

    def _dvcs_own(self, dataset: str, log: str) -> DregError:
        if "is busy" in self.reason or "Unable to acquire lock" in self.reason:
            return Outside(
                f"another process is working on `{dataset}`",
                hint="wait until it has ended, then run the command again",
                details=[line.strip() for line in self.said if "(PID" in line][:LAST_WORDS],
            )
        if "RWLock-file" in self.reason:
            return Outside(
                "DVC's record of running processes is damaged",
                hint="remove .dvc/tmp/rwlock, then run the command again",
            )
        last = [line for line in (*self.said, *self.own) if line.strip()][-LAST_WORDS:]
        return Outside(f"DVC could not run `{dataset}`", hint=f"the whole log: {log}", details=last)
