"""Writing git history: one commit, one annotated tag, one atomic push (GitPython over git).

Objects are written first and referenced last: until the push succeeds no branch or tag moves,
here or there, so a crash leaves only unreferenced objects for git to collect.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from dreg.adapters.git.elsewhere import remote_tags
from dreg.adapters.git.following import fast_forward, follow_branch, moving
from dreg.adapters.git.objects import Tag
from dreg.adapters.git.process import FOREIGN, QUIETLY, failure, git_failed, start
from dreg.adapters.git.pushing import LostRace, Move, push
from dreg.adapters.git.signing import is_signed, scratch_repository, signing_in
from dreg.adapters.scratch import scratch_folder
from dreg.adapters.written import HALF_WRITTEN
from dreg.errors import Outside


@dataclass(frozen=True)
class Published:
    """What is to be pushed: a commit and the tag object that points to it."""

    commit: str
    tag: str
    tag_object: str


class Publisher:
    """Commits, tags and pushes for the work tree at `root`."""

    def __init__(self, root: Path) -> None:
        for name in FOREIGN:  # GitPython hands the process's environment on as it is
            os.environ.pop(name, None)
        from git import Repo

        self.repo = Repo(root)
        self.root = root

    def fetch_tip(self, remote: str, branch: str, here: str | None = None) -> str | None:
        """The commit at the tip of the remote's branch, fetched; None if there is no such branch.

        `here` is a commit that a reference of this clone leads to: the remote need not be asked for
        that. Raises Outside when the remote cannot be reached.
        """
        listed = self._git("ls-remote", "--heads", remote, f"refs/heads/{branch}")
        if not listed:
            return None
        tip: str = listed.split()[0]
        if tip == here:
            return tip
        # Without a refmap no reference moves, which two releases in this clone might do at once.
        quietly = (*QUIETLY, "--no-write-fetch-head")
        self._git("fetch", *quietly, "--refmap=", remote, f"refs/heads/{branch}")
        return tip

    def fetch_tags(self, remote: str, tags: Sequence[str]) -> None:
        """Get tags and what they point to; a shallow clone stays shallow.

        Raises Outside when a different tag of one of the names is here already.
        """
        self._fetch(remote, *(f"refs/tags/{tag}:refs/tags/{tag}" for tag in tags))

    def tag_there(self, remote: str, tag: str) -> Tag | None:
        """The remote's tag, its objects fetched; the tag of that name here stays. None if it has none.

        Raises Outside when the remote cannot be reached.
        """
        found = remote_tags(remote, tag, f"{tag}^{{}}", cwd=self.root).get(tag)
        if found is None:
            return None
        self._fetch(remote, f"refs/tags/{tag}")
        if not found.annotated:
            return found
        text = self._git("cat-file", "tag", found.object)
        return replace(found, message=text.partition("\n\n")[2])

    def _fetch(self, remote: str, *refspecs: str) -> None:
        depth = ["--depth=1"] if self._git("rev-parse", "--is-shallow-repository") == "true" else []
        asked = "".join(f"{refspec}\n" for refspec in refspecs)
        quietly = (*QUIETLY, *depth, "--no-write-fetch-head")
        self._git("fetch", *quietly, "--refmap=", "--stdin", remote, stdin=asked)

    def default_branch(self, remote: str) -> str | None:
        """The branch that the remote's HEAD names."""
        listed = self._git("ls-remote", "--symref", remote, "HEAD")
        first: str = listed.split("\n")[0] if listed else ""
        return first.split()[1].removeprefix("refs/heads/") if first.startswith("ref:") else None

    def commit(
        self,
        base: str,
        folders: Sequence[str],
        message: str,
        texts: Mapping[str, str] | None = None,
        sign: bool | None = None,
    ) -> str:
        """A commit on `base` with the work tree's files below `folders`, or `base` if they equal it.

        `texts` are files by path that take the place of the work tree's. Neither HEAD nor the
        user's index nor the work tree is touched. Signed if `sign`, or by default if
        `commit.gpgSign` is set; then a `base` without a signature gets an empty commit on it that
        has one. Returns the commit's id.
        """
        signs = self.signs("commit", sign)
        tree = self._tree(base, folders, texts)
        if tree == self._git("rev-parse", f"{base}^{{tree}}") and (
            not signs or is_signed(self._git("cat-file", "commit", base))
        ):
            return base
        arguments = (tree, "-p", base, "-F", "-")
        if signs:
            with (
                scratch_folder(Path(self.repo.git_dir)) as scratch,
                self.repo.git.custom_environment(**signing_in(scratch)),
            ):
                return self._signed("commit-tree", "-S", *arguments, stdin=message)
        commit: str = self._git("commit-tree", *arguments, stdin=message)
        return commit

    def equals(self, commit: str, folders: Sequence[str], besides: Sequence[str] = ()) -> bool:
        """Whether the work tree's files below `folders`, `besides` some, are those of `commit`."""
        tree: str = self._git("rev-parse", f"{commit}^{{tree}}")
        return self._tree(commit, folders, besides=besides) == tree

    def _tree(
        self,
        base: str,
        folders: Sequence[str],
        texts: Mapping[str, str] | None = None,
        besides: Sequence[str] = (),
    ) -> str:
        """The tree of `base` with the work tree's files below `folders`; as an object only."""
        without = [f":(exclude,literal){path}" for path in besides]
        without.append(f":(exclude,glob)**/{HALF_WRITTEN}*")
        with scratch_folder(Path(self.repo.git_dir)) as scratch:
            index = {"GIT_INDEX_FILE": str(scratch / "index")}
            with self.repo.git.custom_environment(**index):
                self._git("read-tree", base)
                self._git("add", "--all", "--", *folders, *without)
                for path, text in (texts or {}).items():
                    blob = self._git("hash-object", "-w", "--stdin", f"--path={path}", stdin=text)
                    self._git("update-index", "--add", "--cacheinfo", f"100644,{blob},{path}")
                tree = self._git("write-tree")
        return str(tree)

    def tag(self, name: str, commit: str, message: str, sign: bool | None = None) -> Published:
        """An annotated tag object on `commit`; no reference to it is made yet.

        Signed if `sign`, or by default if `tag.gpgSign` is set.
        """
        if self.signs("tag", sign):
            arguments = ("tag", "--sign", "--cleanup=verbatim", "--file=-", name, commit)
            with (
                scratch_repository(self.root) as environment,
                self.repo.git.custom_environment(**environment),
            ):
                self._signed(*arguments, stdin=message.rstrip() + "\n")
                return Published(commit, name, self._git("rev-parse", f"refs/tags/{name}"))
        tagger = self._git("var", "GIT_COMMITTER_IDENT")
        text = f"object {commit}\ntype commit\ntag {name}\ntagger {tagger}\n\n{message.rstrip()}\n"
        return Published(commit, name, self._git("mktag", stdin=text))

    def signs(self, what: str, sign: bool | None) -> bool:
        """Whether a `commit` or a `tag` is signed: if `sign`, or by default if its `gpgSign` is set."""
        return self._signing.get(f"{what}.gpgsign") == "true" if sign is None else sign

    @cached_property
    def _signing(self) -> dict[str, str]:
        """What git's configuration says of signing commits and tags. Raises Outside for what is no yes or no."""
        asked = ["config", "--type=bool", "--get-regexp", r"^(commit|tag)\.gpgsign$"]
        done = start(asked, self.root)
        if done.returncode > 1:  # 1: it says nothing
            raise failure(asked, done.stderr.decode(errors="replace"))
        return dict(
            line.split(" ") for line in done.stdout.decode().splitlines()
        )  # the last counts

    def _signed(self, *arguments: str, stdin: str) -> str:
        try:
            return str(self._git(*arguments, stdin=stdin))
        except Outside as error:
            if not error.fact.startswith("`git "):
                raise
            raise Outside(
                "git could not sign",
                hint="see that gpg.format and user.signingkey in git's configuration name a key "
                "that can sign here; to release without a signature: --no-sign",
                details=error.details,
            ) from error

    def push(self, remote: str, branch: str, tip: str | None, published: Published) -> None:
        """Branch and tag in one atomic push, if the branch is still at `tip` and the tag is new.

        Raises LostRace when it isn't, Outside when the server refuses for another reason.
        """
        moves = [
            Move(f"refs/heads/{branch}", published.commit, tip),
            Move(f"refs/tags/{published.tag}", published.tag_object),
        ]
        push(self.repo, self.root, remote, moves)

    def push_tag(self, remote: str, *published: Published) -> None:
        """Tags alone, all or none, if there are none of their names. Raises as `push` does."""
        moves = [Move(f"refs/tags/{one.tag}", one.tag_object) for one in published]
        push(self.repo, self.root, remote, moves)

    def take(self, store: Path, *tags: str) -> None:
        """Bring in tags with their history from the repository at `store`; nothing refers to them yet."""
        wanted = [f"refs/tags/{tag}" for tag in tags]
        self._git("fetch", *QUIETLY, "--no-write-fetch-head", str(store), *wanted)

    def adopt(
        self, published: Published, remote_branch: str | None, mark: str | None = None
    ) -> None:
        """Let this clone follow what was pushed: tag, branch, index and work tree.

        `mark` is a reference of dreg's own to the same tag, made before it.
        """
        references = (*((mark,) if mark else ()), f"refs/tags/{published.tag}")
        with moving(self.root, *references):
            for reference in references:
                self._git("update-ref", reference, published.tag_object)
        self.catch_up(published.commit, remote_branch)

    def catch_up(self, commit: str, remote_branch: str | None) -> None:
        """Fast-forward what this clone knows of the remote's branch, and its own to `commit`.

        The dataset's own files already are what was committed. Raises Refused when others are in
        the way.
        """
        try:
            if remote_branch is not None:
                follow_branch(self.root, f"refs/remotes/{remote_branch}", commit)
            fast_forward(self.root, commit)
        except Outside as error:
            raise Outside(
                "the release is published, but this clone could not follow it",
                hint="run the same command again: it finishes the work",
                details=(error.fact, *error.details),
            ) from error

    def adopt_tag(self, published: Published, before: str | None = None) -> None:
        """The tag's reference here, instead of the object `before` or none. Raises LostRace for another."""
        reference = f"refs/tags/{published.tag}"
        nothing = "0" * len(published.tag_object)
        try:
            with moving(self.root, reference):
                self._git("update-ref", reference, published.tag_object, before or nothing)
        except Outside as error:
            raise LostRace("\n".join(error.details)) from error

    def _git(self, *arguments: str, stdin: str | None = None) -> Any:
        from git import GitCommandError

        try:
            if stdin is None:
                return self.repo.git.execute(["git", *arguments])
            with tempfile.TemporaryFile() as stream:
                stream.write(stdin.encode())
                stream.seek(0)
                return self.repo.git.execute(["git", *arguments], istream=stream)
        except GitCommandError as error:
            raise git_failed(error) from error
