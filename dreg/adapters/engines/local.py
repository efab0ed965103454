"""Measuring in threads of this process: one reads, others measure what was read.

Arrow and numpy let go of the interpreter while they work. Threads share batches, not pieces: so one
large file keeps all of them busy too, and there are never more than a few batches in memory.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any

from dreg.adapters.formats import Piece
from dreg.adapters.interrupts import awaited, submitted
from dreg.adapters.measure import Batch, Part, batches, figures_of, hashes
from dreg.core.contract import Contract
from dreg.errors import DregError

THREADS = min(4, os.cpu_count() or 1)


def parts(pieces: Sequence[Piece], contract: Contract) -> Iterator[Part]:
    """The parts of all pieces, in order. Raises the first error in that order."""
    for batch, (rows, samples) in spread(pieces, contract, hashes, figures_of):
        yield Part.of(batch, rows, samples)


def spread(
    pieces: Iterable[Piece], contract: Contract, *work: Callable[[Batch, Contract], Any]
) -> Iterator[tuple[Batch, list[Any]]]:
    """Each batch, in order, with what each of `work` makes of it."""
    pending: deque[tuple[Batch, list[Future[Any]]]] = deque()
    failure: DregError | None = None
    pool = ThreadPoolExecutor(THREADS)
    try:
        with closing(_read(pieces, contract)) as source:
            while True:
                try:
                    batch = next(source, None)
                except DregError as error:  # what was read before may be wrong as well
                    batch, failure = None, error
                if batch is None:
                    break
                pending.append((batch, [submitted(pool, each, batch, contract) for each in work]))
                if len(pending) > THREADS:
                    yield _done(*pending.popleft())
        while pending:
            yield _done(*pending.popleft())
        if failure is not None:
            raise failure
    finally:
        pool.shutdown(cancel_futures=True)


def _read(pieces: Iterable[Piece], contract: Contract) -> Generator[Batch, None, None]:
    for number, piece in enumerate(pieces):
        yield from batches(number, piece, contract)


def _done(batch: Batch, futures: list[Future[Any]]) -> tuple[Batch, list[Any]]:
    return batch, [awaited(future) for future in futures]
