"""Fetching beside `dvc get` and `s5cmd`, from an S3 server on this machine: `python -m bench fetch`.

One run makes the server and a registry with three datasets: two tables, many small files, one large
file. Every command is a whole process that starts with nothing: no target, no cache of its own.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

from semver import Version

from bench.measure import Job
from dreg.adapters.objects import many, open_store
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.remotes import Remote, object_key
from dreg.core.snapshot import File, Snapshot
from dreg.packs.writing import pack_release
from tests import s3_server

BIN = Path(sys.executable).parent
DREG, DVC, S5CMD = (str(BIN / name) for name in ("dreg", "dvc", "s5cmd"))
BUCKET = "bench"
FILES, MEGABYTES = 10_000, 512
CONFIG = """[core]
    analytics = false
    remote = store
['remote "store"']
    url = s3://{bucket}
    endpointurl = {endpoint}
"""
Content = dict[str, bytes]


def release(home: Path, remote: Remote, name: str, files: Content, *, packed: bool = True) -> None:
    """A release of `name` as dreg and DVC have it: objects, `.dir`, packs, manifest, `.dvc`, tag."""
    store = open_store(remote)
    entries, jobs, listed = [], [], []
    for path, data in files.items():
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        entries.append(File(f"processed/{path}", len(data), md5, hashlib.sha256(data).hexdigest()))
        listed.append({"md5": md5, "relpath": path})
        jobs.append(functools.partial(store.put_bytes, object_key(md5), data))
        jobs.append(functools.partial(store.put_bytes, f"plain/{name}/{path}", data))
    many(jobs, 32 if len(jobs) > 4 else 1)  # large ones one by one
    text = json.dumps(sorted(listed, key=lambda item: item["relpath"])).encode()
    folder = f"{hashlib.md5(text, usedforsecurity=False).hexdigest()}.dir"
    store.put_bytes(object_key(folder), text)
    manifest = Manifest(name, Version(1, 0, 0), Snapshot.of(entries))
    if packed:
        read = {hashlib.md5(f, usedforsecurity=False).hexdigest(): f for f in files.values()}
        pack_release(store, manifest, read.get)
    store.put_bytes(manifest_key(manifest.digest), manifest.to_text().encode())
    data_folder = home / "registry" / "data" / name
    data_folder.mkdir(parents=True)
    (data_folder / "processed.dvc").write_text(
        f"outs:\n- md5: {folder}\n  hash: md5\n  path: processed\n"
    )
    (data_folder / ".gitignore").write_text("/processed\n")
    git(home, "add", "--all")
    git(home, "commit", "-q", "-m", name)
    message = f"{name}\n\nDreg-Manifest: sha256:{manifest.digest}\n"
    git(home, "tag", "-a", "-m", message, f"{name}-v1.0.0")


def git(home: Path, *arguments: str) -> None:
    who = ["-c", "user.name=Bench", "-c", "user.email=bench@example.com"]
    subprocess.run(["git", *who, *arguments], cwd=home / "registry", check=True)


def registry(home: Path, server: s3_server.S3, files: int, megabytes: int) -> None:
    """The registry at `home`/registry, its bytes in the bucket."""
    (home / "registry" / ".dvc").mkdir(parents=True)
    config = CONFIG.format(bucket=BUCKET, endpoint=server.endpoint)
    (home / "registry" / ".dvc" / "config").write_text(config)
    git(home, "init", "-q", "-b", "main")
    remote = Remote("store", f"s3://{BUCKET}", endpoint=server.endpoint)
    release(home, remote, "tables", {"train.csv": b"1,2\n" * 70_000, "val.csv": b"3,4\n" * 9000})
    small = {f"{i % 100:02}/{i}.bin": hashlib.sha256(b"%d" % i).digest() * 64 for i in range(files)}
    release(home, remote, "small", small)
    if megabytes:  # not where only the number of files counts
        release(home, remote, "single", small, packed=False)
        release(home, remote, "large", {"all.bin": os.urandom(megabytes << 20)})


def jobs(home: Path, endpoint: str, files: int, megabytes: int) -> list[Job]:
    """The commands side by side; each begins with an empty folder and an empty cache."""
    train, repo = home / "train", str(home / "registry")
    train.mkdir()

    trash = home / "trash"
    numbers = itertools.count()

    def clean() -> None:
        # Moved, not deleted: for five seconds ext4 looks at each inode that was just freed before it
        # makes a new one, and files would be made several times as slowly as anybody makes them.
        away = trash / str(next(numbers))
        away.mkdir(parents=True)
        for path in (*train.iterdir(), home / "cache", home / "site"):
            if path.exists():
                path.rename(away / path.name)
        (train / ".bench.log").touch()

    def swept() -> None:
        clean()
        shutil.rmtree(trash)

    def fetch(name: str) -> list[str]:
        return [DREG, "fetch", f"{name}@1.0.0", "--repo", repo, "-o", "out"]

    def dvc_get(name: str) -> list[str]:
        return [
            DVC,
            "get",
            "-q",
            repo,
            f"data/{name}/processed",
            "--rev",
            f"{name}-v1.0.0",
            "-o",
            "out",
        ]

    def s5cmd(name: str) -> list[str]:
        return [S5CMD, "--log", "error", "--endpoint-url", endpoint, "cp",
                f"s3://{BUCKET}/plain/{name}/*", "out/"]  # fmt: skip

    def in_place() -> None:
        if not (train / "dreg.lock").exists():
            clean()
            subprocess.run(fetch("small"), cwd=train, check=True, stdout=subprocess.DEVNULL)

    many_files, large = f"fetch {files:,} x 2 KB", f"fetch one {megabytes} MB file"
    found = [
        Job(
            "fetch two tables",
            "dvc get",
            fetch("tables"),
            dvc_get("tables"),
            train,
            0.5,
            before=clean,
            runs=3,
        ),
        Job(
            many_files,
            "s5cmd cp",
            fetch("small"),
            s5cmd("small"),
            train,
            1.2,
            memory=500,
            before=clean,
            runs=3,
        ),
        Job(
            f"{many_files}, not packed",
            "s5cmd cp",
            fetch("single"),
            s5cmd("small"),
            train,
            1.2,
            memory=500,
            before=clean,
            runs=3,
        ),
        Job(
            many_files,
            "dvc get",
            fetch("small"),
            dvc_get("small"),
            train,
            1 / 6,
            memory=500,
            before=clean,
            runs=1,
        ),
    ]
    if megabytes:
        found += [
            Job(large, "dvc get", fetch("large"), dvc_get("large"), train, 1 / 2.5, memory=300, before=swept, runs=5),
            Job(large, "s5cmd cp", fetch("large"), s5cmd("large"), train, 3.0, memory=300, before=swept, runs=5),
        ]  # fmt: skip
    again = [DREG, "fetch"]
    nothing = [sys.executable, "-c", "pass"]
    found += [
        Job(f"fetch again, {files:,} files in place", "python -c pass", again, nothing, train, most=0.5, before=in_place),
        Job("import dreg", "python -c pass", [sys.executable, "-c", "import dreg"], nothing, train, more=0.05, runs=15),
    ]  # fmt: skip
    return found


@contextmanager
def set_up(
    home: Path, environment: dict[str, str], files: int, megabytes: int
) -> Iterator[tuple[str, dict[str, str]]]:
    """A server with the registry's bytes: its endpoint, and the environment that reaches it."""
    (home / "s3").mkdir(parents=True)
    process, server = s3_server.start(home / "s3")
    try:
        os.environ.update(server.environment, AWS_REGION="us-east-1")
        open_store(Remote("b", f"s3://{BUCKET}", endpoint=server.endpoint)).put_bytes("x", b"")
        # By a process of its own: a child's peak memory is at least its parent's.
        maker = get_context("spawn").Process(target=registry, args=(home, server, files, megabytes))
        maker.start()
        maker.join()
        assert maker.exitcode == 0, "the registry could not be made"
        more = {"DREG_CACHE": str(home / "cache"), "DVC_SITE_CACHE_DIR": str(home / "site")}
        yield (
            server.endpoint,
            {**environment, **server.environment, "AWS_REGION": "us-east-1", **more},
        )
    finally:
        process.terminate()
        process.wait()


def part(scratch: Path, environment: dict[str, str]) -> Iterator[tuple[list[Job], dict[str, str]]]:
    """The jobs, while the server runs."""
    with set_up(scratch, environment, FILES, MEGABYTES) as (endpoint, surroundings):
        yield jobs(scratch, endpoint, FILES, MEGABYTES), surroundings
