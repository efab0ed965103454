"""What several pods say at the same time, line by line."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from queue import Empty, SimpleQueue

from dreg.adapters.kubernetes import Cluster
from dreg.errors import DregError
from dreg.output import out

LOOK_SECONDS = 2.0  # between looks for pods that are new
BREAKS = 5  # of one pod's log


def said_by(
    cluster: Cluster,
    labels: Mapping[str, str],
    container: str | None,
    *,
    over: Callable[[], bool],
    follow: bool,
) -> Iterator[str]:
    """The lines of all pods with these labels, of several each behind its pod's name.

    With `follow` as they come, until it is `over` and all have ended.
    """
    lines: SimpleQueue[tuple[str, str] | None] = SimpleQueue()
    known: set[str] = set()
    reading = 0
    last = False
    looked = float("-inf")
    while True:
        if not last and time.monotonic() - looked >= LOOK_SECONDS:
            last, looked = (
                over(),
                time.monotonic(),
            )  # first: pods that come later are seen once more
            for pod, phase in cluster.pods(labels).items():
                if pod not in known and phase not in ("Pending", "Unknown", ""):
                    known.add(pod)
                    reading += 1
                    reader = _read if follow else _read_once
                    arguments = (cluster, pod, container, lines)
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


def _read_once(
    cluster: Cluster, pod: str, container: str | None, lines: SimpleQueue[tuple[str, str] | None]
) -> None:
    try:
        for line in cluster.log(pod, container, follow=False):
            lines.put((pod, line))
    except DregError as error:
        out.warn(error.fact)
    finally:
        lines.put(None)


def _read(
    cluster: Cluster, pod: str, container: str | None, lines: SimpleQueue[tuple[str, str] | None]
) -> None:
    """Where a log breaks off it is read again, without what was read."""
    told = 0
    try:
        for again in range(BREAKS):
            try:
                for number, line in enumerate(cluster.log(pod, container, follow=True)):
                    if number >= told:
                        told += 1
                        lines.put((pod, line))
                return
            except DregError as error:
                if again == BREAKS - 1:
                    out.warn(error.fact)
            time.sleep(0.5 * 2.0**again)
    finally:
        lines.put(None)
