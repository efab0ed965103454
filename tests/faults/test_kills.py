"""`kill -9` before every step of every command that changes something, and at any moment.

A step is what a process does to the world (`zygote.py`). Afterwards the same command is run again,
and all must be as if the first had never been killed.
"""

from __future__ import annotations

import random
import shutil
import signal

import pytest

from tests.faults.commands import ALL, COMMANDS, EVERY
from tests.faults.worlds import Ran, differences

PARTS = 4


@pytest.fixture
def killed(world_of, zygote, undisturbed, fault):
    """Runs a command in a world of its own, kills it, runs it again and looks at what is left."""

    def kill(name: str, kind: str, **how) -> None:
        command, usual = COMMANDS[name], undisturbed(name)
        world = world_of(command.world)
        work, index, lies = world.users_work(), world.index(), world.lies()
        first: Ran = zygote.run(world, *command.arguments, folder=command.folder, **how)
        if first.code == 0 and how.get("step", 0) > first.steps:
            return  # threads take a step more or less: there was none of that number
        with fault(kind):
            assert first.code in (-signal.SIGKILL, 0), first.stderr
            assert "step" not in how or first.code == -signal.SIGKILL
            assert {*world.lies()} <= {*lies}
            assert world.users_work() == work
            assert world.index() in (index, usual.index)
            again = zygote.run(world, *command.arguments, folder=command.folder)
            assert again.code == 0, again.stderr
            assert zygote.gone(first)
            assert world.lies() == []
            assert world.users_work() == work
            assert differences(world.seen(), usual.seen) == []
        shutil.rmtree(world.home)

    return kill


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_before_a_step(killed, undisturbed, name, part):
    every = EVERY * COMMANDS[name].one_in
    steps = range(1 + part * every, undisturbed(name).steps + 1, PARTS * every)
    for turn, step in enumerate(steps):
        killed(name, f"kill -9 at a step of {name}", step=step, everything=turn % 2 == 1)


@pytest.mark.parametrize("part", range(2))
@pytest.mark.parametrize("name", COMMANDS)
def test_killed_at_any_moment(killed, undisturbed, name, part):
    chance = random.Random(f"{name} {part} 14")
    for turn in range(COMMANDS[name].moments // (2 if ALL else 4)):
        after = chance.uniform(0.0, 1.1) * undisturbed(name).seconds
        killed(name, "kill -9 at any moment", after=after, everything=turn % 2 == 1)
