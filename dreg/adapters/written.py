"""A file that appears under its name only when all of it is there."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast


@contextmanager
def written(target: Path) -> Iterator[BinaryIO]:
    """A stream whose bytes are the file `target` when the block ends; nothing if it fails."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".new-", delete=False) as file:
        part = Path(file.name)
        try:
            yield cast(BinaryIO, file)
            file.flush()
            os.fchmod(file.fileno(), 0o644)  # as open() would have made it
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
