"""The files by which a step of GitHub Actions tells its job something, and a container its cluster why it ended."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from dreg.core.ci.cluster import ANOTHER_TRY
from dreg.errors import DregError, Lasting, Outside

ENDING = "DREG_TERMINATION_LOG"
SUMMARY, OUTPUT = "GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"
LARGEST = 1024 * 1024  # bytes of a step's summary, of which GitHub takes all or nothing


def tell_summary(lines: Iterable[str]) -> None:
    """Add Markdown to the job's summary, if there is one; what is too long for it, to its limit."""
    if not (place := os.environ.get(SUMMARY)):
        return
    left = LARGEST - (Path(place).stat().st_size if Path(place).exists() else 0)
    with Path(place).open("ab") as file:
        for line in lines:
            data = f"{line}\n".encode()
            left -= len(data)
            if left < 0:
                break
            file.write(data)
        else:
            file.write(b"\n")


def tell_outputs(values: Mapping[str, Any]) -> None:
    """Set outputs of the step, if it is one; each as JSON on one line, words as they are."""
    if not (place := os.environ.get(OUTPUT)):
        return
    with Path(place).open("a", encoding="utf-8") as file:
        for name, value in values.items():
            # JSON escapes ends of lines, so that no value can set another output.
            file.write(f"{name}={json.dumps(value)}\n")


def tell_ending(error: DregError) -> None:
    """Say why it ended where Kubernetes looks for that, if it does: Argo shows it, and tries again what is worth it."""
    if not (place := os.environ.get(ENDING)):
        return
    passing = isinstance(error, Outside) and not isinstance(error, Lasting)
    with suppress(OSError), Path(place).open("w", encoding="utf-8") as file:
        file.write(f"{ANOTHER_TRY}: {error.fact}" if passing else error.fact)
