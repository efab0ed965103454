"""What a demo or a new cluster needs: every dataset run, checked, released once and pushed.

A dataset that has a release already gets no other one: whoever starts this again, or somewhere else,
finds the same versions. That its bytes are on the remote is checked instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dreg.core.release import newest, usable
from dreg.core.wording import numbered
from dreg.errors import BadRequest, DregError, Outside
from dreg.fsck.checking import fsck
from dreg.history import published
from dreg.output import table
from dreg.registry import Dataset, Registry
from dreg.release.releasing import release
from dreg.run.running import carried_out, needs

DETAILS = 3  # lines that are told of each failure


@dataclass(frozen=True)
class Brought:
    """One dataset. `state`: released, there (it was released before, and all of it is on the remote), or
    failed; `why` for the last."""

    dataset: str
    state: str
    version: str | None
    tag: str | None
    why: str = ""


@dataclass(frozen=True)
class Bootstrapped:
    """Each dataset, behind those it is made from."""

    datasets: tuple[Brought, ...]

    def lines(self) -> Iterator[str]:
        rows = [(one.dataset, one.state, one.version or "-", one.why) for one in self.datasets]
        yield from table(("DATASET", "STATE", "VERSION", "WHY"), rows)


def bootstrap(
    registry: Registry,
    *,
    jobs: int | None = None,
    engine: str | None = None,
    wait: float | None = None,
) -> Bootstrapped:
    """Run all datasets, and release those that have no release.

    One that fails keeps only those from it that are made from it. Raises BadRequest where there is no
    dataset; at the end what went wrong, with the others in its answer.
    """
    if not registry.names:
        raise BadRequest("the registry has no datasets", hint="dreg new NAME --kind tabular")
    runs, failures = carried_out(
        registry, list(registry.names), jobs=jobs, engine=engine, wait=wait
    )
    brought: list[Brought] = []
    needed = needs(registry, [ran.name for ran in runs.datasets])
    for ran in runs.datasets:
        if ran.state in ("failed", "skipped"):
            brought.append(Brought(ran.name, "failed", None, None, ran.why))
            continue
        try:
            lacking = needed[ran.name].intersection(
                b.dataset for b in brought if b.state == "failed"
            )
            brought.append(_released(registry, registry.dataset(ran.name), lacking, wait))
        except DregError as error:
            failures[ran.name] = error
            brought.append(Brought(ran.name, "failed", None, None, error.fact))
    answer = Bootstrapped(tuple(brought))
    if failures:
        raise _summary(failures, answer)
    return answer


def _released(
    registry: Registry, dataset: Dataset, lacking: AbstractSet[str], wait: float | None
) -> Brought:
    """The dataset's release: the newest there is, checked on the remote, or else its first; none while some
    that it is made from are `lacking`."""
    last = newest(usable(published(dataset)))
    if last is not None:
        fsck(registry, [f"{dataset.name}@{last.version}"], remote=True)
        return Brought(dataset.name, "there", str(last.version), last.tag)
    if lacking:
        why = f"needs {', '.join(sorted(lacking))}"
        return Brought(dataset.name, "failed", None, None, why)
    (made,) = release(registry, [dataset.name], wait=wait).releases
    return Brought(dataset.name, "released", str(made.version), made.tag)


def _summary(failures: dict[str, DregError], answer: Bootstrapped) -> DregError:
    """One error for all: of their kind if they have one, else that something outside failed."""
    name, first = next(iter(failures.items()))
    kinds = {type(error) for error in failures.values()}
    kind = kinds.pop() if len(kinds) == 1 else Outside
    details = []
    for one, failure in failures.items():
        details += [f"{one}: {failure.fact}", *(f"  {line}" for line in failure.details[:DETAILS])]
    whose = "" if len(failures) == 1 else f"{name}: "
    error = kind(
        f"{numbered(len(failures), 'dataset')} of {len(answer.datasets)} failed",
        hint=f"{whose}{first.hint}; then: dreg bootstrap",
        details=details,
    )
    error.answer = answer
    return error
