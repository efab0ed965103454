"""The repository around us. Everything here only reads."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from dreg.adapters.git.objects import Tag, files, read, tags_of
from dreg.adapters.git.process import git, start


@cache
def _git_folder(root: Path) -> Path:
    return Path(git("rev-parse", "--absolute-git-dir", cwd=root).decode(errors="replace").strip())


class Repository:
    """The git repository whose work tree is at `root`. Everything here only reads."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def ask(self, *arguments: str) -> str:
        """Stdout of a git command in the work tree, stripped."""
        return git(*arguments, cwd=self.root).decode(errors="replace").strip()

    def try_(self, *arguments: str) -> str | None:
        """Stdout of a git command that may fail; None if it did."""
        done = start(arguments, self.root)
        return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None

    @property
    def git_folder(self) -> Path:
        """Git's own folder of this work tree, which has its index."""
        return _git_folder(self.root)

    def tags(self, *patterns: str) -> dict[str, str]:
        """Local tags, those that match a pattern (default: all): name -> commit."""
        listed = self.ask(
            "for-each-ref",
            "--format=%(refname:strip=2)%00%(objectname)%00%(*objectname)",
            *(f"refs/tags/{pattern}" for pattern in patterns or ("",)),
        )
        rows = (line.split("\0") for line in listed.split("\n") if line)
        return {name: commit or oid for name, oid, commit in rows}

    def full_tags(self, *patterns: str) -> list[Tag]:
        """Local tags with their messages, those that match a pattern (default: all)."""
        return list(tags_of(self.root, patterns=patterns or ("",)))

    def read(self, commit: str, path: str) -> bytes | None:
        """The file's bytes at `commit`, or None if it has no such file."""
        return read(self.root, commit, path)

    def read_all(self, wanted: Sequence[tuple[str, str]]) -> list[bytes | None]:
        """As `read`, of many pairs of commit and path, by one process."""
        if not wanted:
            return []
        asked = "".join(f"{commit}:{path}\n" for commit, path in wanted).encode()
        said = git("cat-file", "--batch", cwd=self.root, stdin=asked)
        found: list[bytes | None] = []
        at = 0
        for _ in wanted:
            end = said.index(b"\n", at)
            words = said[at:end].split(b" ")
            at = end + 1
            if words[-1] == b"missing":
                found.append(None)
                continue
            size = int(words[-1])
            found.append(said[at : at + size])
            at += size + 1
        return found

    def objects(self, names: Sequence[str]) -> list[str | None]:
        """Ids of the objects that have these names, such as `HEAD:folder`, by one process; None for no object."""
        if not names:
            return []
        asked = "".join(f"{name}\n" for name in names).encode()
        said = git("cat-file", "--batch-check=%(objectname)", cwd=self.root, stdin=asked)
        lines = said.decode(errors="replace").splitlines()
        return [None if line.endswith(" missing") else line for line in lines]

    def files(self, commit: str, path: str) -> list[str]:
        """Paths of all files below the folder `path` at `commit`."""
        return files(self.root, commit, path)

    def changed(self, paths: Sequence[str] = (), *, tracked_only: bool = False) -> list[str]:
        """Paths that differ from HEAD or are untracked, below `paths` (default: everywhere)."""
        return [path for _, path in self.status(paths, tracked_only=tracked_only)]

    def status(
        self, paths: Sequence[str] = (), *, tracked_only: bool = False
    ) -> list[tuple[str, str]]:
        """As `changed`, each behind git's two letters for what it is in index and work tree."""
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
        entries = [e.decode(errors="replace") for e in listed.split(b"\0") if e]
        return [(entry[:2], entry[3:]) for entry in entries]

    def is_merging(self) -> bool:
        """Whether a merge is to be finished or given up."""
        return (self.git_folder / "MERGE_HEAD").exists()

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
        """Whether the commit `newer` contains the commit `older`."""
        if older == newer:
            return True
        return start(["merge-base", "--is-ancestor", older, newer], self.root).returncode == 0
