"""A repository at a URL or path, read without a clone."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.cache import cache_folder
from dreg.adapters.git.objects import Tag, files, read, tags_of
from dreg.adapters.git.process import check_url, failure, git, start
from dreg.errors import BadRequest

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
PEELED = "^{}"


def remote_tags(repo: str, pattern: str = "*", cwd: Path | None = None) -> dict[str, Tag]:
    """Tags of the repository at a URL or path whose names match `pattern`, by `ls-remote`.

    In a work tree (`cwd`) `repo` may also be the name of a git remote, asked with the
    credentials that the clone is configured with.
    """
    listed = git("ls-remote", "--tags", "--", check_url(repo), f"refs/tags/{pattern}", cwd=cwd)
    objects: dict[str, str] = {}
    commits: dict[str, str] = {}
    for line in listed.decode().splitlines():
        oid, _, reference = line.partition("\t")
        name = reference.removeprefix("refs/tags/")
        (commits if name.endswith(PEELED) else objects)[name.removesuffix(PEELED)] = oid
    return {name: Tag(name, oid, commits.get(name, oid)) for name, oid in sorted(objects.items())}


@dataclass(frozen=True)
class Revision:
    """One commit of some repository, readable without a clone."""

    store: Path
    commit: str
    message: str = ""

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None if the commit has no such file."""
        return read(self.store, self.commit, path)

    def files(self, path: str) -> list[str]:
        """Paths of all files below the folder `path`."""
        return files(self.store, self.commit, path)


def revision(repo: str, wanted: str) -> Revision:
    """The commit that a tag, branch or commit id names in `repo`.

    A shallow, blob-less fetch of that one commit into a bare cache. Raises BadRequest when there
    is no such revision.
    """
    store = _bare_cache(repo)
    if COMMIT.fullmatch(wanted) and _has(store, wanted):
        return Revision(store, wanted)
    sources = (
        [wanted] if COMMIT.fullmatch(wanted) else [f"refs/tags/{wanted}", f"refs/heads/{wanted}"]
    )
    for source in sources:
        target = f"refs/dreg/{hashlib.sha256(source.encode()).hexdigest()[:16]}"
        done = start(
            [
                "fetch",
                "--quiet",
                "--depth=1",
                "--filter=blob:none",
                "--no-tags",
                "--force",
                "origin",
                f"{source}:{target}",
            ],
            store,
        )
        if done.returncode == 0:
            return _at(store, target)
        stderr = done.stderr.decode(errors="replace")
        if "couldn't find remote ref" not in stderr and "not our ref" not in stderr:
            raise failure(["fetch"], stderr)
    raise BadRequest(f"`{repo}` has no revision `{wanted}`", hint=f"dreg list --repo {repo}")


def fetch_tags(repo: str, tags: Sequence[str]) -> list[Tag]:
    """The tags with their messages, by one fetch of the tag objects (no files, no history)."""
    if not tags:
        return []
    store = _bare_cache(repo)
    wanted = b"".join(f"+refs/tags/{tag}:refs/dreg/tags/{tag}\n".encode() for tag in tags)
    git(
        "fetch", "--quiet", "--depth=1", "--filter=tree:0", "--no-tags", "--stdin", "origin",
        cwd=store, stdin=wanted,
    )  # fmt: skip
    names = set(tags)
    return [tag for tag in tags_of(store, "refs/dreg/tags/") if tag.name in names]


def _at(store: Path, reference: str) -> Revision:
    kind = git("cat-file", "-t", reference, cwd=store).decode().strip()
    message = ""
    if kind == "tag":
        message = (
            git("cat-file", "tag", reference, cwd=store)
            .decode(errors="replace")
            .partition("\n\n")[2]
        )
    commit = git("rev-parse", f"{reference}^{{commit}}", cwd=store).decode().strip()
    return Revision(store, commit, message)


def _bare_cache(repo: str) -> Path:
    """A bare repository whose `origin` is `repo`; made on first use, then shared."""
    path = Path(repo).expanduser()
    url = str(path.resolve()) if "://" not in repo and path.exists() else check_url(repo)
    store = cache_folder("git") / hashlib.sha256(url.encode()).hexdigest()[:24]
    if not (store / "HEAD").is_file():
        fresh = store.with_name(f".{store.name}.{os.getpid()}")
        git("init", "--quiet", "--bare", str(fresh))
        git("config", "remote.origin.url", url, cwd=fresh)
        git("config", "remote.origin.promisor", "true", cwd=fresh)
        git("config", "remote.origin.partialclonefilter", "blob:none", cwd=fresh)
        git("config", "gc.auto", "0", cwd=fresh)
        try:
            fresh.rename(store)
        except OSError:  # another process was first; its cache is as good
            shutil.rmtree(fresh, ignore_errors=True)
    return store


def _has(store: Path, commit: str) -> bool:
    return (
        start(
            ["cat-file", "-e", f"{commit}^{{commit}}"],
            store,
            environment={"GIT_NO_LAZY_FETCH": "1"},
        ).returncode
        == 0
    )
