"""Make a registry with one dataset of many small files, run and ready to be released.

`python bench/many_files.py FOLDER FILES`: `FOLDER/registry` with a bare git remote beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

NAME = "many"
SIZE = 2048

CONTRACT = """\
title: Many files
description: documents of 2 KB
licence: CC0-1.0
splits:
  train:
    files: ["processed/**/*.txt"]
columns:
  file: string
  text: document
"""

DVC_YAML = f"""\
stages:
  process:
    cmd: python scripts/process.py
    deps: [scripts/process.py]
    params: [files]
    outs: [../../data/{NAME}/processed]
  analyze:
    cmd: python scripts/analyze.py
    deps: [dataset.yaml, scripts/analyze.py, ../../data/{NAME}/processed]
    outs:
      - ../../data/{NAME}/metadata.json:
          cache: false
      - ../../data/{NAME}/samples.parquet
"""

PROCESS = f"""\
import random
import shutil
from pathlib import Path

import yaml

files = yaml.safe_load(Path("params.yaml").read_text())["files"]
target = Path("../../data/{NAME}/processed")
shutil.rmtree(target, ignore_errors=True)
letters = "abcdefghijklmnopqrstuvwxyz      "
for number in range(files):
    random.seed(number)
    folder = target / f"{{number // 1000:03}}"
    if number % 1000 == 0:
        folder.mkdir(parents=True)
    text = "".join(random.choices(letters, k={SIZE}))
    (folder / f"{{number:06}}.txt").write_text(text)
"""

ANALYZE = """\
from dreg.stages import profile

profile.write()
"""


def make(folder: Path, files: int) -> None:
    """The same files every time."""
    bin_folder = Path(sys.executable).parent
    path = os.pathsep.join([str(bin_folder), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"}
    registry = folder / "registry"

    def call(*command: str, cwd: Path = registry) -> None:
        subprocess.run(command, cwd=cwd, env=environment, check=True, stdout=subprocess.DEVNULL)

    dreg = (sys.executable, "-m", "dreg")
    folder.mkdir(parents=True, exist_ok=True)
    call(*dreg, "init", "registry", cwd=folder)
    pipeline = registry / "pipelines" / NAME
    for path_, text in {
        "dataset.yaml": CONTRACT,
        "dvc.yaml": DVC_YAML,
        "params.yaml": f"files: {files}\n",
        "scripts/process.py": PROCESS,
        "scripts/analyze.py": ANALYZE,
    }.items():
        (pipeline / path_).parent.mkdir(parents=True, exist_ok=True)
        (pipeline / path_).write_text(text)
    (registry / "data" / NAME).mkdir(parents=True)
    (registry / "data" / NAME / ".gitignore").write_text("/processed\n/samples.parquet\n")
    call(*dreg, "run", NAME)
    call("git", "add", "--all")
    call("git", "commit", "--quiet", "--message", "many files")
    call("git", "clone", "--quiet", "--bare", "registry", "registry.git", cwd=folder)
    call("git", "remote", "add", "origin", "../registry.git")
    call("git", "push", "--quiet", "--set-upstream", "origin", "main")


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
