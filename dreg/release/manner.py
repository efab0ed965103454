"""How releases are made, whatever they are of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dreg.release.answer import Released


@dataclass(frozen=True)
class Manner:
    """How releases are made: just planned, on which branch, signed or as git's configuration says
    (None), pushed or not; `agree` is asked with each plan, and nothing is done if it says no.
    `automated` is which automated run it is that releases, for the tag's message; empty for a person."""

    dry_run: bool = False
    branch: str | None = None
    sign: bool | None = None
    push: bool = True
    agree: Callable[[Released], bool] | None = None
    automated: str = ""


USUAL = Manner()
