"""What git keeps of a pipeline's outputs, kept while DVC runs: it removes a stage's outputs before it runs the stage.

Those that DVC caches can be had from there. metadata.json is in git at most, and missing until the next run whenever a
stage fails, or is broken off. One that is back beside new data is told from a new one: dvc.lock has what it was made of.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dreg.adapters.dvc.pipeline import Pipeline, scratch
from dreg.adapters.written import written


@contextmanager
def kept_outputs(pipeline: Pipeline) -> Iterator[None]:
    """While DVC may run stages; at the end what they did not make again is as it was before.

    Only for who has claimed the dataset.
    """
    folder = _folder(pipeline)
    shutil.rmtree(folder, ignore_errors=True)
    for path in _uncached(pipeline):
        if (pipeline.root / path).is_file():
            copied(pipeline.root / path, folder / path)
    try:
        yield
    finally:
        put_back(pipeline)


def put_back(pipeline: Pipeline) -> None:
    """Have what was kept where it was, if nothing is there now. Only for who has claimed the dataset."""
    folder = _folder(pipeline)
    if not folder.is_dir():
        return
    for path in _uncached(pipeline):
        kept, place = folder / path, pipeline.root / path
        if kept.is_file() and not place.exists():
            copied(kept, place)
    shutil.rmtree(folder, ignore_errors=True)


def copied(file: Path, place: Path) -> None:
    """A copy that is there once it is whole."""
    with file.open("rb") as stream, written(place) as copy:
        shutil.copyfileobj(stream, copy)


def _folder(pipeline: Pipeline) -> Path:
    return scratch(pipeline.root) / "outputs" / pipeline.name


def _uncached(pipeline: Pipeline) -> Iterator[str]:
    """By path relative to the registry."""
    for stage in pipeline.stages.values():
        yield from (out.path for out in stage.outs if not out.cached)
