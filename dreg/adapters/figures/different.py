"""How many values of a column are different, whatever they are."""

from __future__ import annotations

import pyarrow as pa

from dreg.adapters import sketching
from dreg.adapters.figures.arrays import present
from dreg.adapters.hashing.fingerprints import hashes
from dreg.core.sketches import Distinct


def distinct(array: pa.Array) -> Distinct:
    """How many values are different, by their hashes in the sample index; nulls are none."""
    found = hashes(array)[0]
    return sketching.of_hashes(found[present(array)] if array.null_count else found)
