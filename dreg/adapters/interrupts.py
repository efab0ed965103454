"""Ctrl-C, heard at whatever moment it comes.

Python raises KeyboardInterrupt between any two steps of the main thread. In a destructor, in a callback of a weak
reference (as each import has), and in code that takes it for an error of its own, it gets lost there. And in the middle of
what Python does to start a thread or to await one, it leaves locks behind that others await for ever.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

AGAIN = 0.05  # seconds between two looks at what became of it

Handler = Callable[[int, FrameType | None], Any]
T = TypeVar("T")


@contextmanager
def heard() -> Iterator[None]:
    """The whole of a command: a KeyboardInterrupt that got lost in it is raised again.

    One that is being handled, as by what puts away what was begun, is not. Where SIGINT is ignored, as behind a shell's
    `&`, it stays so. Has SIGALRM for itself.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        yield
        return
    over = False

    def ask(_: int, __: FrameType | None) -> None:
        if not over:
            signal.setitimer(signal.ITIMER_REAL, AGAIN)
        raise KeyboardInterrupt

    def look(_: int, frame: FrameType | None) -> None:
        if over:
            return
        signal.setitimer(signal.ITIMER_REAL, AGAIN)
        # What is handled just now is known in a signal's handler as well.
        if any(held.waits for held in _holding) or _comes_of_one(sys.exc_info()[1]):
            return
        handler = signal.getsignal(signal.SIGINT)
        if callable(handler):
            handler(signal.SIGINT, frame)

    before = signal.signal(signal.SIGINT, ask)
    signal.signal(signal.SIGALRM, look)
    try:
        yield
    finally:
        over = True
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGINT, before)


def made_of_one(error: BaseException | None) -> bool:
    """Whether somebody raised this error in the place of a KeyboardInterrupt, as Python does around `__set_name__`."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__
    return error is not None


def _comes_of_one(error: BaseException | None) -> bool:
    """Whether it is one, or was raised while one was handled."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


class HeldBack:
    """What a signal's handler has raised in a block, until the block asks for it."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self.came = False
        self._raised: BaseException | None = None
        self._wake = wake

    def note(self, handler: Handler, number: int, frame: FrameType | None) -> None:
        """Instead of `handler`. Who asks a second time has no patience: that is raised at once."""
        if self.came:
            handler(number, frame)
            return
        try:
            handler(number, frame)
        except BaseException as raised:
            self._raised, self.came = raised, True
            self._wake()

    @property
    def waits(self) -> bool:
        """Whether there is something that the block has not asked for yet."""
        return self._raised is not None

    def heed(self) -> None:
        """Raise it."""
        raised, self._raised = self._raised, None
        if raised is not None:
            raise raised


_holding: list[HeldBack] = []  # blocks of the main thread


@contextmanager
def held_back(wake: Callable[[], None] = lambda: None) -> Iterator[HeldBack]:
    """A block in which what the handlers of SIGINT and SIGTERM raise waits until it is heeded, at the latest at its end.

    For blocks in which threads are started or awaited. `wake` is called in the handler, and must not need a lock: for
    what the main thread waits for, it has to make an end. A handler that raises nothing does what it does at once, and
    off the main thread, which alone hears of signals, nothing is different.
    """
    held = HeldBack(wake)
    if threading.current_thread() is not threading.main_thread():
        yield held
        return
    before: dict[signal.Signals, Handler] = {}
    _holding.append(held)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):  # else it ends the process, or is ignored: nothing is raised
                before[number] = handler
                signal.signal(number, partial(held.note, handler))
        yield held
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _holding.remove(held)
        held.heed()


def submitted(pool: Executor, work: Callable[..., T], *given: Any) -> Future[T]:
    """As `pool.submit`."""
    with held_back():
        return pool.submit(work, *given)


def awaited(future: Future[T]) -> T:
    """Its result; an interrupt ends the waiting at once."""
    from queue import SimpleQueue  # here, as every command imports this module

    ended: SimpleQueue[Future[T] | None] = SimpleQueue()
    with held_back(wake=lambda: ended.put(None)):
        future.add_done_callback(ended.put)
        ended.get()
    return future.result()
