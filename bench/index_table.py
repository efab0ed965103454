"""The sample index of one table, as `profile.write()` makes it, without the profile."""

from __future__ import annotations

import sys
from pathlib import Path

from dreg.adapters.engines import local
from dreg.adapters.formats import pieces
from dreg.adapters.index.writing import SampleIndex
from dreg.adapters.measure import hashes
from dreg.core.contract import Contract

target = Path(sys.argv[2])
contract = Contract("", "", "", {}, {})
with SampleIndex() as index:
    for batch, (rows,) in local.spread(pieces([Path(sys.argv[1])], contract), contract, hashes):
        index.add("train", batch.piece, rows)
    index.write(target)
