"""A job of an automated run: a fresh checkout of one commit, as runners make it, and a job's environment."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.done import Done
from tests.small_registry import SmallRegistry

ACTIONS = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "acme/registry",
    "GITHUB_RUN_ID": "42",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_EVENT_NAME": "schedule",
}


@dataclass(frozen=True)
class Job:
    """The work tree at `path` has one commit and no branch; nothing is known of tags."""

    registry: SmallRegistry
    path: Path

    def dreg(self, *arguments: str, **environment: str) -> Done:
        files = {
            "GITHUB_STEP_SUMMARY": str(self.path.parent / f"{self.path.name}-summary.md"),
            "GITHUB_OUTPUT": str(self.path.parent / f"{self.path.name}-output"),
        }
        more = {**ACTIONS, **files, **environment}
        return self.registry.dreg(*arguments, folder=self.path, **more)

    def run(self, *arguments: str, code: int = 0, **environment: str) -> dict[str, Any]:
        """`dreg ci run`, which must end so; what it left in result.json."""
        results = self.path.parent / f"{self.path.name}-out"
        done = self.dreg("ci", "run", *arguments, "--out", str(results), **environment)
        assert done.code == code, done.stderr + done.stdout
        assert "Traceback" not in done.stderr
        return json.loads((results / "result.json").read_text())

    @property
    def summary(self) -> str:
        return (self.path.parent / f"{self.path.name}-summary.md").read_text()

    @property
    def outputs(self) -> dict[str, Any]:
        said = (self.path.parent / f"{self.path.name}-output").read_text()
        return {k: json.loads(v) for k, _, v in (line.partition("=") for line in said.splitlines())}

    def discard(self) -> None:
        shutil.rmtree(self.path)


def job(registry: SmallRegistry, name: str = "job", *, depth: int = 1) -> Job:
    """What the checkout action leaves: detached, shallow, without tags."""
    path = registry.home / name
    path.mkdir()
    at = registry.git("rev-parse", "main", folder=registry.remote)
    registry.git("init", "-q", folder=path)
    registry.git("remote", "add", "origin", f"file://{registry.remote}", folder=path)
    registry.git("fetch", "-q", "--no-tags", f"--depth={depth}", "origin", at, folder=path)
    registry.git("checkout", "-q", "--detach", at, folder=path)
    return Job(registry, path)


def states(result: dict[str, Any]) -> dict[str, str]:
    return {one["dataset"]: one["state"] for one in result["datasets"]}
