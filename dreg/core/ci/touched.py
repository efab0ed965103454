"""Which datasets a change of files touches, and in which jobs they may be released side by side."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dreg.core.stages import overlap

# What is installed where pipelines run, dreg among it.
ENVIRONMENT = ("requirements.txt", "constraints.txt", "pyproject.toml", "uv.lock")
WHERE_BYTES_ARE = ".dvc/config"
PARTS = {
    "dataset.yaml": "contract",
    "params.yaml": "parameters",
    "sources.yaml": "sources",
    "dvc.yaml": "stages",
}


@dataclass(frozen=True)
class Reach:
    """What a dataset is made from beside its own folders: paths in the registry, and other datasets."""

    paths: frozenset[str] = frozenset()
    upstream: frozenset[str] = field(default_factory=frozenset)


def touched(changed: Iterable[str], reaches: Mapping[str, Reach]) -> dict[str, tuple[str, ...]]:
    """Why each dataset is touched that is, by paths that changed: what is made from it is, too."""
    paths = sorted(changed)
    why = {name: _reasons(name, reach, paths) for name, reach in reaches.items()}
    found = {name: reasons for name, reasons in why.items() if reasons}
    todo = sorted(found)
    while todo:
        above = todo.pop(0)
        for name in sorted(reaches):
            if name not in found and above in reaches[name].upstream:
                found[name] = (f"made from {above}",)
                todo.append(name)
    return {name: found[name] for name in sorted(found)}


def gone(changed: Iterable[str], names: Iterable[str]) -> tuple[str, ...]:
    """Datasets that are there no more: their dvc.yaml is among what changed, and they are not in `names`."""
    split = (path.split("/") for path in changed)
    lost = {p[1] for p in split if len(p) == 3 and p[0] == "pipelines" and p[2] == "dvc.yaml"}
    return tuple(sorted(lost - set(names)))


def jobs(
    names: Sequence[str], upstream: Mapping[str, Iterable[str]], at_most: int
) -> list[list[str]]:
    """The names, which stand behind those they are made from, as lists for so many jobs at most.

    Who is made from another is in its job: its release has to be there first.
    """
    group = {name: {name} for name in names}
    for name in names:
        for other in upstream.get(name, ()):
            if other in group and group[other] is not group[name]:
                merged = group[other] | group[name]
                for member in merged:
                    group[member] = merged
    together = {id(members): [n for n in names if n in members] for members in group.values()}
    filled: list[list[str]] = [[] for _ in range(min(at_most, len(together)))]
    for members in sorted(together.values(), key=lambda m: (-len(m), names.index(m[0]))):
        min(filled, key=len).extend(members)
    order = {name: at for at, name in enumerate(names)}
    return sorted((sorted(job, key=order.__getitem__) for job in filled), key=lambda j: order[j[0]])


def _reasons(name: str, reach: Reach, changed: Sequence[str]) -> tuple[str, ...]:
    found = []
    pipeline, data = f"pipelines/{name}/", f"data/{name}/"
    for path in changed:
        if path.startswith(pipeline):
            found.append(PARTS.get(path.removeprefix(pipeline), "pipeline"))
        elif path.startswith(data):
            found.append("data")
        elif path in ENVIRONMENT:
            found.append(f"environment: {path}")
        elif path == WHERE_BYTES_ARE:
            found.append("where the bytes are")
        elif any(overlap(path, own) for own in reach.paths):
            found.append(f"reads {path}")
    return tuple(dict.fromkeys(found))
