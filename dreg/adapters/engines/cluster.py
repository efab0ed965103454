"""A Ray cluster: RAY_ADDRESS names one, else one of this machine is started, and stopped afterwards.

What Ray would wait for in silence, for ever, is refused before anything is asked of it.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from dreg.adapters.engines import ADDRESS
from dreg.core.workers import Workers
from dreg.errors import BadRequest, Outside

STORE = {"object_store_memory": 256 << 20}  # of a cluster that is started here; so little travels
MOST_WORKERS = 8  # that a stage takes unasked, on a cluster that others use too
PATIENCE = 30.0  # seconds for a cluster's first worker to come


@contextmanager
def cluster(purpose: str) -> Iterator[Any]:
    """Ray, connected to the cluster; what was started here ends here. Raises Outside.

    `purpose` is what is done there, as a verb.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    # Pieces and parts are plain values: Ray has no devices to hide from workers.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray
    import ray.data

    theirs = ray.is_initialized()  # by the script, which then ends it as well
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)  # what goes wrong is told below
    try:
        if not theirs:
            _connect(ray)
        _refuse_idle(ray)
        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        yield ray
    except ray.exceptions.RayError as error:
        raise _told(error, purpose) from error
    finally:
        if not theirs:
            ray.shutdown()
        logging.disable(before)


def _connect(ray: Any) -> None:
    address = os.environ.get(ADDRESS) or "local"
    _refuse_silent(address)
    own = STORE | {"include_dashboard": False} if address == "local" else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.CRITICAL, **own)
    except ValueError as error:
        raise BadRequest(f"{ADDRESS} is `{address}`: {_first_line(error)}", hint=GIVE) from error
    except (ConnectionError, RuntimeError, OSError, TimeoutError) as error:
        where = "" if own else f" at `{address}`"
        raise Outside(f"Ray{where} cannot be used: {_first_line(error)}", hint=GIVE) from error


def _refuse_silent(address: str) -> None:
    """Raises Outside if nobody answers: Ray itself asks for minutes. BadRequest for no address."""
    if address in ("local", "auto"):
        return
    place = PLACE.fullmatch(address)
    if place is None:
        raise BadRequest(f"{ADDRESS} is `{address}`, which is no address", hint=GIVE)
    try:
        socket.create_connection((place["host"].strip("[]"), int(place["port"])), 10).close()
    except OSError as error:
        reason = error.strerror or error
        raise Outside(f"no Ray cluster answers at `{address}`: {reason}", hint=GIVE) from error


PLACE = re.compile(r"(?:ray://)?(?P<host>[^/:]+|\[[^/]+\]):(?P<port>[0-9]{1,5})")
GIVE = f"set {ADDRESS} to HOST:6379 of a cluster that runs, or to nothing for one of this machine"


def _refuse_idle(ray: Any) -> None:
    """Raises Outside for a cluster without CPUs: what is asked of it would wait for ever."""
    until = time.monotonic() + PATIENCE
    while ray.cluster_resources().get("CPU", 0) < 1:
        if time.monotonic() > until:
            raise Outside(
                f"the Ray cluster has no CPU after {PATIENCE:.0f} s, and every task takes one",
                hint="add nodes with CPUs to it, or use: dreg run --engine local",
            )
        time.sleep(0.2)


def refuse_unfit(ray: Any, workers: Workers, asked: str) -> None:
    """Raises Outside unless the cluster's nodes have room for all workers; `asked` is by which name."""
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    room = sum(workers.fit(node.get("CPU", 0), node.get("GPU", 0)) for node in nodes)
    if room < workers.count:
        has = " + ".join(
            f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes
        )
        raise Outside(
            f"compute type `{asked}` needs {workers}, and the Ray cluster has room for {room}",
            hint="add nodes to the cluster, or take a smaller type: --compute-type cpu-small",
            details=[f"its nodes have {has}"],
        )


def all_there_is(ray: Any) -> Workers:
    """What a stage takes if nobody chose: the GPUs, a worker each; without any, the CPUs."""
    found = ray.cluster_resources()
    if gpus := int(found.get("GPU", 0)):
        return Workers(min(gpus, MOST_WORKERS), 1, 1)
    return Workers(min(int(found.get("CPU", 1)), MOST_WORKERS), 1)


def refuse_other_version(ours: str) -> None:
    """Raises Outside, in a worker, unless it works by the same rules as the driver."""
    if (theirs := version("dreg")) != ours:
        raise Outside(
            f"a Ray worker has dreg {theirs}, and this is dreg {ours}",
            hint="install one version of dreg on every node of the cluster",
        )


def _told(error: Exception, purpose: str) -> Outside:
    """Ray's own failure in a line or two, without its traceback."""
    words = str(error)
    if "No module named 'dreg" in words:
        return Outside(
            "Ray's workers cannot import dreg",
            hint="install it on every node of the cluster: pip install 'dreg[ray]'",
        )
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return Outside(
        f"Ray could not {purpose}: {lines[-1] if lines else type(error).__name__}",
        hint="see the cluster's logs (`ray status`), or use: dreg run --engine local",
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
