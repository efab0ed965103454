"""What changed between an earlier commit and this one."""

from __future__ import annotations

import re
from pathlib import Path

from dreg.adapters.git.process import QUIETLY, failure, start
from dreg.adapters.git.repository import Repository
from dreg.errors import BadRequest

NEVER = re.compile(r"0+")  # as GitHub names what a new branch was before
# What git says of a commit that a remote lacks, or that no branch or tag of it leads to any more.
NOT_GIVEN = ("not our ref", "unadvertised object", "remote error: want", "couldn't find remote ref")
ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


def commit_of(root: Path, revision: str, remote: str = "origin") -> str:
    """The commit that a revision names here, or on the remote, from where an id is then fetched.

    Raises BadRequest for one that is nowhere.
    """
    repository = Repository(root)
    for name in (revision, f"refs/remotes/{remote}/{revision}"):
        found = repository.try_(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        if found:
            return found
    there = repository.try_("rev-parse", "--abbrev-ref", f"{remote}/HEAD") or f"{remote}/main"
    if ID.fullmatch(revision) and repository.remote_url(remote) is not None:
        _fetch(repository, remote, revision)
        if repository.try_("cat-file", "-e", f"{revision}^{{commit}}") is not None:
            return revision
        raise BadRequest(
            f"there is no commit `{revision}` here, and `{remote}` gives none",
            hint="a push by force may have taken it away: compare with what is there, such as "
            f"{there}, or with nothing, which is every dataset: dreg ci plan",
        )
    raise BadRequest(
        f"there is no commit `{revision}` here",
        hint=f"name a branch, a tag or a commit; what is new on {remote} comes with: git fetch {remote}",
    )


def _fetch(repository: Repository, remote: str, commit: str) -> None:
    """The commit by its id, if the remote has it and gives it. Raises Outside if it cannot be asked."""
    # A clone that has its history must not lose it.
    shallow = repository.try_("rev-parse", "--is-shallow-repository") == "true"
    depth = ["--depth=1"] if shallow else []
    arguments = ["fetch", *QUIETLY, "--refmap=", *depth, remote, commit]
    done = start(arguments, repository.root)
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0 and not any(words in said for words in NOT_GIVEN):
        raise failure(arguments, said, cwd=repository.root)


def branched_off(root: Path, commit: str) -> str:
    """Where HEAD's history left that of `commit`; `commit` itself where it has nothing in common."""
    return Repository(root).try_("merge-base", commit, "HEAD") or commit


def changed_since(root: Path, commit: str) -> list[str]:
    """Paths that are not at HEAD as they were at `commit`, wherever HEAD went since."""
    listed = Repository(root).ask(
        "diff", "--name-only", "--no-renames", "-z", "--end-of-options", commit, "HEAD"
    )
    return [path for path in listed.split("\0") if path]
