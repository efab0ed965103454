"""Registries in the middle of somebody's work, and what can be seen of them from outside."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests import forked
from tests.done import Done
from tests.faults.truth import damaged, in_folder, lies
from tests.small_registry import SmallRegistry

UNTRACKED = "notes.txt"
OTHER = "pipelines/other"
ANY_ID = re.compile(r"[0-9a-f]{30,}|\d{10,}")
ANNOUNCED = "registry-store/dreg/announced"  # a killed release leaves a line there for `dreg gc`
SCRATCH = ("registry/.dvc/tmp", "registry/.dvc/cache", "registry/.git/objects", "registry/.git/logs",
           "registry.git/objects", "cache", ANNOUNCED, "site", "registry-site", "said")  # fmt: skip


@dataclass(frozen=True)
class World(SmallRegistry):
    """A registry with work of the user's in it, which may be looked at from outside."""

    def put(self, data: bytes, ending: str = "") -> str:
        """The md5 of an object that is on the store now."""
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        path = self.store / "files" / "md5" / md5[:2] / f"{md5[2:]}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return md5

    def lies(self) -> list[str]:
        """What does not hold of the tags on the git remote and of the objects on the store."""
        return [*lies(self.remote, in_folder(self.store)), *damaged(self.store)]

    def users_work(self) -> dict[str, str]:
        """What nobody but the user may change: files, and what of them is staged."""
        own = [self.path / UNTRACKED, *sorted((self.path / OTHER).rglob("*"))]
        files = {str(p.relative_to(self.home)): p.read_text() for p in own if p.is_file()}
        return {**files, "staged": self.git("ls-files", "--stage", OTHER)}

    def index(self) -> str:
        return self.git("ls-files", "--stage")

    def seen(self) -> dict[str, Any]:
        """All that a person could see, ids and times left out: files, index, references."""
        git = [f"{place} {self.git('for-each-ref', '--format=%(refname)', folder=place)}"
               for place in ("registry", "registry.git")]  # fmt: skip
        return {
            **dict(sorted(self._files())),
            "status": self.git("status", "--porcelain"),
            "index": self.index(),
            "references": git,
            "the clone has all": self.git("rev-list", "HEAD..origin/main"),
            "locks": [
                p.name
                for git in (".git", "../registry.git")
                for p in self.path.glob(f"{git}/**/*.lock")
            ],
            "half done in the cache": [
                p.name
                for p in (self.home / "cache").rglob("*")
                if p.parent.name == "parts" or p.name.startswith((".", "dreg-scratch-"))
            ],
            "claims": [p.name for p in self.path.glob(".dvc/tmp/dreg/claims/*") if held(p)],
        }

    def _files(self) -> Iterator[tuple[str, str]]:
        for folder, folders, names in os.walk(self.home):
            below = Path(folder).relative_to(self.home).as_posix()
            folders[:] = [f for f in folders if f"{below}/{f}".removeprefix("./") not in SCRATCH]
            for name in names:
                path = f"{below}/{name}".removeprefix("./")
                text = (Path(folder) / name).read_bytes().decode("latin1")
                if below == "tmp" and text == "blat":
                    continue  # by it Python finds out, for a moment, where it may write
                is_git = path.startswith(("registry/.git/", "registry.git/"))
                text = "" if is_git else text.replace(str(self.home), "HOME")
                yield ANY_ID.sub("#", path), ANY_ID.sub("#", text)


def held(path: Path) -> bool:
    """Whether some process has the file locked."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Where what is seen of two worlds differs, a line each."""
    return [
        f"{key}: {str(one.get(key))[:300]!r} instead of {str(other.get(key))[:300]!r}"
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    ]


@dataclass(frozen=True)
class Ran(Done):
    """How a command ended, which process it was, how long it took, in how many steps."""

    pid: int = 0
    seconds: float = 0.0
    steps: int = 0


class Zygote:
    """The process that starts dreg, again and again."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.zygote"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            cwd=Path(__file__).resolve().parents[2],
        )  # fmt: skip
        assert self._answer()["ready"]

    def run(self, world: World, *arguments: str, folder: str = "registry", **more: Any) -> Ran:
        """`dreg arguments`. `step`: killed before its step of that number; `after`: after so many
        seconds; `everything`: with all that it started."""
        said = more.pop("said", world.home / "said")
        said.mkdir(exist_ok=True)
        order = {**self._order(world, said, folder, arguments), **more}
        return self._ran(order, self._ask(order))

    def run_all(self, world: World, jobs: Sequence[tuple[str, tuple[str, ...]]]) -> list[Ran]:
        """Commands in folders of the world, all at the same time."""
        orders = []
        for number, (folder, arguments) in enumerate(jobs):
            said = world.home / "said" / str(number)
            said.mkdir(parents=True)
            orders.append(self._order(world, said, folder, arguments))
        answers = self._ask({"all": orders})
        return [self._ran(order, done) for order, done in zip(orders, answers, strict=True)]

    def _order(
        self, world: World, said: Path, folder: str, arguments: tuple[str, ...]
    ) -> dict[str, Any]:
        files = {name: said / name for name in ("stdout", "stderr", "steps", "pid")}
        for file in files.values():
            file.unlink(missing_ok=True)
        return {
            "arguments": arguments,
            "environment": world.environment,
            "folder": str(world.home / folder),
            "everything": False,
            "executable": str(forked.zygote("dvc").shim),
            **{name: str(file) for name, file in files.items()},
        }

    def _ran(self, order: dict[str, Any], done: dict[str, Any]) -> Ran:
        texts = {}
        for name in ("stdout", "stderr", "steps"):
            file = Path(order[name])
            texts[name] = file.read_text() if file.exists() else ""
        steps = int(texts["steps"] or 0)
        return Ran(
            done["code"], texts["stdout"], texts["stderr"], done["pid"], done["seconds"], steps
        )

    def gone(self, ran: Ran) -> bool:
        """Whether nothing that it started is left, waiting a while."""
        return bool(self._ask({"gone": ran.pid})["gone"])

    def close(self) -> None:
        self._process.communicate(timeout=30)

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())
