"""Bringing one pipeline up to date, with as little DVC as possible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.dvc.kept_lock import heal, kept_lock
from dreg.adapters.dvc.kept_outputs import kept_outputs, put_back
from dreg.adapters.dvc.pipeline import Pipeline, scratch
from dreg.adapters.dvc.process import Processes, forget_ended
from dreg.adapters.dvc.remote import chosen_remote
from dreg.adapters.yaml_files import shown
from dreg.core.freshness import EDITED, UNCACHED, State, Verdict, whole
from dreg.core.transcript import Transcript
from dreg.errors import Outside

Tell = Callable[[str], None]

WAITING = "--wait-for-lock"  # another pipeline's DVC holds the registry's lock for moments


@dataclass(frozen=True)
class Attempt:
    """One pipeline, the processes it may use, and who is told how it goes.

    `tell` gets each line worth showing, `verbatim` asks for all of them; `step` is called as each
    stage begins. `held` are the claims that the work is done under.
    """

    pipeline: Pipeline
    processes: Processes
    tell: Tell
    step: Callable[[], None]
    verbatim: bool = False
    held: tuple[int, ...] = ()

    @property
    def log(self) -> Path:
        """Where everything that the stages print goes."""
        return (scratch(self.pipeline.root) / "logs").resolve() / f"{self.pipeline.name}.log"

    def reproduce(self, *, force: bool) -> tuple[str, tuple[str, ...]]:
        """`up to date`, `restored` or `ran`, and the stages that ran.

        Outputs that are just not here are got from DVC's cache or the remote; only what neither
        has is made again. Raises Outside, or what a stage's script reported; Stopped.
        """
        if heal(self.pipeline):
            self.tell("dvc.lock is as it was before a run that was killed while it was written")
        put_back(self.pipeline)  # of a run that was killed
        forget_ended(self.pipeline.root)  # whom we waited for may have been killed meanwhile
        was = "up to date"
        if not force:
            verdicts = self.pipeline.verdicts()
            if self._restorable(verdicts):
                verdicts, was = self._restore(verdicts), "restored"
            if whole(verdicts).state is State.UP_TO_DATE:
                return was, ()
            for text in whole(verdicts).why:
                if text.endswith(EDITED):
                    path = text.removesuffix(EDITED)
                    self.tell(f"{path} is not as the last run left it, and is made anew")
        if was == "up to date":  # else the log has begun with what was restored
            self.log.unlink(missing_ok=True)
        return self._repro(force)

    def _repro(self, force: bool) -> tuple[str, tuple[str, ...]]:
        pipeline = self.pipeline
        arguments = [WAITING, "repro", *(["--force"] if force else [])]
        if pipeline.is_plain:
            # One by one, in our order: DVC would read every pipeline of the registry to find
            # that order itself, and refuse to run this one if any other is broken.
            arguments += ["--single-item", *pipeline.targets(pipeline.order)]
        else:
            arguments.append(pipeline.file)
        transcript = Transcript(self._commands())
        with kept_lock(pipeline), kept_outputs(pipeline):
            code = self._dvc(arguments, transcript)
        if code != 0:
            raise transcript.failure(pipeline.name, shown(self.log))
        ran = tuple(transcript.stages)
        return ("ran" if ran else "restored" if transcript.restored else "up to date"), ran

    def _restorable(self, verdicts: Mapping[str, Verdict]) -> list[str]:
        """Stages of which nothing but cached outputs differs: those are not here."""
        stages = self.pipeline.stages
        return [
            name
            for name, verdict in verdicts.items()
            if verdict.state is State.MISSING
            and any(
                out.cached and any(text.startswith(f"{out.path} ") for text in verdict.why)
                for out in stages[name].outs
            )
        ]

    def _restore(self, verdicts: Mapping[str, Verdict]) -> dict[str, Verdict]:
        """Get what is missing; the verdicts afterwards."""
        names = self._restorable(verdicts)
        here = [n for n in names if all(text.endswith(UNCACHED) for text in verdicts[n].why)]
        gone = [name for name in names if name not in here]
        self.log.unlink(missing_ok=True)
        if here:
            self.tell(f"putting the outputs of {', '.join(here)} back into DVC's cache")
            with kept_lock(self.pipeline):
                self._dvc(
                    [WAITING, "commit", *self.pipeline.targets(here)], Transcript(), quietly=True
                )
        if gone:
            self.tell(f"getting the outputs of {', '.join(gone)} from the cache or the remote")
            told = Transcript()
            options, more = chosen_remote(self.pipeline.root)
            pull = [WAITING, "pull", *options, *self.pipeline.targets(gone)]
            if self._dvc(pull, told, quietly=True, more=more) != 0:
                why = "" if told.reason.startswith("failed to pull") else f" ({told.reason})"
                self.tell(f"not all could be got{why}; making the rest again")
        return self.pipeline.verdicts()

    def push(self, remote: str) -> None:
        """Push what dvc.lock records to the remote of that name. Raises Outside; Stopped."""
        pipeline = self.pipeline
        targets = pipeline.targets(pipeline.order) if pipeline.is_plain else [pipeline.file]
        transcript = Transcript()
        arguments = [WAITING, "push", "--remote", remote, *targets]
        if self._dvc(arguments, transcript, quietly=True) != 0:
            raise Outside(
                f"`{pipeline.name}` could not be pushed: {transcript.reason or 'DVC failed'}",
                hint="dreg remote check; then run the command again",
                details=list(transcript.said)[-10:],
            )

    def _dvc(
        self,
        arguments: list[str],
        transcript: Transcript,
        *,
        quietly: bool = False,
        more: Mapping[str, str] | None = None,
    ) -> int:
        def read(line: str) -> None:
            before = len(transcript.stages) + len(transcript.restored)
            worth = transcript.read(line)
            if len(transcript.stages) + len(transcript.restored) > before:
                self.step()
            if self.verbatim:
                self.tell(line)
            elif worth is not None and not quietly:
                self.tell(worth)

        return self.processes.run(arguments, self.log, read, self.held, more)

    def _commands(self) -> set[str]:
        found: set[str] = set()
        for stage in self.pipeline.stages.values():
            lines = stage.cmd if isinstance(stage.cmd, list) else str(stage.cmd).splitlines()
            found.update(str(line) for line in lines)
        return found
