"""Reading git: the user's own `git`, so that credential helpers, ssh config and proxies work.

A plain process per question (about 5 ms): `list`, `status` and `fetch` are quick and need no
library. What writes history is in `dreg.adapters.git_publish`.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.cache import cache_folder
from dreg.errors import BadRequest, DregError, Outside

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
PEELED = "^{}"


@dataclass(frozen=True)
class Tag:
    """A tag on some repository: its own object and the commit it points to.

    `message` is None where only references were asked for; a lightweight tag has none either.
    """

    name: str
    object: str
    commit: str
    message: str | None = None

    @property
    def annotated(self) -> bool:
        return self.object != self.commit


def git(
    *arguments: str,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> bytes:
    """Stdout of `git arguments`. Raises Outside with git's last words when it fails."""
    done = _start(arguments, cwd, stdin, environment)
    if done.returncode != 0:
        raise failure(arguments, done.stderr.decode(errors="replace"))
    return done.stdout


def _start(
    arguments: Sequence[str],
    cwd: Path | None,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[bytes]:
    # Messages are matched below, so they must be git's own English; prompts would hang in CI.
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT", "0")}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            check=False,
            env={**os.environ, **quiet, **(environment or {})},
        )
    except FileNotFoundError as error:
        if shutil.which("git"):
            raise BadRequest(f"there is no folder `{cwd}`", hint="check the path") from error
        raise Outside(
            "git is not installed", hint="install git, then run the command again"
        ) from error


def failure(arguments: Sequence[str], stderr: str) -> DregError:
    """The error for a git process that ended badly, said in the user's terms where known."""
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    text = stderr.lower()
    words = " ".join(arguments[:1])
    if "no space left on device" in text:
        return Outside(
            "the disk is full",
            hint="free some space, then run the command again",
            details=lines[-3:],
        )
    unreachable = (
        "could not resolve host",
        "refused",
        "timed out",
        "connect to",
        "no route to host",
    )
    if any(sign in text for sign in unreachable) and "permission" not in text:
        return Outside(
            "the git server cannot be reached",
            hint="check the network and the URL",
            details=lines[-3:],
        )
    if any(
        t in text
        for t in (
            "authentication failed",
            "permission denied",
            "could not read username",
            "terminal prompts disabled",
        )
    ):
        return Outside(
            "the git server refused access",
            hint="check that `git ls-remote URL` works for you (credential helper, ssh key, token)",
            details=lines[-3:],
        )
    if "not a git repository" in text or "does not appear to be a git repository" in text:
        return BadRequest(
            "that is not a git repository", hint="check the path or URL", details=lines[-1:]
        )
    return Outside(
        f"`git {words}` failed", hint="the lines above are git's own", details=lines[-5:]
    )


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


def check_url(repo: str) -> str:
    """`repo` if git may be given it: no option, no helper that runs a command. Raises BadRequest."""
    if repo.startswith("-") or re.match(r"[A-Za-z0-9+.-]*::", repo) or "\0" in repo:
        raise BadRequest(
            f"`{repo}` is not a repository URL that dreg opens",
            hint="use https://, ssh://, git@host:path, file:// or a path",
        )
    return repo


@dataclass(frozen=True)
class Revision:
    """One commit of some repository, readable without a clone."""

    store: Path
    commit: str
    message: str = ""

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None if the commit has no such file."""
        return _read(self.store, self.commit, path)

    def files(self, path: str) -> list[str]:
        """Paths of all files below the folder `path`."""
        return _files(self.store, self.commit, path)


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
        done = _start(
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
    return [tag for tag in _tags(store, "refs/dreg/tags/") if tag.name in names]


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
        _start(
            ["cat-file", "-e", f"{commit}^{{commit}}"],
            store,
            environment={"GIT_NO_LAZY_FETCH": "1"},
        ).returncode
        == 0
    )


def _read(store: Path, commit: str, path: str) -> bytes | None:
    done = _start(["cat-file", "blob", f"{commit}:{path}"], store)
    if done.returncode == 0:
        return done.stdout
    stderr = done.stderr.decode(errors="replace")
    if (
        "does not exist" in stderr
        or "not a valid object name" in stderr.lower()
        or "bad file" in stderr.lower()
    ):
        return None
    raise failure(["cat-file"], stderr)


def _files(store: Path, commit: str, path: str) -> list[str]:
    listed = git("ls-tree", "-r", "-z", "--name-only", commit, "--", path, cwd=store)
    return [name.decode() for name in listed.split(b"\0") if name]


def _tags(store: Path, prefix: str = "refs/tags/", pattern: str = "") -> Iterator[Tag]:
    form = "%(refname)%00%(objectname)%00%(*objectname)%00%(contents)%01"
    listed = git("for-each-ref", f"--format={form}", f"{prefix}{pattern}", cwd=store).decode(
        errors="replace"
    )
    for record in listed.split("\x01\n"):
        if record:
            reference, oid, commit, message = record.split("\0", 3)
            yield Tag(
                reference.removeprefix(prefix), oid, commit or oid, message if commit else None
            )


class Repository:
    """The git repository whose work tree is at `root`. Everything here only reads."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ask(self, *arguments: str) -> str:
        """Stdout of a git command in the work tree, stripped."""
        return git(*arguments, cwd=self.root).decode(errors="replace").strip()

    def try_(self, *arguments: str) -> str | None:
        """Stdout of a git command that may fail; None if it did."""
        done = _start(arguments, self.root)
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    def tags(self) -> dict[str, str]:
        """Local tags: name -> commit."""
        listed = self.ask(
            "for-each-ref",
            "--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)",
            "refs/tags/",
        )
        rows = (line.split("\0") for line in listed.splitlines())
        return {name: commit or oid for name, oid, commit in rows}

    def full_tags(self, pattern: str = "") -> list[Tag]:
        """Local tags with their messages, those that match `pattern` (default: all)."""
        return list(_tags(self.root, pattern=pattern))

    def read(self, commit: str, path: str) -> bytes | None:
        """The file's bytes at `commit`, or None if it has no such file."""
        return _read(self.root, commit, path)

    def files(self, commit: str, path: str) -> list[str]:
        """Paths of all files below the folder `path` at `commit`."""
        return _files(self.root, commit, path)

    def changed(self, paths: Sequence[str] = (), *, tracked_only: bool = False) -> list[str]:
        """Paths that differ from HEAD or are untracked, below `paths` (default: everywhere)."""
        untracked = "no" if tracked_only else "all"
        listed = git(
            "status",
            "--porcelain=v1",
            "-z",
            "--no-renames",
            f"--untracked-files={untracked}",
            "--",
            *paths,
            cwd=self.root,
        )
        return [entry[3:].decode(errors="replace") for entry in listed.split(b"\0") if entry]

    def head(self) -> str | None:
        """The commit checked out; None in a repository without one."""
        return self.try_("rev-parse", "--verify", "--quiet", "HEAD^{commit}")

    def branch(self) -> str | None:
        """The branch checked out; None when HEAD is detached."""
        return self.try_("symbolic-ref", "--quiet", "--short", "HEAD")

    def remote_url(self, name: str = "origin") -> str | None:
        """Where the git remote `name` is; None if there is none."""
        return self.try_("remote", "get-url", name)

    def is_ancestor(self, older: str, newer: str) -> bool:
        """Whether `newer` contains `older`."""
        return _start(["merge-base", "--is-ancestor", older, newer], self.root).returncode == 0
