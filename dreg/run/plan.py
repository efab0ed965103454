"""What is to be run, in which order, and what became of it."""

from __future__ import annotations

import functools
import graphlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from dreg.errors import BadRequest, DregError


@dataclass
class Plan:
    """Who needs whom, how many stages and bytes each has, and the datasets that cannot even be read.

    `sizes` are of the last run, and a guess at what the next one takes.
    """

    needs: dict[str, set[str]] = field(default_factory=dict)
    stages: dict[str, int] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    broken: dict[str, DregError] = field(default_factory=dict)

    @functools.cached_property
    def ahead(self) -> dict[str, int]:
        """Bytes of each dataset, and of the longest way from it through those made from it."""
        found: dict[str, int] = {}
        for name in reversed(in_order(self.needs)):
            after = [found[other] for other, needs in self.needs.items() if name in needs]
            found[name] = self.sizes.get(name, 0) + max(after, default=0)
        return found


@dataclass(frozen=True)
class Fate:
    """What became of one dataset. `state`: ran, restored, up to date, failed or skipped.

    `problems` are where it breaks its contract; None: nobody has looked.
    """

    name: str
    state: str
    stages: tuple[str, ...] = ()
    seconds: float = 0.0
    pushed: bool = False
    why: str = ""
    problems: tuple[str, ...] | None = None
    error: DregError | None = None
    log: str | None = None


def in_order(needs: Mapping[str, set[str]]) -> list[str]:
    """Names, each behind those it needs. Raises BadRequest for a cycle."""
    try:
        return list(graphlib.TopologicalSorter(ordered(needs)).static_order())
    except graphlib.CycleError as error:
        cycle = " -> ".join(f"`{name}`" for name in reversed(error.args[1]))
        raise BadRequest(
            f"datasets are made from each other: {cycle}",
            hint="correct `upstream` in one's dataset.yaml, or what its stages depend on",
        ) from error


def ordered(needs: Mapping[str, set[str]]) -> dict[str, list[str]]:
    """The same, with names in an order that does not change from run to run."""
    return {name: sorted(needs[name]) for name in sorted(needs)}
