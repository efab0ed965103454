"""Which process wrote something, and whether it is certainly gone."""

from __future__ import annotations

import functools
import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    """A process: `machine` is what its number means something on, `start` tells it from a later one of
    the same number."""

    machine: str
    pid: int
    start: str

    @classmethod
    def here(cls) -> Process:
        """This one."""
        return cls(machine(), os.getpid(), _start_of(os.getpid()))

    @property
    def is_gone(self) -> bool:
        """Whether it certainly has ended; of another machine nobody here can tell."""
        return self.machine == machine() and _start_of(self.pid) != self.start


@functools.cache
def machine() -> str:
    """What all processes have in common whose numbers we see, and no others.

    A host's name does not do: containers may share it, and have numbers of their own. On Linux it is
    the kernel's run (boot_id(5) in random(4)) and the PID namespace (pid_namespaces(7)).
    """
    told = [os.uname().nodename]
    with suppress(OSError):
        told = [
            Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
            str(Path("/proc/self/ns/pid").stat().st_ino),
        ]
    return hashlib.sha256(" ".join(told).encode()).hexdigest()[:16]


def _start_of(pid: int) -> str:
    """When a process was started, as its system counts; `` if there is none of that number."""
    with suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    with suppress(OSError):
        os.kill(pid, 0)
        return "?"
    return ""
