"""Why releases are yanked, as their registries last said: told again where nobody is asked."""

from __future__ import annotations

import contextlib
import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from dreg.adapters.cache import cache_place
from dreg.adapters.written import written
from dreg.core.yank import Yank


def remember(repo: str, tag: str, yank: Yank | None) -> None:
    """Keep why the release at `tag` is yanked, or that it isn't."""
    place = _place(repo, tag)
    with contextlib.suppress(OSError):
        if yank is None:
            place.unlink(missing_ok=True)
        else:
            with written(place) as file:
                file.write(json.dumps(asdict(yank)).encode())


def remembered(repo: str, tag: str) -> Yank | None:
    """What was kept last; None if the release was not yanked then."""
    with contextlib.suppress(OSError, ValueError, TypeError):
        return Yank(**json.loads(_place(repo, tag).read_bytes()))
    return None


def _place(repo: str, tag: str) -> Path:
    return cache_place("yanks") / hashlib.sha256(f"{repo}\0{tag}".encode()).hexdigest()[:32]
