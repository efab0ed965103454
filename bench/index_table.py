"""The sample index of one table, as `profile.write()` makes it, without the profile."""

from __future__ import annotations

import sys
from pathlib import Path

from dreg.adapters.formats import Piece, opened
from dreg.adapters.sample_index import SampleIndex
from dreg.core.contract import Contract

source, target = Piece(Path(sys.argv[1])), Path(sys.argv[2])
row = 0
with SampleIndex() as index, opened(source, Contract("", "", "", {}, {})) as rows:
    for batch in rows.batches:
        index.add("train", source, row, batch)
        row += batch.num_rows
    index.write(target)
