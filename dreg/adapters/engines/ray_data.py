"""Measuring on a Ray cluster.

Its workers measure piece by piece. The order in which they finish is Ray's affair: what they found
comes back in the order of the pieces, an error as a value among the others, so that it is told as
if this process had met it.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Iterator, Sequence
from contextlib import chdir
from importlib.metadata import version
from pathlib import Path

import pyarrow as pa

from dreg.adapters.engines.cluster import cluster, refuse_other_version
from dreg.adapters.formats import Piece
from dreg.adapters.measure import Part, batches, measured
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import DregError, Outside

MOST_BYTES = 8 << 20  # of rows of the sample index that travel at once
MOST_TASKS = 1000  # each costs some milliseconds here


def parts(pieces: Sequence[Piece], contract: Contract) -> Iterator[Part]:
    """The parts of all pieces, in order. Raises the first error in that order."""
    with cluster("measure") as ray:
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
    refuse_other_version(ours)
    if not folder.is_dir() or not piece.file.exists():
        raise Outside(
            f"`{shown(piece.file)}` is not on the Ray node {os.uname().nodename}",
            hint="give every node the registry's folder at the same path, as by a shared file system",
        )
