"""Trying again what may go well the next time."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from dreg.adapters.objects.place import Unsteady

TRIES = 4
FIRST_PAUSE = 0.2  # seconds; doubled each time, and never the same for many at once

T = TypeVar("T")


def patiently(job: Callable[[], T], tries: int = TRIES) -> T:
    """The job's result; after a reset, a stall or a server's failure it is done again."""
    for turn in range(tries - 1):
        try:
            return job()
        except Unsteady:
            time.sleep(FIRST_PAUSE * 2**turn * random.uniform(0.5, 1.5))  # noqa: S311
    return job()
