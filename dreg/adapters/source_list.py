"""The file that lists a pipeline's sources, read as YAML once for as long as it stays as it is.

Of ten thousand sources YAML takes seconds, and every stage, `status` and `run` read the list. What was read is
kept as JSON, which takes a hundredth of that. Losing it only costs time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from dreg.adapters.dvc.pipeline import scratch
from dreg.adapters.layout import Layout
from dreg.adapters.yaml_files import parse_yaml, read_text, shown

FORMAT = 1
LARGE = 100_000  # characters; less is read sooner than it is looked for


def read_list(layout: Layout, path: Path) -> Any:
    """The value in the YAML file at `path` of that dataset. Raises BadRequest as `read_yaml` does."""
    text = read_text(path)
    if len(text) < LARGE:
        return parse_yaml(text, shown(path))
    kept = scratch(layout.root) / "lists" / f"{layout.name}.json"
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        data = json.loads(kept.read_bytes())
        if (data["format"], data["sha256"]) == (FORMAT, sha256):
            return data["value"]
    value = parse_yaml(text, shown(path))
    _keep(kept, {"format": FORMAT, "sha256": sha256, "value": value})
    return value


def _keep(file: Path, data: dict[str, Any]) -> None:
    """Write it, if JSON says the same: it has no dates, and no keys but texts."""
    try:
        text = json.dumps(data, allow_nan=False, separators=(",", ":"))
        if json.loads(text) != data:
            return
    except (TypeError, ValueError):
        return
    with contextlib.suppress(OSError):  # a read-only checkout or a full disk
        file.parent.mkdir(parents=True, exist_ok=True)
        # Not `written`: a stage and `dreg status` may be at it at the same time.
        handle, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
            Path(temporary).replace(file)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
