"""A bare repository in the user's cache that holds what was read of a repository elsewhere.

Processes share it. The URL, in which there may be a token, is never written to it: git gets it
through its environment.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dreg.adapters.cache import cache_folder
from dreg.adapters.cache_entries import used
from dreg.adapters.git.process import check_url, configured, git, start
from dreg.adapters.scratch import scratch_folder, tidy

CONFIG = """\
[remote "origin"]
\tpromisor = true
\tpartialclonefilter = blob:none
[gc]
\tauto = 0
"""


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
            with scratch_folder(caches) as scratch:
                with contextlib.suppress(OSError):  # what a full disk or a power cut left of it
                    store.rename(scratch / "damaged")
                fresh = scratch / store.name
                git("init", "--quiet", "--bare", "--template=", str(fresh))
                with (fresh / "config").open("a", encoding="utf-8") as config:
                    config.write(CONFIG)
                with contextlib.suppress(OSError):  # another process was first
                    fresh.rename(store)
        used(store)
        return cls(store, url)

    @property
    def environment(self) -> dict[str, str]:
        """What a git process needs to know `origin`; objects may be fetched when they are read."""
        return configured({"remote.origin.url": self.url})

    def fetch(
        self, *arguments: str, stdin: bytes | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """`git fetch` from origin without history, one process at a time."""
        command = ["fetch", "--quiet", "--depth=1", "--no-tags", "--force", *arguments]
        with self._held() as handle:
            return start(command, self.store, stdin, self.environment, (handle,))

    def bring(self, oids: Sequence[str]) -> None:
        """Fetch the blobs that are not here by one request, where git alone would make one each."""
        check = "".join(f"{oid}\n" for oid in oids).encode()
        command = ["cat-file", "--batch-check=%(objectname) %(objecttype)"]
        known = start(command, self.store, check, {"GIT_NO_LAZY_FETCH": "1"})
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
        handle = os.open(self.store, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for left in (*self.store.glob("*.lock"), *self.store.glob("refs/**/*.lock")):
                left.unlink(missing_ok=True)  # by a git that was killed
            yield handle
        finally:
            os.close(handle)


def _is_whole(store: Path) -> bool:
    """Whether git takes the folder for a repository."""
    with contextlib.suppress(OSError):
        head = (store / "HEAD").read_text(encoding="utf-8", errors="replace")
        return head.startswith("ref: refs/") and (store / "objects").is_dir()
    return False
