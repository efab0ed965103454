"""Pushing, releasing and checking 10,000 files of 2 KB on a real S3 server, beside dvc and s5cmd."""

from __future__ import annotations

import itertools
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.many_files import NAME, make
from bench.measure import Job

FILES = 10_000
BUCKET = "bench"
SMALL = "small"
KEYS = {
    "AWS_ACCESS_KEY_ID": "test-key",
    "AWS_SECRET_ACCESS_KEY": "test-secret-never-shown",
    "AWS_DEFAULT_REGION": "us-east-1",
}


@dataclass
class Pushes:
    """A registry of many files whose remote is a folder of the bucket, another one whenever asked."""

    registry: Path
    endpoint: str
    environment: dict[str, str]
    folders: Iterator[int]

    def elsewhere(self) -> None:
        """From now on the remote is a folder that has nothing yet, and nothing was released."""
        config = self.registry / ".dvc" / "config"
        url = f"url = s3://{BUCKET}/{next(self.folders)}"
        config.write_text(re.sub(rf"url = s3://{BUCKET}/.*", url, config.read_text()))
        shutil.rmtree(self.registry / ".dvc" / "tmp" / "dreg" / "pushed", ignore_errors=True)
        tags = self.call("git", "tag", "--list").split()
        if tags:
            self.call("git", "tag", "--delete", *tags)
            self.call("git", "push", "--quiet", "--delete", "origin", *tags)
        self.call("git", "reset", "--quiet", "--hard", "start")
        self.call("git", "push", "--quiet", "--force", "origin", "main")

    def released(self) -> None:
        """There is a release of the many files."""
        if not self.call("git", "tag", "--list", f"{NAME}-v*"):
            self.call(sys.executable, "-m", "dreg", "release", NAME)

    def released_small(self) -> None:
        """There is a release of the small dataset."""
        if not self.call("git", "tag", "--list", f"{SMALL}-v*"):
            self.call(sys.executable, "-m", "dreg", "release", SMALL)

    def call(self, *command: str) -> str:
        """Stdout of a command in the registry, which must succeed."""
        return subprocess.run(
            command,
            cwd=self.registry,
            env=self.environment,
            check=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ).stdout


@contextmanager
def s3_server(folder: Path) -> Iterator[str]:
    """SeaweedFS on loopback, as in the tests; gives its endpoint."""
    from tests.s3_server import make_bucket, start

    folder.mkdir()
    process, server = start(folder)
    try:
        make_bucket(server, BUCKET)
        yield server.endpoint
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def set_up(scratch: Path, environment: dict[str, str], files: int = FILES) -> Iterator[Pushes]:
    """The registry, run, with a bucket on a server of its own as its remote."""
    with s3_server(scratch / "s3") as endpoint:
        yield prepare(scratch, environment, endpoint, files)


def prepare(scratch: Path, environment: dict[str, str], endpoint: str, files: int) -> Pushes:
    """The registry, run, with a bucket as its remote, and a small dataset beside the large one."""
    home = scratch / f"files-{files}"
    make(home, files)
    registry = home / "registry"
    made = Pushes(registry, endpoint, {**environment, **KEYS}, itertools.count(1))
    config = registry / ".dvc" / "config"
    text = config.read_text().replace("url = s3://dvcstore", f"url = s3://{BUCKET}/0", 1)
    text = text.replace("endpointurl = http://localhost:9000", f"endpointurl = {endpoint}")
    config.write_text(text.replace("remote = disk", "remote = local"))
    with (registry / ".git" / "info" / "exclude").open("a") as exclude:
        exclude.write(".bench*\n")
    made.call(sys.executable, "-m", "dreg", "new", SMALL, "--kind", "tabular")
    made.call(sys.executable, "-m", "dreg", "run", SMALL)
    made.call("git", "add", "--all")
    made.call("git", "commit", "--quiet", "--message", "a small one, and a bucket")
    made.call("git", "push", "--quiet")
    made.call("git", "branch", "start")
    made.call("git", "update-index", "--skip-worktree", ".dvc/config")
    return made


def jobs(many: Pushes, bin_folder: Path) -> list[Job]:
    """The bars for pushing, releasing and checking."""
    dreg, dvc = str(bin_folder / "dreg"), str(bin_folder / "dvc")
    cache = many.registry / ".dvc" / "cache" / "files" / "md5"
    program = f"{bin_folder}/s5cmd --endpoint-url {many.endpoint}"
    # A folder of its own each time, as ours has.
    s5cmd = ["sh", "-c", f"exec {program} cp '{cache}/' s3://{BUCKET}/s5cmd-$$/"]
    push, dvc_push = [dreg, "run", NAME, "--push", "--quiet"], [dvc, "push", "--quiet"]
    release = [dreg, "release", NAME, "--quiet"]
    check = [dreg, "fsck", "--remote", "--quiet"]
    status = [dvc, "status", "--cloud"]
    small = [dreg, "release", SMALL, "--quiet"]
    git_push = ["git", "push", "--quiet", "--atomic", "origin", "HEAD", "--tags"]
    what = f"{FILES:,} x 2 KB"
    folder, anew = many.registry, many.elsewhere
    return [
        Job(f"push {what}", "dvc push", push, dvc_push, folder, 1 / 3, runs=3, before=anew),
        Job(f"push {what}", "s5cmd cp", push, s5cmd, folder, 1.3, runs=3, before=anew),
        Job(f"push {what} again", "dvc push", push, dvc_push, folder, 1 / 5, runs=9),
        Job(f"release {what}", "dvc push", release, dvc_push, folder, 1 / 3, runs=3, before=anew),
        Job(f"release {what}", "s5cmd cp", release, s5cmd, folder, 1.3, runs=3, before=anew),
        Job(f"fsck --remote {what}", "dvc status --cloud", check, status, folder, runs=3, most=10,
            before=many.released),
        Job("release a small one, unchanged", "git push", small, git_push, folder, runs=7, more=1,
            before=many.released_small),
    ]  # fmt: skip


def part(scratch: Path, environment: dict[str, str]) -> Iterator[tuple[list[Job], dict[str, str]]]:
    """The jobs, while the server runs."""
    with set_up(scratch, environment) as many:
        yield jobs(many, Path(sys.executable).parent), many.environment
