"""A small registry for tests: real git with a bare remote beside it, real DVC, one tabular dataset.

Made once per test process by the real commands, then copied: a run of three stages takes seconds.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import pytest

from tests import forked
from tests.done import Done
from tests.gitconfig import gitconfig

NAME = "toy"
OUTER = ("DREG_REPO", "DVC_REPO", "DREG_REMOTE", "DVC_REMOTE", "DVC_DATA_VERSION", "DREG_MIRROR")


@dataclass(frozen=True)
class SmallRegistry:
    """`home` holds registry/ (the work tree), registry.git (its remote) and registry-store/."""

    home: Path
    environment: dict[str, str]

    @property
    def path(self) -> Path:
        return self.home / "registry"

    @property
    def remote(self) -> Path:
        return self.home / "registry.git"

    @property
    def store(self) -> Path:
        return self.home / "registry-store"

    def dreg(self, *arguments: str, folder: Path | None = None, **environment: str) -> Done:
        """Run `dreg arguments` in the work tree, as a process of its own."""
        environment = {**self.environment, **environment}
        return forked.dreg(arguments, cwd=folder or self.path, env=environment, pipelines=True)

    def ok(self, *arguments: str, folder: Path | None = None, **environment: str) -> Done:
        """Run `dreg arguments`, which must succeed."""
        done = self.dreg(*arguments, folder=folder, **environment)
        assert done.code == 0, done.stderr
        return done

    def copy(self, home: Path) -> Self:
        """Another one just like it, at another place."""
        shutil.copytree(self.home, home, symlinks=True, dirs_exist_ok=True)
        moved = {k: v.replace(str(self.home), str(home)) for k, v in self.environment.items()}
        return replace(self, home=home, environment=moved)

    def git(self, *arguments: str, folder: Path | str | None = None) -> str:
        """What git says in the work tree, or in another folder of `home`; it must succeed."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.home / (folder or "registry"),
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def packed(self) -> Self:
        """Itself, with git's objects in a file and not in a hundred folders, so that it is soon copied."""
        for folder in ("registry", "registry.git"):
            self.git("repack", "-adq", folder=folder)
        return self

    def release(self, *options: str) -> dict:
        """Run and release the dataset; the answer's entry."""
        self.ok("run", NAME)
        (released,) = self.ok("release", NAME, "--json", *options).json["releases"]
        return released

    def edit(self, path: str, pattern: str, replacement: str) -> None:
        """Replace the first match in a file of the work tree; it must be there."""
        file = self.path / path
        text, times = re.subn(pattern, replacement, file.read_text(), count=1, flags=re.MULTILINE)
        assert times == 1, f"{path} has no {pattern}"
        file.write_text(text)

    def drop_column(self, column: str) -> None:
        """No longer promise, and so no longer publish, a column."""
        self.edit(f"pipelines/{NAME}/dataset.yaml", rf"^  {column}:.*\n", "")

    def commit_all(self) -> None:
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "by hand")

    def remote_tags(self) -> list[str]:
        return self.git("tag", "--list", folder=self.remote).split()


@pytest.fixture(scope="session")
def made_registry(tmp_path_factory: pytest.TempPathFactory) -> SmallRegistry:
    """The original that tests copy: `dreg init`, `dreg new`, pushed, never run."""
    home = tmp_path_factory.mktemp("made")
    environment = {k: v for k, v in os.environ.items() if k not in OUTER}
    environment |= {
        "DREG_CACHE": str(home / "cache"),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_NOSYSTEM": "1",
        "NO_COLOR": "1",
    }
    (home / "gitconfig").write_text(gitconfig("A", "a@example.com"))
    made = SmallRegistry(home, environment)
    made.ok("init", "registry", folder=home)
    made.ok("new", NAME, "--kind", "tabular")
    made.commit_all()
    made.git("clone", "-q", "--bare", "registry", "registry.git", folder=home)
    made.git("remote", "add", "origin", "../registry.git")
    made.git("push", "-q", "-u", "origin", "main")
    return made.packed()


@pytest.fixture
def registry(made_registry: SmallRegistry, tmp_path: Path) -> SmallRegistry:
    """A registry of the test's own, never run."""
    return made_registry.copy(tmp_path)


@pytest.fixture(scope="session")
def run_registry(
    made_registry: SmallRegistry, tmp_path_factory: pytest.TempPathFactory
) -> SmallRegistry:
    made = made_registry.copy(tmp_path_factory.mktemp("run"))
    made.ok("run", NAME)
    return made


@pytest.fixture
def ready(run_registry: SmallRegistry, tmp_path: Path) -> SmallRegistry:
    """A registry of the test's own whose pipeline has run, not released."""
    return run_registry.copy(tmp_path)


@pytest.fixture(scope="session")
def released_registry(
    run_registry: SmallRegistry, tmp_path_factory: pytest.TempPathFactory
) -> SmallRegistry:
    made = run_registry.copy(tmp_path_factory.mktemp("released"))
    made.ok("release", NAME)
    return made.packed()


@pytest.fixture
def released_once(released_registry: SmallRegistry, tmp_path: Path) -> SmallRegistry:
    """A registry of the test's own whose pipeline has run, released as 1.0.0."""
    return released_registry.copy(tmp_path)
