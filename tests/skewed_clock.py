"""Programs for which it is another time: a clock that is wrong, for tests of what that leads to."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = """
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t id, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, id, at);
    if (!failed && id == CLOCK_REALTIME) at->tv_sec += atol(getenv("CLOCK_AHEAD"));
    return failed;
}
"""


@pytest.fixture(scope="session")
def clock_ahead(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], dict[str, str]]:
    """By how many seconds the clock is ahead -> the environment of a program that thinks so."""
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler to make a wrong clock with")
    folder: Path = tmp_path_factory.mktemp("clock")
    (folder / "clock.c").write_text(SOURCE)
    library = folder / "clock.so"
    made = [compiler, "-shared", "-fPIC", "-o", library, folder / "clock.c"]
    if subprocess.run(made, check=False, capture_output=True).returncode != 0:
        pytest.skip("no wrong clock can be made on this system")
    return lambda seconds: {"LD_PRELOAD": str(library), "CLOCK_AHEAD": str(seconds)}
