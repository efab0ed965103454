"""A git server that refuses a release: all of it, or its tag alone."""

from __future__ import annotations

import pytest

from tests.faults.worlds import differences
from tests.small_registry import NAME

HOOKS = {
    "pre-receive": "echo 'closed today' >&2; exit 1",
    "update": 'case "$1" in refs/tags/*) echo "no tags" >&2; exit 1;; esac',
}

MAY_DIFFER = ("registry-store/", "registry/.git/FETCH_HEAD")


@pytest.mark.parametrize("hook", HOOKS)
@pytest.mark.parametrize("world", ["ran", "released"])
def test_a_server_that_refuses(world_of, zygote, fault, hook, world):
    made = world_of(world)
    with fault("the git server refuses or is gone"):
        before, work = made.git("for-each-ref", folder="registry.git"), made.users_work()
        seen = made.seen()
        place = made.remote / "hooks" / hook
        place.write_text(f"#!/bin/sh\n{HOOKS[hook]}\n")
        place.chmod(0o755)
        done = zygote.run(made, "release", NAME)
        assert done.code == 1, done.stderr
        assert made.git("for-each-ref", folder="registry.git") == before
        assert made.users_work() == work
        place.unlink()
        left = differences(made.seen(), seen)
        assert [each for each in left if not each.startswith(MAY_DIFFER)] == []
        done = zygote.run(made, "release", NAME)
        assert done.code == 0, done.stderr
        assert made.lies() == []


def test_a_server_that_is_gone_and_comes_back(world_of, zygote, fault):
    made = world_of("ran")
    with fault("the git server refuses or is gone"):
        made.remote.rename(made.home / "away")
        done = zygote.run(made, "release", NAME)
        assert done.code in (2, 3), done.stderr
        assert "Traceback" not in done.stderr
        (made.home / "away").rename(made.remote)
        assert zygote.run(made, "release", NAME).code == 0
        assert made.lies() == []
