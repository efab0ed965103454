"""The figures of one table's columns, as `profile.write()` measures them, without the index."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from dreg.adapters.engines import local
from dreg.adapters.formats import pieces
from dreg.adapters.measure import figures_of
from dreg.core.contract import Contract
from dreg.core.statistics import Samples

contract = Contract("", "", "", {}, {})
whole = Samples()
for _, (samples,) in local.spread(pieces([Path(sys.argv[1])], contract), contract, figures_of):
    whole += samples
figures = {name: column.figures() for name, column in whole.columns.items()}
histograms = {name: str(histogram) for name, histogram in whole.histograms().items()}
Path(sys.argv[2]).write_text(json.dumps([whole.count, figures, histograms]), encoding="utf-8")
