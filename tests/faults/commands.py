"""The commands that faults happen to: those that change something, or leave something."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from tests.small_registry import NAME

HERBS = "herbs"

ALL = os.environ.get("FAULTS") == "all"  # as `make faults` says
EVERY = 1 if ALL else 24  # of so many steps one is tried


@dataclass(frozen=True)
class Command:
    """A command, and the world that it is killed in: before one in so many steps, and at so many
    moments (`make faults`)."""

    world: str
    arguments: tuple[str, ...]
    moments: int
    folder: str = "registry"
    one_in: int = 1


COMMANDS = {
    "run": Command("quick", ("run", NAME), 12),
    "push": Command("quick", ("run", NAME, "--push"), 12),
    "ci run": Command("quick", ("ci", "run", NAME), 12),
    "release": Command("ran", ("release", NAME), 10),
    "release again": Command("released", ("release", NAME), 20),
    "release made with --no-push": Command("unpushed", ("release", NAME), 4),
    "import": Command("bundle", ("import", "../bundle.tar"), 8),
    "signed release": Command("keyed", ("release", NAME, "--sign"), 4),
    "yank": Command("released", ("yank", f"{NAME}@1.0.0", "--reason", "shifted"), 8),
    "unyank": Command("yanked", ("unyank", f"{NAME}@1.0.0"), 4),
    "export": Command("released", ("export", f"{NAME}@1.0.0", "-o", "../bundle.tar"), 8),
    "gc that marks": Command("littered", ("gc",), 8),
    "gc that deletes": Command("marked", ("gc", "--older-than", "0d"), 8),
    "fsck --repair": Command("unsound", ("fsck", "--repair", "--from", "../backup"), 8),
    "template update": Command("outgrown", ("template", "update", HERBS), 8),
    "reproduce": Command("reproducible", ("reproduce", f"{NAME}@1.0.0"), 4, one_in=8),
    "fetch": Command("released", ("fetch", NAME, "-o", "data"), 8, "training"),
    "fetch --force": Command(
        "changed", ("fetch", NAME, "-o", "data", "--force"), 8, "training", one_in=2
    ),
}


@dataclass(frozen=True)
class Undisturbed:
    """What the command comes to when nothing happens."""

    steps: int
    seconds: float
    index: str
    seen: dict[str, Any]
