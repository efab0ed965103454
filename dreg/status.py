"""How things stand with datasets: run, released, or changed since."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dreg.adapters.dvc import Pipeline
from dreg.adapters.git import Repository
from dreg.catalog import warn_of_tags_elsewhere
from dreg.core.freshness import State, Verdict
from dreg.core.release import order
from dreg.core.version import parse_tag
from dreg.core.yank import records, tags_about
from dreg.errors import BadRequest, DregError
from dreg.freshness import ask_dvc, native_state
from dreg.output import table
from dreg.registry import Dataset, Registry

if TYPE_CHECKING:
    from semver import Version


FEW = 10


@dataclass(frozen=True)
class Standing:
    """One dataset. `state`: up to date, missing, changed, never run, or broken; `why` lists why.

    `released` is the version whose files the tree has, `last` the newest that is not yanked; both may be
    None. Missing means that outputs are not here, and nothing else differs.
    """

    name: str
    state: str
    why: tuple[str, ...]
    released: str | None
    last: str | None

    @property
    def release(self) -> str:
        """The release in words."""
        if self.released:
            return f"released as {self.released}"
        return f"changed since {self.last}" if self.last else "not released"


@dataclass(frozen=True)
class Status:
    """The answer of `dreg status`."""

    datasets: tuple[Standing, ...]

    def lines(self) -> Iterable[str]:
        if not self.datasets:
            return ["no datasets; make one with `dreg new NAME --kind tabular`"]
        rows = [(d.name, d.state, d.release, "; ".join(d.why)) for d in self.datasets]
        return table(("DATASET", "STATE", "RELEASE", "WHY"), rows)


def status(registry: Registry, names: list[str] | None = None) -> Status:
    """How things stand with the named datasets, or with all.

    Raises the BadRequest of a dataset whose files are malformed, with the others as its answer.
    """
    datasets = registry.datasets(names) if names or registry.names else ()
    verdicts: dict[str, Verdict] = {}
    broken: dict[str, DregError] = {}
    for dataset in datasets:
        try:
            verdicts[dataset.name] = native_state(Pipeline(registry.root, dataset.name))
        except BadRequest as error:
            broken[dataset.name] = error
    unknown = [name for name, verdict in verdicts.items() if verdict.state is State.UNKNOWN]
    if unknown:
        verdicts |= ask_dvc(registry.root, unknown)
    releases = _Releases(registry.root, [dataset.name for dataset in datasets])
    answer = Status(
        tuple(
            _standing(dataset, verdicts.get(dataset.name), broken.get(dataset.name), releases)
            for dataset in datasets
        )
    )
    if broken:
        first = next(iter(broken.values()))
        first.answer = answer
        raise first
    return answer


class _Releases:
    """The newest release of each dataset that is not yanked, by local tags. Git is asked twice, for all at once."""

    def __init__(self, root: Path, names: Sequence[str]) -> None:
        repository = Repository(root)
        newest: dict[str, tuple[Version, str]] = {}
        self.here: dict[str, set[Version]] = {name: set() for name in names}
        # Git looks through all tags for each pattern, so of many datasets one asks for all.
        asked = [pattern for name in names for pattern in tags_about(name)]
        tags = repository.tags(*asked) if 0 < len(names) <= FEW else repository.tags()
        yanked = {tag for tag, about in records(tags).items() if about.yanked}
        for tag, commit in tags.items():
            parsed = parse_tag(tag)
            if not parsed or parsed[0] not in self.here:
                continue
            name, version = parsed
            self.here[name].add(version)
            if tag not in yanked:
                before = newest.get(name, (version, commit))
                newest[name] = max(before, (version, commit), key=lambda one: order(one[0]))
        wanted = [(commit, path) for name, (_, commit) in newest.items() for path in _told_by(name)]
        then = dict(zip(wanted, repository.read_all(wanted), strict=True))
        self.last = {name: str(version) for name, (version, _) in newest.items()}
        self.same = {
            name
            for name, (_, commit) in newest.items()
            if all(then[commit, path] == _bytes(root / path) for path in _told_by(name))
        }


def _told_by(name: str) -> tuple[str, str]:
    """The files in git that tell one snapshot of a dataset from another."""
    return f"pipelines/{name}/dvc.lock", f"data/{name}/metadata.json"


def _bytes(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _standing(
    dataset: Dataset, verdict: Verdict | None, error: DregError | None, releases: _Releases
) -> Standing:
    last = releases.last.get(dataset.name)
    warn_of_tags_elsewhere(dataset, releases.here[dataset.name])
    if verdict is None:
        why = (error.fact,) if error else ()
        return Standing(dataset.name, "broken", why, None, last)
    same = dataset.name in releases.same
    fits = same and verdict.state in (State.UP_TO_DATE, State.MISSING)
    return Standing(dataset.name, str(verdict.state), verdict.why, last if fits else None, last)
