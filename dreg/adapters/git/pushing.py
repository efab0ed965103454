"""One atomic push of just the references that are to move, and what became of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreg.adapters.git.elsewhere import remote_tags
from dreg.adapters.git.following import moving
from dreg.adapters.git.process import git, git_failed
from dreg.adapters.git.repository import Repository
from dreg.errors import Outside

# What git says when a reference on the server was not what the push expects, or could not be moved.
LOST = ("stale info", "[rejected]", "cannot lock ref", "failed to update ref", "fetch first")
PAUSES = (0.5, 1.0, 2.0)  # seconds
# Whatever the user has git push beside what it is told to.
JUST_THESE = ("--atomic", "--porcelain", "--no-follow-tags", "--recurse-submodules=no")
TAGS = "refs/tags/"


class LostRace(Exception):
    """Somebody else pushed first: plan again from the new tip."""


@dataclass(frozen=True)
class Move:
    """A reference that is to name the object `to` and names `before` now; None if it isn't there."""

    reference: str
    to: str
    before: str | None = None


def push(repo: Any, root: Path, remote: str, moves: Sequence[Move]) -> None:
    """Move references on the git remote of GitPython's `repo` at `root`: all of them or none.

    Raises LostRace when one is no longer what it was, Outside or Refused when they stay for another
    reason.
    """
    from git import GitCommandError

    references = [move.reference for move in moves]
    leases = [f"--force-with-lease={move.reference}:{move.before or ''}" for move in moves]
    specs = [f"{move.to}:{move.reference}" for move in moves]
    for pause in (*PAUSES, None):
        try:
            with _locking(root, remote, references) as held:
                handles = () if held is None else (held,)
                command = ["git", "push", *JUST_THESE, *leases, remote, *specs]
                repo.git.execute(command, pass_fds=handles)
            return
        except GitCommandError as error:
            said = f"{error.stdout}\n{error.stderr}"
            if not any(sign in said for sign in LOST):
                _refuse_half_a_push(root, remote, moves, error)
                raise git_failed(error, references) from error
            if _are_others(root, remote, moves):
                raise LostRace(said) from error
            if pause is None:
                raise _could_not_move(remote, references, said) from error
        time.sleep(pause)  # somebody holds a lock there, and may be moving it just now


def _are_others(root: Path, remote: str, moves: Sequence[Move]) -> bool:
    """Whether a reference there is no longer what the push expects."""
    references = [move.reference for move in moves]
    listed = git("ls-remote", "--", remote, *references, cwd=root).decode(errors="replace")
    rows = (line.partition("\t") for line in listed.split("\n"))
    there = {name: oid for oid, _, name in rows}
    return any(there.get(move.reference) != move.before for move in moves)


def _could_not_move(remote: str, references: Sequence[str], said: str) -> Outside:
    names = ", ".join(f"`{reference.split('/', 2)[2]}`" for reference in references)
    return Outside(
        f"{remote} could not move {names}, though nobody else did; nothing was changed there",
        hint="see what git says above; a lock that was left there, or a name that begins with one of "
        "these, is for who runs the git server to remove",
        details=said.strip().split("\n")[-5:],
    )


def _refuse_half_a_push(root: Path, remote: str, moves: Sequence[Move], error: Any) -> None:
    """Raises Outside if tags arrived all the same: at some of the URLs that git pushes to."""
    urls = Repository(root).try_("remote", "get-url", "--push", "--all", remote) or ""
    if len(urls.split("\n")) < 2:
        return
    tags = {m.reference.removeprefix(TAGS): m.to for m in moves if m.reference.startswith(TAGS)}
    there = remote_tags(remote, *tags, cwd=root)
    if all(tag in there and there[tag].object == oid for tag, oid in tags.items()):
        named = ", ".join(f"`{tag}`" for tag in tags)
        raise Outside(
            f"{named} was pushed, but not to every push URL of {remote}",
            hint="run the same command again, so that this clone follows; then bring the others up to "
            f"date: git push {remote} HEAD {' '.join(tags)}",
            details=str(error.stderr).strip().split("\n")[-5:],
        ) from error


def _locking(
    root: Path, remote: str, references: Sequence[str]
) -> AbstractContextManager[int | None]:
    """A remote that is a folder is locked by processes that die with ours when a machine does. Killed alone, we are
    survived by them: they get the file that says so."""
    url = (Repository(root).remote_url(remote) or remote).removeprefix("file://")
    folder = root / url
    return moving(root, "HEAD", *references, of=folder) if folder.is_dir() else nullcontext()
