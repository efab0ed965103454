"""How long a neighbour that fails is borne with, where a run goes on meanwhile."""

from __future__ import annotations

from dreg.errors import DregError

BREAKS, LONGEST = 9, 30.0  # in a row, seconds of rest: two minutes or so in all


class Patience:
    """Counts failures in a row."""

    def __init__(self) -> None:
        self.breaks = 0

    def well(self) -> None:
        """It has answered."""
        self.breaks = 0

    def rest(self, error: DregError) -> float:
        """Seconds to wait before the next try. Raises the error when that makes too many."""
        self.breaks += 1
        if self.breaks > BREAKS:
            raise error
        return min(0.25 * 2.0**self.breaks, LONGEST)
