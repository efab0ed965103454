"""The bounds that a contract may set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dreg.core.profile import Number


@dataclass(frozen=True)
class Bound:
    """Lowest and highest value that a figure may have; None is no bound."""

    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Gates:
    """The bounds: of samples by split, of nulls by column, of metrics by split and name, of what is
    in more than one split, of drift.

    A bound of nulls is a count in each split where it is a whole number, else a share. What is in
    more than one split: `max_leakage` samples, `max_near_duplicates` values by column. Drift since
    the last release has a bound on `mean` (how far means moved, in old deviations), `std` (how many
    times as wide or narrow), `classes` (population stability index of the classes) and `psi` (that
    of numbers and of texts' lengths, and of the classes where `classes` has no bound).
    """

    min_samples: Mapping[str, int] = field(default_factory=dict)
    min_samples_per_class: Mapping[str, int] = field(default_factory=dict)
    max_nulls: Mapping[str, Number] = field(default_factory=dict)
    metrics: Mapping[str, Mapping[str, Bound]] = field(default_factory=dict)
    max_leakage: int | None = None
    max_near_duplicates: Mapping[str, int] = field(default_factory=dict)
    max_drift: Mapping[str, float] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """How many bounds there are."""
        flat = (
            self.min_samples,
            self.min_samples_per_class,
            self.max_nulls,
            self.max_near_duplicates,
            self.max_drift,
        )
        metrics = sum(map(len, self.metrics.values()))
        return sum(map(len, flat)) + metrics + (self.max_leakage is not None)


GATES = tuple(Gates.__dataclass_fields__)
DRIFTS = ("mean", "std", "classes", "psi")
