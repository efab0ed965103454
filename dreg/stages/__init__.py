"""What a pipeline's scripts import.

    from dreg.stages import download
    download.run()

A script runs in its pipeline's folder, as DVC runs it. An error that dreg foresees ends the script
with one sentence and a hint instead of a traceback: importing this package sees to that.
"""

from __future__ import annotations

import sys

from dreg.stages.failure import explain
from dreg.stages.workspace import Workspace, here

__all__ = ["Workspace", "here"]

sys.excepthook = explain
