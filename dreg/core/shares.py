"""Shares, held against a bound as a person means it: 0.55 - 0.5 is not more than 0.05."""

from __future__ import annotations

import math

LAST_DIGITS = 1e-9


def over(amount: float, bound: float) -> bool:
    """Whether `amount` is more than `bound`, but for the last digits of a float."""
    return amount > bound and not math.isclose(amount, bound, rel_tol=LAST_DIGITS)


def exceeds(part: float, whole: float, share: float) -> bool:
    """Whether `part` is more than that share of `whole`; of nothing, whatever there is."""
    return over(part / whole, share) if whole else part > 0
