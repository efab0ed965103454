"""Releases made by hand, as `dreg release` makes them: objects, manifest, commit, annotated tag.

For tests of fetching that need a release of exactly some bytes, or a damaged or hostile one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from semver import Version

from dreg.adapters.objects import open_store
from dreg.core.about import About, Provenance, Upstream
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.remotes import Remote, object_key
from dreg.core.snapshot import File, Snapshot
from tests import forked
from tests.done import Done

CONFIG = """[core]
    analytics = false
    remote = disk
['remote "disk"']
    url = ../../store
"""
S3_REMOTE = """['remote "local"']
    url = {url}
    endpointurl = {endpoint}
"""
METADATA = json.dumps({"dataset": {"name": "wine"}, "metrics": {"train": {"mean": 0.5}}}).encode()
WINE = {"processed/train.csv": b"a,b\n1,2\n" * 400, "processed/val.csv": b"a,b\n3,4\n" * 100}


def file_of(path: str, data: bytes, *, in_git: bool = False) -> File:
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    return File(path, len(data), md5, hashlib.sha256(data).hexdigest(), in_git)


@dataclass
class HandMade:
    """A registry at `home`/registry with its bare git remote, and a consumer at `home`/train.

    It is made, unless it is there."""

    home: Path
    environment: dict[str, str]
    remote: Remote | None = None
    config: str = CONFIG
    made: dict[str, Manifest] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.remote = self.remote or Remote("disk", str(self.store))
        if self.path.exists():
            return
        for folder in (self.path / ".dvc", self.path / "pipelines", self.train):
            folder.mkdir(parents=True)
        (self.path / ".dvc" / "config").write_text(self.config)
        self.git("init", "-q", "-b", "main")
        self.git("add", "--all")
        self.git("commit", "-q", "-m", "a registry")
        self.git("init", "-q", "--bare", "-b", "main", str(self.bare), cwd=self.home)
        self.git("remote", "add", "origin", str(self.bare))

    def copy(self, home: Path) -> HandMade:
        """Another one just like it, at another place, of which nobody else knows."""
        shutil.copytree(self.home, home, symlinks=True, dirs_exist_ok=True)
        moved = {k: v.replace(str(self.home), str(home)) for k, v in self.environment.items()}
        made = HandMade(home, moved, config=self.config, made=dict(self.made))
        config = made.path / ".git" / "config"
        config.write_text(config.read_text().replace(str(self.bare), str(made.bare)))
        return made

    @property
    def path(self) -> Path:
        return self.home / "registry"

    @property
    def bare(self) -> Path:
        return self.home / "registry.git"

    @property
    def store(self) -> Path:
        return self.home / "store"

    @property
    def train(self) -> Path:
        return self.home / "train"

    def git(self, *arguments: str, cwd: Path | None = None) -> str:
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd or self.path,
            env={**os.environ, **self.environment},
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()

    def release(
        self,
        version: str = "1.0.0",
        files: Mapping[str, bytes] = WINE,
        *,
        name: str = "wine",
        listed: list[File] | None = None,
        metadata: bytes = METADATA,
        force: bool = False,
        upstream: tuple[Upstream, ...] = (),
    ) -> Manifest:
        """Put objects and manifest on the remote, tag and push. `listed` overrides what it says."""
        data = self.path / "data" / name
        data.mkdir(parents=True, exist_ok=True)
        (data / "metadata.json").write_bytes(metadata)
        store = open_store(self.remote)
        entries = [file_of("metadata.json", metadata, in_git=True)]
        for path, content in files.items():
            entries.append(file_of(path, content))
            store.put_bytes(object_key(entries[-1].md5), content)
        # Not Snapshot.of: it would refuse the unsafe paths that some tests need.
        snapshot = Snapshot(tuple(sorted(entries if listed is None else listed)))
        unknown = "0" * 64
        made = Provenance(dvc_lock=unknown, released_with="0.1.0")
        about = About("major", unknown, unknown, made, upstream=upstream) if upstream else None
        manifest = Manifest(name, Version.parse(version), snapshot, about=about)
        store.put_bytes(manifest_key(manifest.digest), manifest.to_text().encode())
        self.tag(f"{name}-v{version}", manifest.digest, force=force)
        self.made[f"{name}-v{version}"] = manifest
        return manifest

    def tag(self, tag: str, digest: str | None, *, force: bool = False) -> None:
        self.git("add", "--all")
        self.git("commit", "-q", "--allow-empty", "-m", tag)
        message = f"{tag}\n\n" + (f"Dreg-Manifest: sha256:{digest}\n" if digest else "by hand\n")
        self.git("tag", *(["-f"] if force else []), "-a", "-m", message, tag)
        self.git("push", "-q", *(["-f"] if force else []), "origin", "main", "--tags")

    def object_path(self, data: bytes) -> Path:
        return self.store / object_key(hashlib.md5(data, usedforsecurity=False).hexdigest())

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "dreg", *arguments]

    def dreg(self, *arguments: str, cwd: Path | None = None, **environment: str) -> Done:
        """Run `dreg arguments` in the training repository, as a process of its own."""
        environment = {**os.environ, **self.environment, **environment}
        return forked.dreg(arguments, cwd=cwd or self.train, env=environment)

    def fetch(self, *arguments: str, **environment: str) -> dict:
        """`dreg fetch arguments --json`, which must succeed; the one dataset's answer."""
        done = self.dreg("fetch", *arguments, "--json", **environment)
        assert done.code == 0, done.stderr
        (fetched,) = done.json["datasets"]
        return fetched


def tree(folder: Path) -> dict[str, bytes]:
    """Contents by path of all files below, without the receipt."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".dreg.json"
    }
