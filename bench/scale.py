"""`make scale`: what commands cost in a registry of 1,000 datasets and 20,000 releases; writes docs/scale.md.

The registry is synthetic: git, tags, contracts, locks and profiles are what dreg makes of them, and there are
no data, since none of the commands measured here reads any. Each is held against the same
command in a registry of ten datasets: what concerns one dataset must not cost more among many.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from semver import Version

from dreg.core.manifest import Manifest, manifest_key
from dreg.core.snapshot import File, Snapshot

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "scale.md"
START, END = "<!-- scale -->\n", "<!-- /scale -->"
DREG = str(Path(sys.executable).parent / "dreg")
FEW, MANY, RELEASES = 10, 1000, 20
RUNS = 5
BUSY = 0.5  # processes that want to run beside this

CONFIG = """\
[core]
    analytics = false
    remote = disk
['remote "disk"']
    url = ../../store
"""
CONTRACT = """\
title: Dataset {name}
description: a few numbers
licence: CC0-1.0
splits:
  train: {{ files: [processed/train.csv] }}
columns:
  x: int64
"""
DVC_YAML = """\
stages:
  analyze:
    cmd: python scripts/analyze.py
    deps:
      - dataset.yaml
    outs:
      - ../../data/{name}/metadata.json:
          cache: false
"""
DVC_LOCK = """\
schema: '2.0'
stages:
  analyze:
    cmd: python scripts/analyze.py
    deps:
    - path: dataset.yaml
      hash: md5
      md5: {contract}
      size: {contract_size}
    outs:
    - path: ../../data/{name}/metadata.json
      hash: md5
      md5: {profile}
      size: {profile_size}
"""


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def profile(name: str, number: int) -> bytes:
    """The profile of a dataset's release: some rows more each time."""
    data = {
        "format": 1,
        "dataset": {"name": name},
        "schema": {"features": {"x": {"type": "int64", "nullable": False}}},
        "splits": {"train": {"num_samples": 1000 + number}},
        "metrics": {},
        "snapshot": {"files": 1, "size": 8000, "digest": f"{number:064x}"},
    }
    return json.dumps(data, indent=2).encode()


def manifest(name: str, number: int) -> Manifest:
    """What the release consists of: its profile, which git has."""
    data = profile(name, number)
    only = File("metadata.json", len(data), md5(data), hashlib.sha256(data).hexdigest(), True)
    return Manifest(name, Version(1, number, 0), Snapshot((only,)))


@dataclass(frozen=True)
class Synthetic:
    """`home` has registry/ (a clone with all tags), registry.git, store/ and train/, where nothing is."""

    home: Path
    datasets: int

    @property
    def names(self) -> list[str]:
        return [f"d{number:04d}" for number in range(self.datasets)]

    def make(self) -> None:
        """Commit n has the n-th release of every dataset; its tags point there."""
        bare = self.home / "registry.git"
        git("init", "-q", "--bare", "-b", "main", str(bare), cwd=self.home)
        stream = b"".join(self._history())
        subprocess.run(["git", "fast-import", "--quiet"], cwd=bare, input=stream, check=True)
        git("pack-refs", "--all", cwd=bare)
        git("clone", "-q", str(bare), "registry", cwd=self.home)
        (self.home / "train").mkdir()
        for name in (self.names[0], self.names[-1]):  # those that are fetched
            last = manifest(name, RELEASES - 1)
            place = self.home / "store" / manifest_key(last.digest)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(last.to_text())

    def _history(self) -> Iterator[bytes]:
        who = b"committer A <a@example.com> 1700000000 +0000\n"
        for number in range(RELEASES):
            yield b"commit refs/heads/main\nmark :%d\n" % (number + 1) + who + text(b"releases")
            if number == 0:
                yield file(".dvc/config", CONFIG.encode())
                yield file(".gitignore", b"/.dvc/tmp\n/.dvc/cache\n")
            for name in self.names:
                contract = CONTRACT.format(name=name).encode()
                now = profile(name, number)
                if number == 0:
                    yield file(f"pipelines/{name}/dataset.yaml", contract)
                    yield file(f"pipelines/{name}/dvc.yaml", DVC_YAML.format(name=name).encode())
                lock = DVC_LOCK.format(
                    name=name, contract=md5(contract), contract_size=len(contract), profile=md5(now),
                    profile_size=len(now),
                )  # fmt: skip
                yield file(f"pipelines/{name}/dvc.lock", lock.encode())
                yield file(f"data/{name}/metadata.json", now)
        for number in range(RELEASES):
            for name in self.names:
                made = manifest(name, number)
                said = (
                    f"{name} {made.version}\n\nA minor release.\n\nDreg-Dataset: {name}\nDreg-Version: {made.version}\n"
                    f"Dreg-Bump: minor\nDreg-Samples: {1000 + number}\nDreg-Size: 8000\n"
                    f"Dreg-Manifest: sha256:{made.digest}\n"
                )
                yield f"tag {name}-v{made.version}\nfrom :{number + 1}\n".encode()
                yield b"tagger A <a@example.com> 1700000000 +0000\n" + text(said.encode())


def text(data: bytes) -> bytes:
    return b"data %d\n" % len(data) + data + b"\n"


def file(path: str, data: bytes) -> bytes:
    return f"M 100644 inline {path}\n".encode() + text(data)


def git(*arguments: str, cwd: Path) -> None:
    subprocess.run(["git", *arguments], cwd=cwd, check=True)


@dataclass(frozen=True)
class Cost:
    """Medians of a command's runs: seconds that passed, and processor seconds with those of all that it started."""

    passed: float
    processor: float


@dataclass(frozen=True)
class Measured:
    """A command among few and among many datasets. `bar` is what the time that passed must keep, in words."""

    command: str
    few: Cost
    many: Cost
    bar: str
    kept: bool


def commands(made: Synthetic) -> dict[str, tuple[list[str], Path]]:
    """What is measured: its words, and where it is run."""
    one, bare = made.names[-1], str(made.home / "registry.git")
    registry, train = made.home / "registry", made.home / "train"
    return {
        "list": (["list"], registry),
        "list --repo URL": (["list", "--repo", bare], train),
        "status": (["status"], registry),
        "status NAME": (["status", one], registry),
        "show NAME": (["show", one], registry),
        "diff NAME": (["diff", one], registry),
        "release NAME --dry-run": (["release", one, "--dry-run"], registry),
        "release --dry-run": (["release", "--dry-run"], registry),
        "ci plan --changed-since HEAD~1": (["ci", "plan", "--changed-since", "HEAD~1"], registry),
        "show NAME@^1 --repo URL": (["show", f"{one}@^1", "--repo", bare], train),
        "fetch NAME@^1, cold": (["fetch", f"{one}@^1", "--repo", bare, "-o", "data"], train),
    }


BARS = {"list": 1.0}  # seconds, among many
ALONE = ("status NAME", "release NAME --dry-run", "show NAME@^1 --repo URL", "fetch NAME@^1, cold")
INDEPENDENT = 0.25  # seconds more among many


def cost(made: Synthetic, name: str, words: list[str], folder: Path, runs: int) -> Cost:
    """What so many runs cost; a cold one has neither cache nor lock nor files."""
    times, spent = [], []
    for _ in range(runs):
        cache = tempfile.mkdtemp(dir=made.home)
        kept = str(made.home / "cache") if not name.endswith("cold") else cache
        for left in ("dreg.lock", "dreg.toml"):
            (made.home / "train" / left).unlink(missing_ok=True)
        if (place := made.home / "train" / "data").exists():
            subprocess.run(["rm", "-r", str(place)], check=True)
        began, before = time.perf_counter(), processor()
        done = subprocess.run(
            [DREG, *words], cwd=folder, env={**os.environ, "DREG_CACHE": kept, "NO_COLOR": "1"},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        times.append(time.perf_counter() - began)
        spent.append(processor() - before)
        assert done.returncode == 0, f"dreg {' '.join(words)}: {done.stderr}"
    return Cost(statistics.median(times), statistics.median(spent))


def processor() -> float:
    """Processor seconds of all processes that were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(few: Synthetic, many: Synthetic, runs: int) -> Iterator[Measured]:
    for (name, small), (_, large) in zip(
        commands(few).items(), commands(many).items(), strict=True
    ):
        few_, many_ = cost(few, name, *small, runs), cost(many, name, *large, runs)
        bar, kept = "", True
        if name in BARS:
            bar, kept = f"<= {BARS[name]:g} s", many_.passed <= BARS[name]
        elif name in ALONE:
            bar = f"<= {INDEPENDENT:g} s more"
            kept = many_.passed <= few_.passed + INDEPENDENT
        yield Measured(f"dreg {name}", few_, many_, bar, kept)


def markdown(found: list[Measured], datasets: int, runs: int, load: float) -> str:
    """The page's table, and by what it was measured: among other work, times would say little."""
    few, many = f"{FEW} datasets", f"{datasets:,} datasets"
    lines = [
        f"Medians of {runs} runs on {os.cpu_count()} processors, on which {load:.1f} processes wanted to run before.",
        "",
        f"| command | {few} | {many} | bar | processor, {few} | processor, {many} |",
        "|---|---:|---:|---|---:|---:|",
    ]
    for one in found:
        missed = "" if one.kept else ", **missed**"
        lines.append(
            f"| `{one.command}` | {one.few.passed:.2f} s | **{one.many.passed:.2f} s** | {one.bar}{missed} "
            f"| {one.few.processor:.2f} s | {one.many.processor:.2f} s |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--datasets", type=int, default=MANY)
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--no-write", action="store_true", help="leave docs/scale.md alone")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    if load > BUSY:
        print(f"warning: {load:.1f} processes want to run here beside this: times will be too long")
    with tempfile.TemporaryDirectory() as scratch:
        both = []
        for name, number in (("few", FEW), ("many", given.datasets)):
            (Path(scratch) / name).mkdir()
            both.append(Synthetic(Path(scratch) / name, number))
            both[-1].make()
        found = []
        print(f"{'':40} {'few':>7} {'many':>7}  {'bar':<15} processor seconds", flush=True)
        for one in measure(*both, given.runs):
            print(
                f"{one.command:40} {one.few.passed:7.2f} {one.many.passed:7.2f}  {one.bar:<15} "
                f"{one.few.processor:.2f} {one.many.processor:.2f}{'' if one.kept else '  MISSED'}",
                flush=True,
            )
            found.append(one)
    if not given.no_write:
        page = PAGE.read_text()
        before, after = page[: page.index(START) + len(START)], page[page.index(END) :]
        PAGE.write_text(before + markdown(found, given.datasets, given.runs, load) + after)
    sys.exit(0 if all(one.kept for one in found) else 1)


if __name__ == "__main__":
    main()
