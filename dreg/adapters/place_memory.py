"""Folders outside of a training repository that its user named on the command line."""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from dreg.adapters.cache import cache_place
from dreg.adapters.written import written


def allow(repository: Path, target: Path) -> None:
    """Keep that data of the repository may be placed there; a cache that is read-only keeps nothing."""
    with contextlib.suppress(OSError), written(_place(repository, target)) as file:
        file.write(f"{repository}\n{target}\n".encode(errors="surrogateescape"))


def is_allowed(repository: Path, target: Path) -> bool:
    """Whether somebody here said so before."""
    return _place(repository, target).is_file()


def _place(repository: Path, target: Path) -> Path:
    both = f"{repository}\0{target}".encode(errors="surrogateescape")
    return cache_place("places") / hashlib.sha256(both).hexdigest()[:32]
