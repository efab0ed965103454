"""What was there when a dataset's data was made: `pipelines/<name>/provenance.json`, kept in git.

The stages write it: `download` which kind of mirror served each source, `analyze` where it measured.
No stage depends on it and none has it as an output, so another mirror or platform makes nothing out
of date. What it says of the same bytes already stays as it is: it tells how they were first made, and
running a pipeline again changes nothing in git.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dreg.adapters.layout import Layout
from dreg.adapters.surroundings import surroundings
from dreg.adapters.written import written
from dreg.core.about import Surroundings, parse_surroundings, surroundings_json

FILE = "provenance.json"
FORMAT = 1


@dataclass(frozen=True)
class Making:
    """`mirrors` are kinds by the SHA-256 of what they served, `made` by the digest of the snapshot."""

    mirrors: Mapping[str, str] = field(default_factory=dict)
    snapshot: str = ""
    made: Surroundings | None = None


def read_making(layout: Layout) -> Making:
    """What is recorded; nothing where there is no such file, or one that dreg didn't write."""
    try:
        data = json.loads((layout.root / making_path(layout)).read_bytes())
        if data["format"] != FORMAT:
            return Making()
        mirrors = {str(sha): str(kind) for sha, kind in data["mirrors"].items()}
        made = data["made"]
        return Making(mirrors, str(data["snapshot"]), parse_surroundings(made) if made else None)
    except (OSError, AttributeError, KeyError, TypeError, ValueError):
        return Making()


def making_path(layout: Layout) -> str:
    """The file, relative to the registry."""
    return f"{layout.folders[0]}/{FILE}"


def record_mirrors(layout: Layout, served: Mapping[str, str]) -> None:
    """Keep the kinds of mirrors by the SHA-256 of what they `served`, of these sources only."""
    before = read_making(layout)
    kinds = {sha: before.mirrors.get(sha) or kind for sha, kind in served.items()}
    _write(
        layout, before, Making({s: k for s, k in kinds.items() if k}, before.snapshot, before.made)
    )


def record_surroundings(layout: Layout, snapshot: str) -> None:
    """Keep where the data with that digest is made, unless that is known."""
    before = read_making(layout)
    if before.snapshot != snapshot or before.made is None:
        _write(layout, before, Making(before.mirrors, snapshot, surroundings(layout)))


def _write(layout: Layout, before: Making, now: Making) -> None:
    if now == before:
        return
    data: dict[str, Any] = {
        "format": FORMAT,
        "mirrors": dict(now.mirrors),
        "snapshot": now.snapshot,
        "made": surroundings_json(now.made) if now.made else None,
    }
    with written(layout.root / making_path(layout)) as file:
        file.write((json.dumps(data, indent=1, sort_keys=True) + "\n").encode())
