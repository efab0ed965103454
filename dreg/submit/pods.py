"""What several pods say at the same time, line by line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue
from typing import NamedTuple

from dreg.adapters.kubernetes import Absent, Cluster, Passing
from dreg.errors import BadRequest, DregError
from dreg.output import out
from dreg.submit.patience import Patience

LOOK_SECONDS = 2.0  # between looks for pods that are new
Lines = SimpleQueue[tuple[str, str] | None]


class Pod(NamedTuple):
    """Its phase, and the container that is listened to; None: the only one."""

    phase: str
    container: str | None


class Gone(BadRequest):
    """What was said is not kept any more."""


def said_by(
    cluster: Cluster,
    pods: Callable[[], Mapping[str, Pod]],
    *,
    over: Callable[[], bool],
    follow: bool,
) -> Iterator[str]:
    """The lines of all these pods, by name, of several each behind its pod's name.

    With `follow` as they come, until it is `over` and all have ended; an API that is away for a while is borne with.
    """
    lines: Lines = SimpleQueue()
    known: set[str] = set()
    reading = 0
    last = False
    next_look = float("-inf")
    patience = Patience()
    while True:
        if not last and time.monotonic() >= next_look:
            try:
                # First: pods that come later are seen once more.
                last = over()
                found = pods()
                patience.well()
                next_look = time.monotonic() + LOOK_SECONDS
            except Passing as error:
                last, found = False, {}
                next_look = time.monotonic() + patience.rest(error)
            for name, pod in found.items():
                if name not in known and pod.phase not in ("Pending", "Unknown", ""):
                    known.add(name)
                    reading += 1
                    reader = _read if follow else _read_once
                    arguments = (cluster, name, pod.container, lines)
                    threading.Thread(target=reader, args=arguments, daemon=True).start()
        if last and not reading:
            return
        try:
            line = lines.get(timeout=0.2)
        except Empty:
            continue
        if line is None:
            reading -= 1
        else:
            yield line[1] if len(known) == 1 else f"{line[0]}: {line[1]}"


def _read_once(cluster: Cluster, pod: str, container: str | None, lines: Lines) -> None:
    try:
        for line in cluster.log(pod, container, follow=False):
            lines.put((pod, line))
    except DregError as error:
        out.warn(error.fact)
    finally:
        lines.put(None)


def _read(cluster: Cluster, pod: str, container: str | None, lines: Lines) -> None:
    """Where a log breaks off it is read again, without what was read."""
    told = 0
    patience = Patience()
    try:
        while True:
            try:
                for number, line in enumerate(cluster.log(pod, container, follow=True)):
                    if number >= told:
                        told += 1
                        patience.well()
                        lines.put((pod, line))
                return
            except Absent:
                raise
            except DregError as error:
                time.sleep(patience.rest(error))
    except DregError as error:
        out.warn(error.fact)
    finally:
        lines.put(None)
