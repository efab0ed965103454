"""`kill -9` before every step of every command that changes something, and at any moment.

A step is what a process does to the world (`zygote.py`). Afterwards the same command is run again,
and all must be as if the first had never been killed.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from dataclasses import dataclass

import pytest

from tests.faults.worlds import Ran, differences
from tests.small_registry import NAME

# How many of the steps are tried, and how often at any moment; `make faults` tries every step.
EVERY = 1 if os.environ.get("FAULTS") == "all" else 8
PARTS = 4


@dataclass(frozen=True)
class Command:
    """A command, and the world that it is killed in."""

    world: str
    arguments: tuple[str, ...]
    moments: int
    folder: str = "registry"


COMMANDS = {
    "run": Command("quick", ("run", NAME), 12),
    "push": Command("quick", ("run", NAME, "--push"), 12),
    "release": Command("ran", ("release", NAME), 10),
    "release again": Command("released", ("release", NAME), 20),
    "import": Command("bundle", ("import", "../bundle.tar"), 8),
    "yank": Command("released", ("yank", f"{NAME}@1.0.0", "--reason", "shifted"), 8),
    "fetch": Command("released", ("fetch", NAME, "-o", "data"), 8, "training"),
}


@dataclass(frozen=True)
class Undisturbed:
    """What the command comes to when nothing happens."""

    steps: int
    seconds: float
    index: str
    seen: dict


@pytest.fixture(scope="session")
def known() -> dict[str, Undisturbed]:
    return {}


@pytest.fixture
def killed(world_of, zygote, known, tmp_path, fault):
    """Runs a command in a world of its own, kills it, runs it again and looks at what is left."""

    def undisturbed(name: str) -> Undisturbed:
        if name not in known:
            command, world = COMMANDS[name], world_of(COMMANDS[name].world)
            done = zygote.run(world, *command.arguments, folder=command.folder)
            assert done.code == 0, done.stderr
            known[name] = Undisturbed(done.steps, done.seconds, world.index(), world.seen())
        return known[name]

    def kill(name: str, kind: str, **how) -> None:
        command, usual = COMMANDS[name], undisturbed(name)
        world = world_of(command.world)
        work, index = world.users_work(), world.index()
        first: Ran = zygote.run(world, *command.arguments, folder=command.folder, **how)
        if first.code == 0 and how.get("step", 0) > first.steps:
            return  # threads take a step more or less: there was none of that number
        with fault(kind):
            assert first.code in (-signal.SIGKILL, 0), first.stderr
            assert "step" not in how or first.code == -signal.SIGKILL
            assert world.lies() == []
            assert world.users_work() == work
            assert world.index() in (index, usual.index)
            again = zygote.run(world, *command.arguments, folder=command.folder)
            assert again.code == 0, again.stderr
            assert zygote.gone(first)
            assert world.lies() == []
            assert world.users_work() == work
            assert differences(world.seen(), usual.seen) == []
        shutil.rmtree(world.home)

    kill.undisturbed = undisturbed
    return kill


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_before_a_step(killed, name, part):
    steps = range(1 + part * EVERY, killed.undisturbed(name).steps + 1, PARTS * EVERY)
    for turn, step in enumerate(steps):
        killed(name, f"kill -9 at a step of {name}", step=step, everything=turn % 2 == 1)


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_any_moment(killed, name, part):
    chance = random.Random(f"{name} {part}")
    for turn in range(COMMANDS[name].moments // 2):
        after = chance.uniform(0.0, 1.1) * killed.undisturbed(name).seconds
        killed(name, "kill -9 at any moment", after=after, everything=turn % 2 == 1)
