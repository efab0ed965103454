"""The stage `download` of a dataset that is made from others of its registry: their data, checked, into `raw/`.

Which others, and in which versions they will do, is said under `upstream` in dataset.yaml. The bytes are those
that the registry's tree has of them, as git pins them by their dvc.lock; `dreg run` brings them up
to date first. `dreg check` and `dreg release` hold them against the promised versions.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dreg.adapters.dvc import Pipeline
from dreg.adapters.layout import Layout
from dreg.adapters.sources.cache import chunks
from dreg.adapters.written import written
from dreg.core.freshness import UNCACHED, State, whole
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Refused
from dreg.stages.progress import say
from dreg.stages.workspace import here


def place() -> None:
    """Copy what is published of each upstream dataset; if there are several, each to a folder of its name.

    Raises BadRequest when the contract names none, Refused for one whose data are not what its
    dvc.lock says.
    """
    workspace = here()
    names = sorted(workspace.contract().upstream)
    if not names:
        raise BadRequest(
            f"`pipelines/{workspace.name}/dataset.yaml` names no dataset that this is made from",
            hint="write it as `upstream: [NAME@^1]`",
        )
    for name in names:
        other = Layout(workspace.root, name)
        refuse_unfinished(other)
        target = workspace.raw / name if len(names) > 1 else workspace.raw
        copied = list(copy(other.data / "processed", target))
        say(f"{name}: {numbered(len(copied), 'file')}, {numbered(sum(copied), 'byte')}")


def refuse_unfinished(other: Layout) -> None:
    """Raises Refused unless the dataset's data are what its pipeline made and dvc.lock records."""
    verdict = whole(Pipeline(other.root, other.name).verdicts())
    here = verdict.state is State.MISSING and all(why.endswith(UNCACHED) for why in verdict.why)
    if verdict.state is not State.UP_TO_DATE and not here:
        raise Refused(
            f"`{other.name}`, which this is made from, is not up to date",
            hint=f"dreg run {other.name}",
            details=verdict.why,
        )


def copy(source: Path, target: Path) -> Iterator[int]:
    """Copy the files below `source`; yields the size of each."""
    for path in sorted(path for path in source.rglob("*") if path.is_file()):
        with path.open("rb") as stream, written(target / path.relative_to(source)) as file:
            for piece in chunks(stream):
                file.write(piece)
        yield path.stat().st_size
