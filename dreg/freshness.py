"""Whether a dataset is what its pipeline says, told without DVC where that is possible."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from dreg.adapters.declared_sources import declared_in, other_files
from dreg.adapters.dvc import Pipeline
from dreg.adapters.layout import Layout
from dreg.core.freshness import State, Verdict, whole
from dreg.core.profile import Profile
from dreg.errors import BadRequest, Refused
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


def measured(dataset: Dataset) -> Profile:
    """The tree's profile. Raises BadRequest where there is none."""
    profile = dataset.profile()
    if profile is not None:
        return profile
    never = native_state(Pipeline(dataset.root, dataset.name)).state is State.NEVER_RUN
    raise BadRequest(
        f"`{dataset.name}` was never run"
        if never
        else f"`{dataset.name}` has no profile: somebody removed the file, or a run failed",
        hint=f"dreg run {dataset.name}",
    )


def tell_of_changes(dataset: Dataset) -> None:
    """Warn where the pipeline has changed since the tree's profile was made."""
    state = native_state(Pipeline(dataset.root, dataset.name))
    if state.state is State.CHANGED:
        more = f", and {len(state.why) - 1} more" if len(state.why) > 1 else ""
        out.warn(
            f"`{dataset.name}` is not up to date ({state.why[0]}{more}), and this is about what was "
            f"measured before: dreg run {dataset.name}"
        )


def refuse_other_files(root: Path, name: str) -> None:
    """Raises Refused where a file in the pipeline's folder is not the source that it is declared to be:
    a run would take the one from before, if it still can, and never say so."""
    others = other_files(Layout(root, name))
    if not others:
        return
    where = declared_in(Layout(root, name))
    paths = " ".join(f"pipelines/{name}/{other.path}" for other in others)
    listed = ", ".join(f"`{other.path}`" for other in others)
    raise Refused(
        f"{listed} of `{name}` is not the file that `{where}` declares"
        if len(others) == 1
        else f"{listed} of `{name}` are not the files that `{where}` declares",
        hint=f"declare what was found, if that is wanted; or take it back: git restore {paths}",
        details=[
            line
            for other in others
            for line in (
                f"{other.source.path} is declared with sha256: {other.source.sha256}, size: {other.source.size}",
                f"{other.source.path} was found with sha256: {other.sha256}, size: {other.size}",
            )
        ],
    )


def native_state(pipeline: Pipeline) -> Verdict:
    """How things stand with a pipeline, as far as can be told without DVC. Raises BadRequest."""
    with _reading(pipeline.name) as announce:
        verdict = whole(pipeline.verdicts(announce))
    if verdict.state not in (State.UP_TO_DATE, State.MISSING, State.CHANGED):
        return verdict
    others = other_files(Layout(pipeline.root, pipeline.name))
    if not others:
        return verdict
    where = declared_in(Layout(pipeline.root, pipeline.name)).rpartition("/")[2]
    told = [f"{other.path} is not what {where} declares" for other in others]
    return Verdict(State.CHANGED, (*told, *verdict.why))


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
