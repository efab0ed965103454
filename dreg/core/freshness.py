"""Whether a pipeline's outputs are what its dvc.yaml, inputs and dvc.lock say, and if not, why."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from dreg.core.stages import LockedStage, Out, Stage, below, pick

UNCACHED = "not in DVC's cache"
EDITED = " edited"


class State(enum.Enum):
    """How things stand with a stage, or with a pipeline; the worst stage's state counts."""

    UP_TO_DATE = "up to date"
    MISSING = "missing"  # outputs that dvc.lock knows are not here; nothing else differs
    CHANGED = "changed"
    NEVER_RUN = "never run"
    UNKNOWN = "unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Seen:
    """What is there now, by path relative to the registry.

    `md5` is None for what does not exist; `params` is None for a file that doesn't. `uncached`
    are the cached outputs of which DVC's cache lacks bytes. `puzzling` are paths about which
    only DVC can tell, with the reason.
    """

    md5: Mapping[str, str | None]
    params: Mapping[str, Any]
    uncached: frozenset[str] = frozenset()
    puzzling: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """A stage's or pipeline's state with the differences that led to it."""

    state: State
    why: tuple[str, ...] = ()


def verdict(
    stage: Stage, locked: LockedStage | None, folder: str, seen: Seen, made: Mapping[str, str]
) -> Verdict:
    """How things stand with one stage of the pipeline in `folder`.

    `made` has the md5 in dvc.lock of every output of the pipeline, by path: a dependency that is
    not here is no change if it is one of them.
    """
    puzzles = [seen.puzzling[path] for path in _paths(stage) if path in seen.puzzling]
    beyond = stage.beyond or (locked.beyond if locked else "") or (puzzles[0] if puzzles else "")
    if beyond:
        return Verdict(State.UNKNOWN, (beyond,))
    if locked is None:
        return Verdict(State.NEVER_RUN)
    changes, gone = [], []
    if locked.cmd != stage.cmd:
        changes.append(f"cmd of {stage.name}")
    changes += _params(stage, locked, folder, seen)
    for written, path in stage.deps:
        record, md5 = locked.deps.get(written), seen.md5[path]
        if record is not None and md5 == record.md5:
            continue
        if md5 is not None:
            changes.append(_shown(path, folder))
        elif record is not None and _comes_back(path, record.md5, made, seen):
            gone.append(f"{_shown(path, folder)} missing")
        else:
            changes.append(f"{_shown(path, folder)} missing")
    for out in stage.outs:
        text, is_gone = _output(out, locked, seen)
        if text:
            (gone if is_gone else changes).append(text)
    if changes:
        return Verdict(State.CHANGED, (*changes, *gone))
    return Verdict(State.MISSING if gone else State.UP_TO_DATE, tuple(gone))


def _comes_back(path: str, md5: str, made: Mapping[str, str], seen: Seen) -> bool:
    """Whether a dependency that is not here returns with the output it is, or lies in."""
    if path in made:
        return made[path] == md5
    return any(path.startswith(f"{out}/") and seen.md5[out] is None for out in made)


def _params(stage: Stage, locked: LockedStage, folder: str, seen: Seen) -> Iterator[str]:
    for file, keys in stage.params.items():
        values = seen.params[below(folder, file)]
        if values is None:
            yield f"{file} missing"
            continue
        now, then = pick(values, keys), locked.params.get(file)
        if then is None:
            yield f"params of {stage.name}"
            continue
        for key in keys or dict.fromkeys((*now, *then)):
            if key not in now or key not in then or now[key] != then[key]:
                yield f"params {key}"


def _output(out: Out, locked: LockedStage, seen: Seen) -> tuple[str, bool]:
    """What is wrong with an output, and whether it is just not here."""
    record, md5 = locked.outs.get(out.written), seen.md5[out.path]
    if record is None:
        return f"{out.path} is new", False
    if md5 is None:
        return f"{out.path} missing", True
    if md5 != record.md5:
        return f"{out.path}{EDITED}", False
    if out.path in seen.uncached:
        return f"{out.path} {UNCACHED}", True
    return "", False


def whole(verdicts: Mapping[str, Verdict]) -> Verdict:
    """How things stand with a pipeline, from its stages."""
    states = {verdict.state for verdict in verdicts.values()}
    said = dict.fromkeys(text for verdict in verdicts.values() for text in verdict.why)
    # An output that was edited is another input of the next stage too: that says nothing more.
    why = tuple(text for text in said if f"{text}{EDITED}" not in said)
    if State.UNKNOWN in states:
        return Verdict(State.UNKNOWN, why)
    if states == {State.NEVER_RUN}:
        return Verdict(State.NEVER_RUN)
    if State.NEVER_RUN in states:
        new = [f"stage {n} never run" for n, v in verdicts.items() if v.state is State.NEVER_RUN]
        return Verdict(State.CHANGED, (*new, *why))
    for state in (State.CHANGED, State.MISSING):
        if state in states:
            return Verdict(state, why)
    return Verdict(State.UP_TO_DATE)


def _paths(stage: Stage) -> Iterator[str]:
    yield from (path for _, path in stage.deps)
    yield from (out.path for out in stage.outs)


def _shown(path: str, folder: str) -> str:
    """Relative to the pipeline's folder if below: `scripts/process.py`."""
    return path.removeprefix(f"{folder}/")
