"""What Ray's own processes log to stderr, kept from it: to a file descriptor, past Python's logging."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

LOGGED = re.compile(rb"\[\d{4}-\d\d-\d\d [^]]* [DIWE] \d+ \d+\] ")


@contextmanager
def hushed() -> Iterator[None]:
    """Lines of Ray's backend don't reach stderr meanwhile; all others do, as they come."""
    reading, writing = os.pipe()
    stderr = os.dup(2)
    os.dup2(writing, 2)
    os.close(writing)

    def forward() -> None:
        with open(reading, "rb") as lines:  # noqa: PTH123 - a descriptor, no path
            for line in lines:
                if not LOGGED.match(line):
                    os.write(stderr, line)

    forwarding = threading.Thread(target=forward, daemon=True)
    forwarding.start()
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        forwarding.join(1)  # longer only if a process that was started meanwhile still has it
