"""Many jobs at once, taken one by one, so that what waits costs nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from dreg.adapters.interrupts import held_back

IN_FLIGHT = 64

T = TypeVar("T")


def many(jobs: Sequence[Callable[[], T]], in_flight: int = IN_FLIGHT) -> list[T]:
    """Results of all jobs, in order, up to `in_flight` at once; the first failure ends the rest."""
    results: dict[int, T] = {}

    def run(numbered: tuple[int, Callable[[], T]]) -> None:
        results[numbered[0]] = numbered[1]()

    for_each(enumerate(jobs), run, min(in_flight, len(jobs)))
    return [results[number] for number in range(len(jobs))]


def for_each(items: Iterable[T], work: Callable[[T], object], in_flight: int = IN_FLIGHT) -> None:
    """`work` on every item, up to `in_flight` at once; the first failure ends the rest.

    Nothing is at work any more when this returns or raises, be it that a signal ends it.
    """
    if in_flight <= 1:
        for item in items:
            work(item)
        return
    waiting, taking, ended = iter(items), threading.Lock(), threading.Event()
    failures: list[BaseException] = []

    def worker() -> None:
        while not (ended.is_set() or signals.came):
            with taking:
                item, there = _next(waiting)
            if not there:
                return
            try:
                work(item)  # type: ignore[arg-type]
            except BaseException as error:
                failures.append(error)
                ended.set()

    # Plain threads: a pool's import costs more than asking a store for a few objects.
    threads = [threading.Thread(target=worker, name=f"objects-{n}") for n in range(in_flight)]
    with held_back() as signals:
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            ended.set()
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
    if failures:
        raise failures[0]


def _next(waiting: Iterable[T]) -> tuple[T | None, bool]:
    for item in waiting:
        return item, True
    return None, False


class Room:
    """Bounds what is in memory at once, in bytes. Who asks for more than all of it gets it alone."""

    def __init__(self, size: int) -> None:
        self._size = self._free = size
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, size: int) -> Iterator[None]:
        """Wait until so much is free, and hold it."""
        size = min(size, self._size)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= size)
            self._free -= size
        try:
            yield
        finally:
            with self._changed:
                self._free += size
                self._changed.notify_all()
