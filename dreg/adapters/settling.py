"""What was written is on the disk, and not only on its way there, should the power go."""

from __future__ import annotations

import os
from pathlib import Path


def settle(folder: Path) -> None:
    """Wait until all that was written to the file system of `folder`, names included, is on its disk.

    One call for any number of files, where an `fsync` of each would take a hundred times as long.
    Raises OSError when the disk fails.
    """
    import ctypes  # only here: most commands make no promise

    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if syncfs(handle) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(handle)
