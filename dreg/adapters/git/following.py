"""Letting a clone follow what was pushed: references, index and work tree, all or nothing.

The new index is made beside git's own and renamed over it, under git's own lock; a process that
is killed meanwhile leaves the old one or the new one, and a lock that the next one knows as dead.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dreg.adapters.git.process import by_the_system, failure, git, start
from dreg.adapters.git.repository import Repository
from dreg.adapters.scratch import INDEX_LOCK, REFERENCE_LOCKS, scratch_folder
from dreg.errors import Outside, Refused

PATIENCE = 10.0  # seconds; a git command of the user's holds the index for moments
REGULAR = ("100644", "100755")


def follow_branch(root: Path, reference: str, commit: str) -> None:
    """Move a remote-tracking branch ahead to `commit`; never back, when somebody was quicker."""
    repository = Repository(root)
    here = repository.try_("rev-parse", "--verify", "--quiet", reference)
    if here is None or not repository.is_ancestor(commit, here):
        with moving(root, reference):
            repository.ask("update-ref", reference, commit)


def fast_forward(root: Path, commit: str) -> None:
    """Move the checked-out branch to its descendant `commit`; nothing to do where it has it.

    Files that are as in `commit` already may be there or not be known to git yet. Raises Refused
    when local changes are in the way, and nothing was touched then; Outside when git fails.
    """
    repository = Repository(root)
    with _index(root) as index:
        head = repository.ask("rev-parse", "--verify", "HEAD^{commit}")
        forked = repository.try_("merge-base", head, commit)
        if forked == commit:
            return
        if forked != head:
            raise Refused(
                "the release is published, but this clone's branch has gone another way meanwhile",
                hint="git pull --rebase",
            )
        own = {"GIT_INDEX_FILE": str(index)}
        same = b"\0".join(os.fsencode(path) for path in _already(root, head, commit))
        git(
            "update-index",
            "--add",
            "--remove",
            "-z",
            "--stdin",
            cwd=root,
            stdin=same,
            environment=own,
        )
        done = start(["read-tree", "-m", "-u", head, commit], root, environment=own)
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace")
            if by_the_system(said):
                raise failure(["read-tree"], said)
            raise Refused(
                "the release is published, but local changes keep this clone from following it",
                hint="commit or stash them, then: git pull",
                details=said.strip().splitlines()[-3:],
            )
        branch = repository.branch()
        with moving(root, "HEAD", *((f"refs/heads/{branch}",) if branch else ())):
            index.replace(repository.git_folder / "index")
            repository.ask("update-ref", "-m", "dreg release", "HEAD", commit, head)


@contextmanager
def moving(root: Path, *references: str, of: Path | None = None) -> Iterator[int]:
    """While git moves the references: its locks on them go with the next command if we die.

    They are those of the repository at `root`, or of another one on this machine. A git that gets the
    open file that this yields may outlive us: they stay until it has ended too.
    """
    repository, home = Repository(root), of or root
    asked = [word for name in references for word in ("--git-path", f"{name}.lock")]
    said = Repository(home).try_("rev-parse", *asked) or ""
    locks = [str((home / path).absolute()) for path in said.split("\n") if path]
    with (
        scratch_folder(repository.git_folder) as scratch,
        (scratch / REFERENCE_LOCKS).open("w") as file,
    ):
        file.write("\n".join(locks))
        file.flush()
        with contextlib.suppress(OSError):  # where files cannot be locked
            fcntl.flock(file, fcntl.LOCK_EX)
        yield file.fileno()


def delete_reference(root: Path, reference: str, oid: str | None = None) -> None:
    """Remove a reference of dreg's own, if it still is `oid`."""
    with moving(root, reference, "packed-refs"):
        Repository(root).ask("update-ref", "-d", reference, *((oid,) if oid else ()))


def _already(root: Path, head: str, commit: str) -> Iterator[str]:
    """Paths that `commit` changed, and that the work tree has as it has them."""
    said = git("diff-tree", "-r", "-z", "--raw", "--no-renames", head, commit, cwd=root).split(
        b"\0"
    )
    candidates: list[tuple[str, str]] = []
    for meta, raw in zip(said[0::2], said[1::2], strict=False):
        _, mode, _, wanted, _ = meta.decode().split()
        path = os.fsdecode(raw)
        place = root / path
        if mode == "000000":
            if not os.path.lexists(place):
                yield path
        elif mode in REGULAR and "\n" not in path and place.is_file() and not place.is_symlink():
            candidates.append((path, wanted))
    paths = [path for path, _ in candidates]
    yield from (
        path
        for (path, wanted), oid in zip(candidates, _hashes(root, paths), strict=True)
        if oid == wanted
    )


def _hashes(root: Path, paths: Sequence[str]) -> list[str]:
    """What git would call these files' contents."""
    if not paths:
        return []
    listed = "".join(f"{path}\n" for path in paths)
    return git("hash-object", "--stdin-paths", cwd=root, stdin=os.fsencode(listed)).decode().split()


@contextmanager
def _index(root: Path) -> Iterator[Path]:
    """A copy of git's index, while git's own is locked against everybody."""
    repository = Repository(root)
    folder = repository.git_folder
    with scratch_folder(folder) as scratch:
        (scratch / INDEX_LOCK).touch()
        _take(scratch / INDEX_LOCK, folder / INDEX_LOCK)
        try:
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(folder / "index", scratch / "next")
            yield scratch / "next"
        finally:
            (folder / INDEX_LOCK).unlink(missing_ok=True)


def _take(ours: Path, lock: Path) -> None:
    """Make the lock a second name of `ours`, by which it is known as ours if we die."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _link(ours, lock)
        except FileExistsError:
            if time.monotonic() > deadline:
                raise Outside(
                    f"another git has had this clone's index for {PATIENCE:.0f} s",
                    hint=f"let it end, or if none runs here: rm {lock}; then run the command again",
                ) from None
            time.sleep(0.05)


def _link(ours: Path, lock: Path) -> None:
    try:
        os.link(ours, lock)
    except FileExistsError:
        raise
    except OSError:  # a file system without links; if we die, a person has to remove it
        lock.open("x").close()
