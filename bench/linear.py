"""100,000 files beside 10,000: ten times the work in ten times the time, and no more memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from bench import fetching, pushes
from bench.many_files import NAME
from bench.measure import Job

FEW, MANY = 10_000, 100_000
# A tenth over ten for what does not grow in step: directories, garbage collection, the server's own index.
LINEAR = 1.1 * MANY / FEW
MEMORY = 500  # megabytes


def part(scratch: Path, environment: dict[str, str]) -> Iterator[tuple[list[Job], dict[str, str]]]:
    """The jobs, each while its servers run."""
    yield from _push(scratch / "push", environment)
    yield from _fetch(scratch / "fetch", environment)


def _push(scratch: Path, environment: dict[str, str]) -> Iterator[tuple[list[Job], dict[str, str]]]:
    scratch.mkdir()
    with pushes.s3_server(scratch / "s3") as endpoint:
        few, many = (pushes.prepare(scratch, environment, endpoint, n) for n in (FEW, MANY))
        dreg = str(Path(sys.executable).parent / "dreg")
        command = f"exec {dreg} run {NAME} --push --quiet"
        yield [
            _job(f"push {MANY:,} x 2 KB", _inside(many.registry, command),
                 f"push {FEW:,}", _inside(few.registry, command), scratch,
                 partial(_elsewhere, few, many)),
        ], many.environment  # fmt: skip


def _elsewhere(few: pushes.Pushes, many: pushes.Pushes) -> None:
    few.elsewhere()
    many.elsewhere()


def _fetch(
    scratch: Path, environment: dict[str, str]
) -> Iterator[tuple[list[Job], dict[str, str]]]:
    with (
        fetching.set_up(scratch / "few", environment, FEW, 0) as (_, reaching_few),
        fetching.set_up(scratch / "many", environment, MANY, 0) as (_, reaching_many),
    ):
        # Both servers have the same keys; the registry says where its own is.
        yield [
            _job(f"fetch {MANY:,} x 2 KB", _fetched(scratch / "many"),
                 f"fetch {FEW:,}", _fetched(scratch / "few"), scratch, lambda: None),
        ], {**reaching_few, **reaching_many}  # fmt: skip


def _fetched(home: Path) -> list[str]:
    """Into an empty folder, with an empty cache."""
    dreg = str(Path(sys.executable).parent / "dreg")
    return _inside(
        home,
        "rm -rf train cache && mkdir train && cd train && DREG_CACHE=../cache "
        f"exec {dreg} fetch small@1.0.0 --repo ../registry -o out",
    )


def _inside(folder: Path, command: str) -> list[str]:
    return ["sh", "-c", f"cd '{folder}' && {command}"]


def _job(
    name: str,
    ours: list[str],
    peer: str,
    theirs: list[str],
    folder: Path,
    before: Callable[[], None],
) -> Job:
    return Job(name, peer, ours, theirs, folder, LINEAR, memory=MEMORY, runs=1, before=before)
