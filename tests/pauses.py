"""Between two tries tests wait for moments: as many tries as users get, in the same order."""

from __future__ import annotations

from datetime import timedelta

from dreg.adapters.objects import opening, patience


def shorten() -> None:
    """For this process and those that it forks."""
    patience.FIRST_PAUSE = 0.01
    backoff = {
        "init_backoff": timedelta(milliseconds=5),
        "max_backoff": timedelta(milliseconds=100),
    }
    opening.RETRY["backoff"].update(backoff)
