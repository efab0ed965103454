"""Whether a dataset is what its pipeline says, told without DVC where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dreg.adapters.dvc import Pipeline
from dreg.core.freshness import State, Verdict, whole
from dreg.output import out
from dreg.registry import Dataset

WORTH_A_BAR = 500_000_000  # bytes that are read only to find out whether they changed


def state_of(dataset: Dataset) -> Verdict:
    """How things stand with one dataset; what only DVC knows is asked of DVC.

    Raises BadRequest for a malformed file, Outside when DVC fails.
    """
    verdict = native_state(Pipeline(dataset.root, dataset.name))
    if verdict.state is State.UNKNOWN:
        return ask_dvc(dataset.root, [dataset.name])[dataset.name]
    return verdict


def native_state(pipeline: Pipeline) -> Verdict:
    """How things stand with a pipeline, as far as can be told without DVC. Raises BadRequest."""
    with _reading(pipeline.name) as announce:
        return whole(pipeline.verdicts(announce))


@contextmanager
def _reading(name: str) -> Iterator[Callable[[int], Callable[[int], None]]]:
    """Gives what shows a progress bar once it turns out that much has to be read."""
    with ExitStack() as open_bars:

        def announce(total: int) -> Callable[[int], None]:
            if total < WORTH_A_BAR:
                return lambda n: None
            return open_bars.enter_context(out.progress(f"reading {name}", total, "bytes"))

        yield announce


def ask_dvc(root: Path, names: Sequence[str]) -> dict[str, Verdict]:
    """What `dvc status` says of these datasets, by one process. Raises Outside."""
    from dreg.adapters.dvc.process import stage_states

    files = {name: Pipeline(root, name).file for name in names}
    said = stage_states(root, list(files.values()))
    return {name: _from_dvc(root, name, said) for name in names}


def _from_dvc(root: Path, name: str, said: Mapping[str, Sequence[Any]]) -> Verdict:
    pipeline = Pipeline(root, name)
    if not pipeline.locked():
        return Verdict(State.NEVER_RUN)
    found = [d for s, ds in said.items() if s.startswith(f"{pipeline.file}:") for d in ds]
    why = list(dict.fromkeys(text for item in found for text, _ in _differences(item, pipeline)))
    if not why:
        return Verdict(State.UP_TO_DATE)
    just_gone = all(gone for item in found for _, gone in _differences(item, pipeline))
    return Verdict(State.MISSING if just_gone else State.CHANGED, tuple(why))


def _differences(item: Any, pipeline: Pipeline) -> Iterator[tuple[str, bool]]:
    """What one entry of `dvc status` says, and whether it is just that something is not here."""
    if not isinstance(item, dict):
        yield str(item), False
        return
    for paths in item.values():
        for path, state in paths.items():
            if isinstance(state, dict):  # a params file: keys with their states
                yield from ((f"params {key}", False) for key in state)
                continue
            text = path.removeprefix(f"{pipeline.folder}/")
            gone = state in ("deleted", "not in cache")
            yield f"{text} {'missing' if state == 'deleted' else state}", gone
