"""Many jobs at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from typing import TypeVar

IN_FLIGHT = 64

T = TypeVar("T")


def many(jobs: Sequence[Callable[[], T]], in_flight: int = IN_FLIGHT) -> list[T]:
    """Results of all jobs, in order, up to `in_flight` at once; the first failure ends the rest."""
    if len(jobs) == 1:
        return [jobs[0]()]
    pool = ThreadPoolExecutor(max(1, min(in_flight, len(jobs))), thread_name_prefix="objects")
    try:
        futures: list[Future[T]] = [pool.submit(job) for job in jobs]
        finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
        failed = next((f for f in futures if f in finished and f.exception()), None)
        if failed is not None:
            failed.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
