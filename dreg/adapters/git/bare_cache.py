"""A bare repository in the user's cache that holds what was read of a repository elsewhere.

Processes share it. The URL, in which there may be a token, is never written to it: git gets it
through its environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dreg.adapters.cache import cache_folder
from dreg.adapters.cache_entries import used
from dreg.adapters.git.process import check_url, configured, failure, git, public_url, start
from dreg.adapters.scratch import scratch_folder, tidy
from dreg.adapters.written import written
from dreg.errors import DregError, Outside

CONFIG = "[gc]\n\tauto = 0\n"
# Not in the file: who reads what is here and asks nobody must not have git fetch what it cannot read, since
# that fetch would read the same, and start another one, without end.
PROMISED = {"remote.origin.promisor": "true", "remote.origin.partialclonefilter": "blob:none"}
WRITTEN = re.compile(r"\s(promisor|partialclonefilter) = ")
SHORTEST_PACK = 32  # bytes: header and checksum
CHECKSUM = 20  # bytes of a pack's, at its end and, before its own, at that of its index
ALONE = {"GIT_NO_LAZY_FETCH": "1"}  # git asks nobody for what is not here


@dataclass(frozen=True)
class BareCache:
    """The bare repository at `store`, whose `origin` is `url`."""

    store: Path
    url: str = field(repr=False)

    @classmethod
    def of(cls, repo: str) -> BareCache:
        """The cache for a repository at a URL or path, made on first use."""
        path = Path(repo).expanduser()
        url = str(path.resolve()) if "://" not in repo and path.exists() else check_url(repo)
        caches = cache_folder("git")
        tidy(caches)
        store = caches / hashlib.sha256(url.encode()).hexdigest()[:24]
        if not _is_whole(store):
            with _locked(caches), scratch_folder(caches) as scratch:
                if not _is_whole(store):  # no other process was first
                    with contextlib.suppress(OSError):  # what a full disk or a power cut left of it
                        store.rename(scratch / "damaged")
                    _made(scratch, store.name).rename(store)
        _forget_promises(store / "config")
        used(store)
        return cls(store, url)

    def is_sound(self) -> bool:
        """Whether git can read all of it. What was never fetched of a commit is no damage."""
        if not self.has_whole_packs():
            return False
        environment = {**ALONE, **configured(PROMISED)}
        told = start(
            ["fsck", "--no-dangling", "--no-progress"], self.store, environment=environment
        )
        return told.returncode == 0

    def has_whole_packs(self) -> bool:
        """Whether each pack ends as its index says: no power cut or full disk left the beginning alone."""
        return all(map(_is_whole_pack, (self.store / "objects" / "pack").glob("*.pack")))

    def has(self, commit: str) -> bool:
        """Whether the commit is here."""
        found = start(["cat-file", "-t", commit], self.store, environment=ALONE)
        return found.stdout.strip() == b"commit"  # no tag object, which leads to another id

    def damage(self) -> DregError:
        """The error that says that it is not sound."""
        return Outside(
            f"what dreg's cache has of `{public_url(self.url)}` is damaged",
            hint="it is made anew as soon as the registry can be reached; run the command again then",
        )

    def renew(self) -> Path:
        """Move what is damaged away, beside its place, and begin anew; where it is then. Raises OSError."""
        away = self.store.with_name(f"{self.store.name}.damaged")
        caches = self.store.parent
        with _locked(caches), self._held(), scratch_folder(caches) as scratch:
            if self.is_sound():  # another process was first
                return away
            shutil.rmtree(away, ignore_errors=True)
            fresh = _made(scratch, self.store.name)
            self.store.rename(away)
            fresh.rename(self.store)
        return away

    @property
    def environment(self) -> dict[str, str]:
        """What a git process needs to know `origin`; objects may be fetched when they are read."""
        return configured({"remote.origin.url": self.url, **PROMISED})

    def fetch(
        self, *arguments: str, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """`git fetch` from origin without history, one process at a time."""
        command = ["fetch", "--quiet", "--depth=1", "--no-tags", "--force", *arguments]
        with self._held() as handle:
            return start(command, self.store, stdin, self.environment, (handle,))

    def failure(self, done: subprocess.CompletedProcess[bytes]) -> DregError:
        """The error for a `fetch` that ended badly."""
        return failure(["fetch"], done.stderr.decode(errors="replace"), self.url, self.store)

    def bring(self, oids: Sequence[str]) -> None:
        """Fetch the blobs that are not here by one request, where git alone would make one each."""
        check = "".join(f"{oid}\n" for oid in oids).encode()
        command = ["cat-file", "--batch-check=%(objectname) %(objecttype)"]
        known = start(command, self.store, check, ALONE)
        lines = known.stdout.decode(errors="replace").splitlines()
        absent = [line.split(" ")[0] for line in lines if line.endswith(" missing")]
        if len(absent) > 1:
            wanted = "".join(f"{oid}\n" for oid in absent).encode()
            with self._held() as handle:  # what this does not bring is fetched when it is read
                command = ["-c", "fetch.negotiationAlgorithm=noop", "fetch", "--quiet", "--no-tags"]
                command += ["--no-write-fetch-head", "--filter=blob:none", "--stdin", "origin"]
                start(command, self.store, wanted, self.environment, (handle,))

    @contextlib.contextmanager
    def _held(self) -> Iterator[int]:
        """git inherits the handle: if we are killed, it is held until git has ended too."""
        with _locked(self.store) as handle:
            for left in (*self.store.glob("*.lock"), *self.store.glob("refs/**/*.lock")):
                left.unlink(missing_ok=True)  # by a git that was killed
            yield handle


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield handle
    finally:
        os.close(handle)


def _made(folder: Path, name: str) -> Path:
    fresh = folder / name
    git("init", "--quiet", "--bare", "--template=", str(fresh))
    with (fresh / "config").open("a", encoding="utf-8") as config:
        config.write(CONFIG)
    return fresh


def _forget_promises(config: Path) -> None:
    """Take out of the file what an older dreg wrote to it."""
    with contextlib.suppress(OSError):
        text = config.read_text(encoding="utf-8", errors="replace")
        lines = [line for line in text.splitlines(keepends=True) if not WRITTEN.match(line)]
        if len(lines) != text.count("\n"):
            with written(config) as file:
                file.write("".join(lines).encode())


def _is_whole_pack(pack: Path) -> bool:
    ends = []
    with contextlib.suppress(OSError):
        for path, behind in ((pack, CHECKSUM), (pack.with_suffix(".idx"), 2 * CHECKSUM)):
            with path.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - behind))
                ends.append(file.read(CHECKSUM) if size >= SHORTEST_PACK else b"")
    return len(ends) == 2 and len(ends[0]) == CHECKSUM and ends[0] == ends[1]


def _is_whole(store: Path) -> bool:
    """Whether git takes the folder for a repository."""
    with contextlib.suppress(OSError):
        head = (store / "HEAD").read_text(encoding="utf-8", errors="replace")
        return head.startswith("ref: refs/") and (store / "objects").is_dir()
    return False
