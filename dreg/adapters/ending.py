"""Being asked to end, by Ctrl-C or by whoever stops machines and jobs: as an error, so that what was begun is put away.

GitHub kills 7.5 s after it asked with SIGINT, Kubernetes 30 s after SIGTERM. What takes too long to put away, or is
asked a second time, is left as a kill would leave it; but there is time to say so.
"""

from __future__ import annotations

import os
import select
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE = 5.0  # seconds for putting away; GitHub's 7.5 s are for all of it


class AskedToEnd(KeyboardInterrupt):
    """Raised in the main thread, wherever it is: by the signal `number`, SIGINT or SIGTERM."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = signal.Signals(number)


class Asked:
    """Whether a block may still be ended."""

    def __init__(self) -> None:
        self._over = False

    def over(self) -> None:
        """What there was to do is done: who asks from now on has what they want, and nothing is raised."""
        self._over = True

    def raised(self, number: int, _: FrameType | None) -> None:
        """The signals' handler: the first one raises AskedToEnd."""
        if not self._over:
            self._over = True
            raise AskedToEnd(number)


@contextmanager
def asked_to_end(
    at_last: Callable[[signal.Signals], None], patience: float = PATIENCE
) -> Iterator[Asked]:
    """A block that SIGINT and SIGTERM end by AskedToEnd, once.

    If it has not ended `patience` seconds later, or is asked again, `at_last` is called in another thread,
    and then the process is gone, with exit code 128 and the signal's number. A signal that was ignored
    before is so still; and off the main thread, which alone hears of signals, nothing is different.
    """
    asked = Asked()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    heard, hearing = os.pipe()
    os.set_blocking(hearing, False)
    # The main thread may be far from its next line of Python: this is written to at once.
    other = signal.set_wakeup_fd(hearing, warn_on_full_buffer=False)
    before = {
        number: signal.signal(number, asked.raised)
        for number in SIGNALS
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    watching = threading.Thread(target=_watch, args=(heard, at_last, patience), daemon=True)
    watching.start()
    try:
        yield asked
    finally:
        asked.over()
        for number, handler in before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(other)
        os.close(hearing)
        watching.join()
        os.close(heard)


def _watch(heard: int, at_last: Callable[[signal.Signals], None], patience: float) -> None:
    """Until the other end is closed; or the first signal was that long ago, or another came."""
    first: signal.Signals | None = None
    until = 0.0
    while True:
        left = None if first is None else max(0.0, until - time.monotonic())
        ready, _, _ = select.select([heard], [], [], left)
        data = os.read(heard, 64) if ready else b""
        if ready and not data:
            return
        for number in data:
            if number not in SIGNALS:
                continue
            if first is None:
                first, until = signal.Signals(number), time.monotonic() + patience
            else:
                until = 0.0
        if first is not None and time.monotonic() >= until:
            try:
                at_last(first)
            finally:
                os._exit(128 + first)
