"""A registry made for one test: real git, real DVC, pipelines of a few lines that need no network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

from tests import forked
from tests.done import Done
from tests.gitconfig import gitconfig

BIN = Path(sys.executable).parent

CONTRACT = """\
title: {name}
description: a few numbers
licence: CC0-1.0
upstream: {upstream}
splits:
  train:
    files: [processed/train.csv]
columns:
  x: int64
"""

DVC_YAML = """\
stages:
  download:
    cmd: python scripts/download.py
    deps:
      - scripts/download.py{reads}
    params:
      - download
    outs:
      - ../../data/{name}/raw
  process:
    cmd: python scripts/process.py
    deps:
      - scripts/process.py
      - ../../data/{name}/raw
    params:
      - process.factor
    outs:
      - ../../data/{name}/processed
  analyze:
    cmd: python scripts/analyze.py
    deps:
      - dataset.yaml
      - scripts/analyze.py
      - ../../data/{name}/processed
    outs:
      - ../../data/{name}/metadata.json:
          cache: false
"""

PARAMS = """\
download:
  rows: 5
  files: [a, b]
process:
  factor: 2
  rate: 1e-4
"""

DOWNLOAD = """\
import pathlib
import yaml
params = yaml.safe_load(open("params.yaml"))["download"]
raw = pathlib.Path("../../data/{name}/raw/deep")
raw.mkdir(parents=True, exist_ok=True)
for name in params["files"]:
    (raw / name).write_text("\\n".join(map(str, range(params["rows"]))))
print("fetched", len(params["files"]), "files")
"""

PROCESS = """\
import pathlib
import yaml
factor = yaml.safe_load(open("params.yaml"))["process"]["factor"]
data = pathlib.Path("../../data/{name}")
rows = [int(x) * factor for f in sorted(data.glob("raw/deep/*")) for x in f.read_text().split()]
(data / "processed").mkdir(exist_ok=True)
(data / "processed" / "train.csv").write_text("x\\n" + "\\n".join(map(str, rows)))
"""

ANALYZE = """\
import pathlib, json
data = pathlib.Path("../../data/{name}")
rows = (data / "processed" / "train.csv").read_text().split()[1:]
profile = {{
    "format": 1,
    "dataset": {{"name": "{name}"}},
    "schema": {{"features": {{"x": {{"type": "int64", "nullable": False}}}}}},
    "splits": {{"train": {{"num_samples": len(rows)}}}},
    "metrics": {{}},
    "snapshot": {{"files": 1, "size": 0, "digest": "0" * 64}},
}}
(data / "metadata.json").write_text(json.dumps(profile))
print("measured", len(rows), "samples")
"""


class PipelineRegistry:
    """The registry at `root`, and the commands a person would type in it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("DVC_")},
            "DVC_SITE_CACHE_DIR": str(root.parent / f"{root.name}-site"),
            "DVC_NO_ANALYTICS": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(root.parent / "no-such-config"),
            "DVC_SYSTEM_CONFIG_DIR": str(root.parent / "no-such-config"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_SYSTEM": os.devnull,
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
        }

    @classmethod
    def make(cls, root: Path, *names: str) -> PipelineRegistry:
        registry = cls(root)
        (root / ".dvc").mkdir(parents=True)
        (root / "pipelines").mkdir()
        remote = root.parent / f"{root.name}-remote"
        registry.write(
            ".dvc/config",
            "[core]\n    analytics = false\n    check_update = false\n    remote = disk\n"
            f"['remote \"disk\"']\n    url = {remote}\n",
        )
        registry.write(".dvc/.gitignore", "/config.local\n/tmp\n/cache\n")
        registry.write(".dvcignore", "# Add patterns of files dvc should ignore\n")
        registry.git("init", "--quiet", "--initial-branch=main")
        with (root / ".git" / "config").open("a") as config:
            config.write(gitconfig("Tester", "tester@example.com"))
        for name in names:
            registry.add(name)
        return registry

    def add(self, name: str, upstream: tuple[str, ...] = (), reads: tuple[str, ...] = ()) -> None:
        """A dataset; `reads` are further dependencies of its first stage."""
        folder = f"pipelines/{name}"
        more = "".join(f"\n      - {path}" for path in reads)
        self.write(f"{folder}/dvc.yaml", DVC_YAML.format(name=name, reads=more))
        self.write(f"{folder}/params.yaml", PARAMS)
        self.write(
            f"{folder}/dataset.yaml", CONTRACT.format(name=name, upstream=json.dumps(upstream))
        )
        for stage, text in (("download", DOWNLOAD), ("process", PROCESS), ("analyze", ANALYZE)):
            self.write(f"{folder}/scripts/{stage}.py", text.format(name=name))

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def read(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def replace(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text
        self.write(path, text.replace(old, new))

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    def commit(self, message: str = "a commit") -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def clone(self, folder: Path) -> PipelineRegistry:
        """A fresh clone, as on another machine."""
        self.git("clone", "--quiet", str(self.root), str(folder))
        return PipelineRegistry(folder)

    def dvc(self, *arguments: str) -> Done:
        return self._run([sys.executable, "-m", "dvc", *arguments])

    def python(self, code: str) -> Done:
        return self._run([sys.executable, "-c", code])

    def dreg(self, *arguments: str, **environment: str) -> Done:
        environment = {**self.environment, **environment}
        return forked.dreg(arguments, cwd=self.root, env=environment, pipelines=True)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """`dreg arguments` in a session of its own, still running."""
        return subprocess.Popen(
            [sys.executable, "-m", "dreg", *arguments],
            cwd=self.root,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _run(self, command: list[str], environment: dict[str, str] | None = None) -> Done:
        done = subprocess.run(
            command,
            cwd=self.root,
            env={**self.environment, **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return Done(done.returncode, done.stdout, done.stderr)


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def stop(process: subprocess.Popen[str]) -> None:
    """End a process whatever happened, with all it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
