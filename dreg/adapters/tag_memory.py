"""Where the tags of releases led when they were first resolved here: releases never move.

Kept beside what can be had again, since this cannot.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from dreg.adapters.cache import cache_place
from dreg.adapters.written import written


@dataclass(frozen=True)
class Seen:
    """A tag as it was: its own object, the commit's where it is lightweight, and the commit."""

    object: str
    commit: str


def remember(repo: str, tag: str, seen: Seen) -> None:
    """Keep where the tag leads; a cache that cannot be written to keeps nothing."""
    with contextlib.suppress(OSError), written(_place(repo, tag)) as file:
        file.write(json.dumps(asdict(seen)).encode())


def remembered(repo: str, tag: str) -> Seen | None:
    """Where it led; None if nobody asked here."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Seen(**json.loads(_place(repo, tag).read_bytes()))
    return None


def _place(repo: str, tag: str) -> Path:
    path = Path(repo).expanduser()
    where = str(path.resolve()) if "://" not in repo and path.exists() else repo
    return cache_place("tags") / hashlib.sha256(f"{where}\0{tag}".encode()).hexdigest()[:32]
