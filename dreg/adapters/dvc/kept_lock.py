"""The last whole dvc.lock, kept while DVC runs: DVC writes it in its place, so a kill may leave half of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dreg.adapters.dvc.outputs import read_lock
from dreg.adapters.dvc.pipeline import Pipeline, scratch
from dreg.adapters.written import written
from dreg.errors import BadRequest


@contextmanager
def kept_lock(pipeline: Pipeline) -> Iterator[None]:
    """While DVC may write the pipeline's dvc.lock. Only for who has claimed the dataset."""
    lock, kept = _places(pipeline)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with written(kept) as file:  # nothing in it: there was none
        file.write(lock.read_bytes() if lock.is_file() else b"")
    yield
    kept.unlink(missing_ok=True)


def heal(pipeline: Pipeline) -> bool:
    """Whether the kept dvc.lock was put back, as the one that is there is no whole one.

    One that nobody kept is the user's affair. Only for who has claimed the dataset.
    """
    lock, kept = _places(pipeline)
    if not kept.is_file():
        return False
    try:
        read_lock(pipeline.root, pipeline.name)
    except BadRequest:
        before = kept.read_bytes()
        if before:
            with written(lock) as file:
                file.write(before)
        else:
            lock.unlink()
        return True
    finally:
        kept.unlink(missing_ok=True)
    return False


def _places(pipeline: Pipeline) -> tuple[Path, Path]:
    name = f"{pipeline.name}.lock"
    return pipeline.root / pipeline.folder / "dvc.lock", scratch(pipeline.root) / "locks" / name
