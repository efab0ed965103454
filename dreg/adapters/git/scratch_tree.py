"""A work tree of one release in a folder of its own, beside and without touching the user's."""

from __future__ import annotations

import os
from pathlib import Path

from dreg.adapters.git.process import git
from dreg.errors import Refused


def check_out(root: Path, tag: str, commit: str, target: Path) -> None:
    """The files of the tag's commit in the empty folder `target`, a repository of its own.

    Shallow, out of the repository at `root`, whose references and configuration stay as they are.
    Raises Refused when the tag is on another commit than `commit`.
    """
    git("init", "--quiet", "--template=", str(target))
    git("fetch", "--quiet", "--depth=1", "--no-tags", str(root), f"refs/tags/{tag}", cwd=target)
    there = git("rev-parse", "FETCH_HEAD^{commit}", cwd=target).decode().strip()
    if there != commit:
        raise Refused(
            f"the tag `{tag}` here is on the commit {there[:12]}, and on the git remote on {commit[:12]}",
            hint=f"take the remote's: git fetch origin tag {tag} --force",
        )
    no_hooks = f"core.hooksPath={os.devnull}"
    git("-c", no_hooks, "checkout", "--quiet", "--detach", commit, cwd=target)
