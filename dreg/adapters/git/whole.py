"""A tag with all of its history: taken from a repository, and brought into another one.

In a scratch repository of its own, which nothing in the user's refers to. What is brought in is
checked by git as strictly as git can (`--strict`), and by what the pack says before that.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.git.objects import read
from dreg.adapters.git.process import git, start
from dreg.adapters.git.repository import Repository
from dreg.adapters.scratch import scratch_folder
from dreg.core.git_packs import bundle_header, check_pack, parse_bundle_header
from dreg.core.tar import untrusted
from dreg.errors import Outside

CHUNK = 1024 * 1024
TAG_LIMIT = 1024 * 1024  # bytes of a tag object
HEADER = 4096
# All that decides which bytes a pack has, besides the versions of git and zlib.
PACK = (
    "-c", "core.bigFileThreshold=512m", "-c", "pack.windowMemory=0",
    "pack-objects", "--quiet", "--stdout", "--threads=1", "--window=10", "--depth=50",
    "--compression=9", "--delta-base-offset", "--no-reuse-delta", "--no-reuse-object",
)  # fmt: skip


@dataclass(frozen=True)
class Scratch:
    """A bare repository in a temporary folder."""

    store: Path

    @classmethod
    @contextlib.contextmanager
    def made(cls, form: str = "sha1") -> Iterator[Scratch]:
        """One with the object format `sha1` or `sha256`; gone when the block ends."""
        with scratch_folder() as folder:
            store = folder / "git"
            git("init", "--quiet", "--bare", "--template=", f"--object-format={form}", str(store))
            yield cls(store)

    def fetch(self, repo: str, references: Iterable[str], root: Path | None) -> None:
        """Bring references and their whole history from `repo`, a URL or path.

        In a clone at `root`, with what it is configured to use there. Raises Outside.
        """
        arguments = ["fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--", repo]
        wanted = [f"{reference}:{reference}" for reference in references]
        options = ["-c", "fetch.fsckObjects=true"]
        if root is not None:
            config = root / Repository(root).ask("rev-parse", "--git-path", "config")
            options += ["-c", f"include.path={config.resolve()}"]
        git(*options, *arguments, *wanted, cwd=root or self.store, environment=self.environment)

    @property
    def environment(self) -> Mapping[str, str]:
        return {"GIT_DIR": str(self.store), "GIT_NO_REPLACE_OBJECTS": "1"}

    def bundle(self, references: Mapping[str, str], into: Path) -> None:
        """Write a git bundle of the references (object by name). The same history, the same bytes."""
        listed = git("rev-list", "--objects", *references.values(), "--", cwd=self.store)
        wanted = b"".join(sorted(line + b"\n" for line in listed.split(b"\n") if line))
        with into.open("wb") as file:
            file.write(bundle_header(references))
            file.flush()
            done = start(PACK, self.store, wanted, {"GIT_NO_REPLACE_OBJECTS": "1"}, into=file)
        if done.returncode != 0:
            raise Outside(
                "git could not pack the release's history",
                hint="see what is wrong with it: git fsck",
                details=done.stderr.decode(errors="replace").splitlines()[-3:],
            )

    def take(self, chunks: Iterator[bytes], references: Mapping[str, str]) -> None:
        """Bring in a git bundle, which must have just these references and nothing beside them.

        Raises Refused; what came is in this scratch repository only.
        """
        where = self.store / "objects" / "pack" / "pack-in.pack"
        where.parent.mkdir(exist_ok=True)
        first = next(chunks, b"")
        while len(first) < HEADER and (more := next(chunks, b"")):
            first += more
        found, begin = parse_bundle_header(first)
        if found != references:
            raise untrusted("its git part has other references than the release's tag")
        with where.open("wb") as file:
            file.write(first[begin:])
            for chunk in chunks:
                file.write(chunk)
        count = check_pack(_chunks(where), len(next(iter(references.values()))))
        done = start(["index-pack", "--strict", "--threads=1", str(where)], self.store)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines()
            raise untrusted(f"git refuses its git part ({said[0] if said else 'without a word'})")
        for name, oid in references.items():
            if start(["update-ref", name, oid], self.store).returncode != 0:
                raise untrusted(f"its git part lacks the object of {name}")
        listed = start(["rev-list", "--objects", *references.values(), "--"], self.store)
        if listed.returncode != 0:
            raise untrusted("the history in its git part is not complete")
        if len(set(filter(None, listed.stdout.split(b"\n")))) != count:
            raise untrusted("its git part holds more than the history of the release's tag")

    def tag_text(self, oid: str) -> str:
        """The tag object as text. Raises Refused for an object of another kind."""
        size = start(["cat-file", "-s", oid], self.store).stdout
        kind = start(["cat-file", "-t", oid], self.store).stdout
        if kind.strip() != b"tag" or int(size) > TAG_LIMIT:
            raise untrusted("its tag is not an annotated one")
        return git("cat-file", "tag", oid, cwd=self.store).decode(errors="replace")

    def read(self, commit: str, path: str) -> bytes | None:
        """The file's bytes at `commit`, or None if it has no such file."""
        return read(self.store, commit, path)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
