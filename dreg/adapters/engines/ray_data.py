"""Measuring on a Ray cluster: RAY_ADDRESS names one, else one of this machine is started and stopped.

Its workers measure piece by piece. The order in which they finish is Ray's affair: what they found
comes back in the order of the pieces, an error as a value among the others, so that it is told as
if this process had met it.
"""

from __future__ import annotations

import logging
import os
import pickle
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pyarrow as pa

from dreg.adapters.engines import ADDRESS
from dreg.adapters.formats import Piece
from dreg.adapters.measure import Part, batches, measured
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import BadRequest, DregError, Outside

MOST_BYTES = 8 << 20  # of rows of the sample index that travel at once
MOST_TASKS = 1000  # each costs some milliseconds here
STORE = {"object_store_memory": 256 << 20}  # of a cluster that is started here; so little travels
PATIENCE = 30.0  # seconds for a cluster's first worker to come


def parts(pieces: Sequence[Piece], contract: Contract) -> Iterator[Part]:
    """The parts of all pieces, in order. Raises the first error in that order."""
    with _cluster() as ray:
        items = [{"work": pickle.dumps(work)} for work in enumerate(pieces)]
        tasks = ray.data.from_items(items, override_num_blocks=min(len(items), MOST_TASKS))
        about = {"contract": contract, "folder": Path.cwd(), "ours": version("dreg")}
        found = tasks.map_batches(
            answers, batch_size=1, batch_format="pyarrow", fn_kwargs=about, num_cpus=1
        )
        for table in found.iter_batches(
            batch_size=None, batch_format="pyarrow", prefetch_batches=0
        ):
            for answer in table["answer"]:
                part = pickle.loads(answer.as_buffer())  # noqa: S301 - our own workers made it
                if isinstance(part, DregError):
                    raise part
                yield part


def answers(table: pa.Table, contract: Contract, folder: Path, ours: str) -> Iterator[pa.Table]:
    """What a worker makes of a piece: its parts, and the error that ended them if one did."""
    number, piece = pickle.loads(table["work"][0].as_buffer())  # noqa: S301 - from `parts`
    for answer in _measured(number, piece, contract, folder, ours):
        payload = pickle.dumps(answer, protocol=5)
        yield pa.table({"answer": pa.array([payload], pa.large_binary())})


def _measured(
    number: int, piece: Piece, contract: Contract, folder: Path, ours: str
) -> Iterator[Part | DregError]:
    whole: Part | None = None
    try:
        _check(piece, folder, ours)
        with chdir(folder):  # errors name files as seen from there
            for batch in batches(number, piece, contract):
                part = measured(batch, contract)
                whole = part if whole is None else whole + part
                if whole.rows.nbytes >= MOST_BYTES:
                    yield whole
                    whole = None
        if whole is not None:
            yield whole
    except DregError as error:
        yield error


def _check(piece: Piece, folder: Path, ours: str) -> None:
    """Raises Outside unless this worker can measure what the driver sees, and by the same rules."""
    if (theirs := version("dreg")) != ours:
        raise Outside(
            f"a Ray worker has dreg {theirs}, and this is dreg {ours}",
            hint="install one version of dreg on every node of the cluster",
        )
    if not folder.is_dir() or not piece.file.exists():
        raise Outside(
            f"`{shown(piece.file)}` is not on the Ray node {os.uname().nodename}",
            hint="give every node the registry's folder at the same path, as by a shared file system",
        )


@contextmanager
def _cluster() -> Iterator[Any]:
    """Ray, connected to the cluster; what was started here ends here. Raises Outside."""
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
        raise _told(error) from error
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


def _told(error: Exception) -> Outside:
    """Ray's own failure in a line or two, without its traceback."""
    words = str(error)
    if "No module named 'dreg" in words:
        return Outside(
            "Ray's workers cannot import dreg",
            hint="install it on every node of the cluster: pip install 'dreg[ray]'",
        )
    lines = [line.strip() for line in words.splitlines() if line.strip()]
    return Outside(
        f"Ray could not measure: {lines[-1] if lines else type(error).__name__}",
        hint="see the cluster's logs (`ray status`), or use: dreg run --engine local",
    )


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__).rstrip(".")
