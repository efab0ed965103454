"""What can go wrong, as a user is told it.

Every error states one fact and hints at the next move. The class decides the exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


class DregError(Exception):
    """A fact and a hint. `details` are further lines, such as a failed stage's last words.

    `answer` is what the command found out or did nevertheless; it is shown as answers are.
    """

    exit_code = 3
    answer: Any = None

    def __init__(self, fact: str, *, hint: str, details: Sequence[str] = ()) -> None:
        super().__init__(fact)
        self.fact = fact
        self.hint = hint
        self.details: tuple[str, ...] = tuple(details)
        self.add_note(f"hint: {hint}")  # for who calls the library and sees a traceback

    def __reduce__(self) -> tuple[Any, ...]:
        # As it is it could be sent to another process, and not be made again there.
        return _again, (type(self), self.fact, self.hint, self.details)


class Refused(DregError):
    """dreg could do it and won't: it would break a promise (exit code 1)."""

    exit_code = 1


class Stale(Refused):
    """Somebody changed the same thing meanwhile; what was made here was made from what it was before."""


class BadRequest(DregError):
    """What was asked for does not exist or cannot be understood (exit code 2)."""

    exit_code = 2


class Outside(DregError):
    """A neighbour failed: network, remote, disk, git, a pipeline's own code (exit code 3)."""

    exit_code = 3


class Lasting(Outside):
    """It would be the same again: a pipeline's own script failed, or dreg does."""


class Interrupted(DregError):
    """Somebody pressed Ctrl-C, or a job was cancelled, which is SIGINT (exit code 130)."""

    exit_code = 130


class Terminated(DregError):
    """The machine or a scheduler wanted it ended, which is SIGTERM (exit code 143)."""

    exit_code = 143


def _again(kind: type[DregError], fact: str, hint: str, details: tuple[str, ...]) -> DregError:
    return kind(fact, hint=hint, details=details)
