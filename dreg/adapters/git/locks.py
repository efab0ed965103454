"""Every lock file of a repository: at the tips of all its branches and tags, here and on git
remotes, in the index, in work trees."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dreg.adapters.git.following import moving
from dreg.adapters.git.objects import Tag, tags_of
from dreg.adapters.git.process import QUIETLY, check_url, git, start
from dreg.adapters.living import Process
from dreg.errors import Outside

SCRATCH = (
    "refs/dreg/gc/"  # below it a folder for each process that reads, so that none removes another's
)
LONG_AGO = 24 * 3600  # seconds; nobody reads for so long
REFERENCES = ("heads", "tags", "exps")


@dataclass
class Locks:
    """The lock files of the clone at `root`; what was read once is not read again.

    `wanted` tells by its path whether a file is one.
    """

    root: Path
    wanted: Callable[[str], bool]
    _own: str = field(default_factory=lambda: _place(Process.here(), time.time()))
    _trees: dict[str, dict[str, str]] = field(default_factory=dict)
    _texts: dict[str, bytes] = field(default_factory=dict)

    def fetch(self, remotes: Iterable[str]) -> None:
        """Bring every branch, tag and experiment of git remotes (names or URLs) as they are now.

        Below references of their own: what is here stays as it is. Raises Outside.
        """
        for number, remote in enumerate(remotes):
            place = f"{SCRATCH}{self._own}/{number}/"
            refspecs = [f"+refs/{kind}/*:{place}{kind}/*" for kind in REFERENCES]
            options = (*QUIETLY, "--prune", "--no-write-fetch-head", "--refmap=")
            git(
                "fetch",
                *options,
                "--",
                check_url(remote),
                *refspecs,
                cwd=self.root,
            )

    def forget(self) -> None:
        """Remove the references that `fetch` made, and those of processes that are gone."""
        places = {reference.split("/")[3] for reference in self._references(SCRATCH)}
        over = {place for place in places - {self._own} if _is_over(place, time.time())}
        with moving(self.root, "packed-refs"):
            self._delete(f"{SCRATCH}{self._own}/")
            for place in over:
                self._unlock(f"{SCRATCH}{place}")
                with contextlib.suppress(Outside):  # a git that outlived its process is at it
                    self._delete(f"{SCRATCH}{place}/")

    def _unlock(self, prefix: str) -> None:
        said = git("rev-parse", "--git-path", prefix, cwd=self.root)
        for lock in (self.root / os.fsdecode(said).rstrip("\n")).rglob("*.lock"):
            lock.unlink(missing_ok=True)

    def _delete(self, prefix: str) -> None:
        listed = "".join(f"delete {reference}\n" for reference in self._references(prefix))
        git("update-ref", "--stdin", cwd=self.root, stdin=listed.encode(errors="surrogateescape"))

    def tags(self) -> Iterator[Tag]:
        """All tags, here and as they were fetched."""
        yield from tags_of(self.root)
        own = f"{SCRATCH}{self._own}/"
        for number in sorted({one.split("/")[4] for one in self._references(own)}):
            yield from tags_of(self.root, f"{own}{number}/tags/")

    def tips(self) -> set[str]:
        """Commits that any reference but a tag leads to, and those that are checked out."""
        names = [name for name in self._references() if "/tags/" not in name]
        heads = [line[5:] for line in self._worktrees() if line.startswith("HEAD ")]
        # A stash has the index and what was untracked as parents; older ones are in its reflog.
        stashes = git("stash", "list", "--format=%H %P", cwd=self.root).decode().split()
        return self.commits([*names, *heads, *stashes])

    def commits(self, names: Iterable[str]) -> set[str]:
        """The commits that names lead to; a name of something else leads to none."""
        asked = "".join(f"{name}^{{commit}}\n" for name in names).encode(errors="surrogateescape")
        said = git("cat-file", "--batch-check", cwd=self.root, stdin=asked).decode(
            errors="surrogateescape"
        )
        return {line.split()[0] for line in said.split("\n") if " commit " in line}

    def at(self, commit: str) -> Mapping[str, bytes]:
        """Texts of the lock files at a commit, by path."""
        if commit not in self._trees:
            listed = git("ls-tree", "-r", "-z", "--full-tree", commit, cwd=self.root)
            self._trees[commit] = {
                path: blob for mode, blob, path in _entries(listed) if self._is(mode, path)
            }
        return {path: self._text(blob) for path, blob in self._trees[commit].items()}

    def uncommitted(self) -> Iterator[tuple[str, bytes]]:
        """Path and text of the lock files in the index and in every work tree."""
        listed = git("ls-files", "--stage", "-z", "--full-name", ":/", cwd=self.root)
        for mode, blob, path in _entries(listed):
            if self._is(mode, path):
                yield path, self._text(blob)
        for line in self._worktrees():
            if line.startswith("worktree ") and (tree := Path(line[9:])).is_dir():
                yield from self._in_tree(tree)

    def _in_tree(self, tree: Path) -> Iterator[tuple[str, bytes]]:
        options = ("-z", "--cached", "--others", "--exclude-standard")
        done = start(["ls-files", *options], tree)
        if done.returncode != 0:
            raise Outside(
                f"git cannot list the work tree `{tree}`",
                hint="repair or remove it: git worktree list; git worktree prune",
            )
        for name in {name.decode(errors="surrogateescape") for name in done.stdout.split(b"\0")}:
            path = tree / name
            if name and self.wanted(name) and path.is_file():
                yield name, path.read_bytes()

    def _references(self, prefix: str = "refs/") -> list[str]:
        listed = git("for-each-ref", "--format=%(refname)", prefix, cwd=self.root)
        return listed.decode(errors="surrogateescape").split("\n")[:-1]

    def _worktrees(self) -> list[str]:
        said = git("worktree", "list", "--porcelain", cwd=self.root)
        return said.decode(errors="surrogateescape").split("\n")

    def _is(self, mode: str, path: str) -> bool:
        return stat.S_ISREG(int(mode, 8)) and self.wanted(path)

    def _text(self, blob: str) -> bytes:
        if blob not in self._texts:
            self._texts[blob] = git("cat-file", "blob", blob, cwd=self.root)
        return self._texts[blob]


def _place(process: Process, now: float) -> str:
    return f"{process.machine}-{process.pid}-{process.start}-{int(now)}-{secrets.token_hex(4)}"


def _is_over(place: str, now: float) -> bool:
    """Whether nobody reads there any more, by what `_place` called it."""
    try:
        machine, pid, start, began, _ = place.split("-")
        return Process(machine, int(pid), start).is_gone or now - int(began) > LONG_AGO
    except ValueError:
        return True


def _entries(listed: bytes) -> Iterator[tuple[str, str, str]]:
    """Mode, blob and path of what `ls-tree -z` or `ls-files --stage -z` lists."""
    for entry in listed.split(b"\0"):
        if entry:
            head, _, path = entry.partition(b"\t")
            words = head.decode().split()
            blob = words[2] if words[1] in ("blob", "commit", "tree") else words[1]
            yield words[0], blob, path.decode(errors="surrogateescape")
