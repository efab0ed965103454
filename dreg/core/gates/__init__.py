"""Gates: bounds in a contract that a release has to stay within, unless a person lets it pass.

A promise (column, type, range) is what consumers rely on, and is never let pass; a gate is what
the owner watches. Most look at the profile; drift also at the last release's, and what is in more
than one split is told by the sample index and the data.
"""

from dreg.core.gates.bounds import DRIFTS, GATES, Bound, Gates
from dreg.core.gates.breaches import Breach, Shared, breaches, too_many_nulls
from dreg.core.gates.reading import read_gates

__all__ = [
    "DRIFTS",
    "GATES",
    "Bound",
    "Breach",
    "Gates",
    "Shared",
    "breaches",
    "read_gates",
    "too_many_nulls",
]
