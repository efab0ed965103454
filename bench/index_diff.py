"""What became of the samples between two sample indexes, as `dreg diff` counts it."""

from __future__ import annotations

import sys
from pathlib import Path

from dreg.adapters.index.comparing import IndexDiff

changes = IndexDiff(Path(sys.argv[1]), Path(sys.argv[2])).changes()
assert changes is not None
print(changes.told())
