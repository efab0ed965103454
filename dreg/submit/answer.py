"""What is told of a submission."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from dreg.core.ci.markup import code, row, sentence
from dreg.core.submission import Landed, Progress, State, Submission
from dreg.errors import BadRequest, DregError, Outside, Refused
from dreg.output import table


@dataclass(frozen=True)
class Submitted:
    """A submission: its `id`, where it is, and how it is going. `existed`: it had been submitted before.

    `datasets` is what became of them, as far as it is known: `state` and `tag` as in a run's result. `exit_code` is that of
    what failed.
    """

    id: str
    where: str
    state: str
    existed: bool
    message: str
    datasets: tuple[Landed, ...]
    exit_code: int | None

    def lines(self) -> Iterator[str]:
        yield f"{self.id}: {self.state}" + (f" ({self.message})" if self.message else "")
        if self.datasets:
            rows = [(one.dataset, one.state, one.tag or one.why) for one in self.datasets]
            yield from table(("DATASET", "STATE", "RELEASE OR WHY NOT"), rows)

    def markdown(self) -> Iterator[str]:
        """The same for a job's summary, whatever is in names and texts."""
        yield f"### {code(self.id)}: {self.state}"
        if self.message:
            yield from ("", sentence(self.message))
        if self.datasets:
            yield from ("", row("dataset", "state", "release"), row("---", "---", "---"))
        for one in self.datasets:
            told = code(one.tag) if one.tag else sentence(one.why)
            yield row(code(one.dataset), sentence(one.state), told)


@dataclass(frozen=True)
class Log:
    """What a submission has said: its lines, and of several pods each one's name before them."""

    id: str
    log: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        yield from self.log


def submitted(
    submission: Submission, where: str, progress: Progress, *, existed: bool = True
) -> Submitted:
    """The answer for a submission that goes like that."""
    return Submitted(
        str(submission),
        where,
        str(progress.state),
        existed,
        progress.message,
        progress.datasets,
        progress.exit_code,
    )


def judged(answer: Submitted, options: str) -> Submitted:
    """The answer, if the submission ended well. Raises what its run would have ended with; `options` are those by which
    `dreg submit` finds it."""
    if answer.state == State.SUCCEEDED:
        return answer
    said = f": {answer.message}" if answer.message else ""
    error: DregError
    if answer.state == State.CANCELLED:
        error = Outside(
            f"`{answer.id}` was cancelled{said}", hint="submit it again, with another --id"
        )
    else:
        kind = {1: Refused, 2: BadRequest}.get(answer.exit_code or 3, Outside)
        error = kind(
            f"`{answer.id}` failed{said}",
            hint=f"dreg submit logs {answer.id}{options}; to try again, submit it with another --id",
        )
    error.answer = replace(answer)
    raise error
