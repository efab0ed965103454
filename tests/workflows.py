"""Workflows run for real on this machine: act executes them, git and S3 are what they are anywhere.

act has a checkout of its own. The other actions are published elsewhere and cannot be had here: what
stands in for them does what they do, as far as a step behind them can tell.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dreg.core.ci.workflows import ACTIONS
from tests.small_registry import SmallRegistry

TOOLS = Path(sys.prefix) / "workflows" / "bin"
SAYS = """\
name: NAME
description: says what it was asked for
inputs:
INPUTS
outputs: {digest: {description: of an image, value: 'sha256:cafe'}}
runs:
  using: composite
  steps:
    - run: echo "asked NAME for $ALL" >> "$TEST_SAID"
      shell: bash
      env: {ALL: '${{ toJSON(inputs) }}'}
"""


def saying(name: str, *inputs: str) -> str:
    """What stands in for an action whose work cannot be done here."""
    told = "\n".join(f"  {one}: {{description: any}}" for one in inputs)
    return SAYS.replace("NAME", name).replace("INPUTS", told)


STAND_INS = {
    "setup-buildx": saying("setup-buildx", "none"),
    "login": saying("login", "registry", "username", "password"),
    "build-push": saying("build-push", "context", "target", "push", "tags"),
    "attest": saying("attest", "subject-name", "subject-digest", "push-to-registry"),
    "setup-python": """\
name: setup-python
description: the Python of the tests
inputs: {python-version: {description: any}}
runs:
  using: composite
  steps:
    - {run: 'echo "$TEST_BIN" >> "$GITHUB_PATH"', shell: bash}
""",
    "upload-artifact": """\
name: upload-artifact
description: keeps what a job made
inputs: {name: {description: any}, path: {description: any}, if-no-files-found: {description: any}}
runs:
  using: composite
  steps:
    - run: mkdir -p "$TEST_ARTIFACTS/$NAME" && if [ -d "$PLACE" ]; then PLACE="$PLACE/."; fi && cp -r "$PLACE" "$TEST_ARTIFACTS/$NAME/"
      shell: bash
      env: {NAME: '${{ inputs.name }}', PLACE: '${{ inputs.path }}'}
""",
    "download-artifact": """\
name: download-artifact
description: gives what another job made
inputs: {name: {description: any}, path: {description: any}, run-id: {description: any}, github-token: {description: any}}
runs:
  using: composite
  steps:
    - run: mkdir -p "$PLACE" && cp -r "$TEST_ARTIFACTS/$NAME/." "$PLACE/"
      shell: bash
      env: {NAME: '${{ inputs.name }}', PLACE: '${{ inputs.path }}'}
""",
}


def tool(name: str) -> str:
    """A program that `make neighbours` installs; without it the test skips."""
    if not (TOOLS / name).exists():
        pytest.skip(f"{name} is not installed: make neighbours")
    return str(TOOLS / name)


@dataclass(frozen=True)
class Ran:
    """How a workflow ended, and all that it printed."""

    code: int
    log: str


@dataclass
class Act:
    """Runs the workflows of the work tree at `path`; `home` is act's own, and where artifacts are."""

    path: Path
    home: Path
    secrets: Mapping[str, str] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"

    def run(self, event: str, workflow: str, *, payload: Any = None, **inputs: str) -> Ran:
        """Run a workflow for an event, with what GitHub would say of that and what a person chose."""
        command = [
            tool("act"), event, "-W", f".github/workflows/{workflow}.yaml",
            "-P", "ubuntu-24.04=-self-hosted", "--pull=false", "--concurrent-jobs=1",
        ]  # fmt: skip
        for name, text in STAND_INS.items():
            action = ACTIONS[name]
            place = self._stand_in(name, text)
            command += ["--local-repository", f"{action.name}@{action.commit}={place}"]
        if payload is not None:
            (self.home / "event.json").write_text(json.dumps(payload))
            command += ["-e", str(self.home / "event.json")]
        told = {
            "TEST_BIN": str(Path(sys.executable).parent),
            "TEST_ARTIFACTS": str(self.artifacts),
            "TEST_SAID": str(self.home / "said"),
            "TERM": "dumb",
            "DREG_CACHE": str(self.home / "cache"),
            **self.environment,
        }
        for option, values in (
            ("--env", told), ("--input", inputs), ("--secret", self.secrets), ("--var", self.variables),
        ):  # fmt: skip
            for name, value in values.items():
                command += [
                    option,
                    f"{name.replace('_', '-') if option == '--input' else name}={value}",
                ]
        done = subprocess.run(
            command, cwd=self.path, env={**os.environ, "HOME": str(self.home)}, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=900,
        )  # fmt: skip
        return Ran(done.returncode, done.stdout)

    environment: Mapping[str, str] = field(default_factory=dict)

    def _stand_in(self, name: str, text: str) -> Path:
        place = self.home / "actions" / name
        if not place.exists():
            place.mkdir(parents=True)
            (place / "action.yml").write_text(text)
            for words in (("init", "-q"), ("add", "--all"), ("commit", "-q", "-m", name)):
                subprocess.run(["git", *words], cwd=place, check=True)
        return place


def acting(registry: SmallRegistry, **more: Any) -> Act:
    """act in a registry's work tree."""
    home = registry.home / "act"
    home.mkdir(exist_ok=True)
    return Act(registry.path, home, **more)
