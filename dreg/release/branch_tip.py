"""What a release goes on: the newest commit of its branch, and whether this clone may follow it."""

from __future__ import annotations

from dataclasses import dataclass

from dreg.adapters.git import Repository
from dreg.adapters.git.publish import Publisher
from dreg.adapters.making import making_path
from dreg.core.changelog import holds
from dreg.errors import BadRequest, Refused, Stale
from dreg.output import out
from dreg.registry import Dataset

GIT_REMOTE = "origin"


@dataclass(frozen=True)
class Base:
    """What the release commit goes on: the fetched tip of the branch, or HEAD where it is ahead.

    `tip` is None when the branch is not on the git remote yet; `branch` and `url`, that of the git
    remote, are None when there is none at all and the release stays in this repository. `unfinished`: the tip already has
    the tree's files, pushed by a release that ended before this clone could follow; `diverged`: it
    has them too, but this clone went another way, so nothing more can be released from it.
    """

    head: str
    commit: str
    tip: str | None
    branch: str | None
    url: str | None
    unfinished: bool = False
    diverged: bool = False


def check_branch(repository: Repository, branch: str | None) -> None:
    """Raises BadRequest for what can name no branch; whether there is one the base tells."""
    if branch is None:
        return
    # Of `git check-ref-format --branch`, which also takes `@{-1}`, only this is missing.
    if (
        branch.startswith("-")
        or repository.try_("check-ref-format", f"refs/heads/{branch}") is None
    ):
        raise BadRequest(f"`{branch}` cannot name a branch", hint="git branch --all lists them")


def release_base(dataset: Dataset, repository: Repository, branch: str | None) -> Base:
    """What a release of the dataset goes on. Raises Refused when the branches have diverged."""
    head = repository.head()
    if head is None:
        raise Refused(
            "the registry has no commit yet", hint="git add --all && git commit -m 'start'"
        )
    on = branch or repository.branch()
    url = repository.remote_url(GIT_REMOTE)
    if url is None:
        refuse_other_remotes(repository)
        return Base(head, head, None, None, None)
    publisher = Publisher(dataset.root)
    if on is None:
        on = publisher.default_branch(GIT_REMOTE) or "main"
        tip = publisher.fetch_tip(GIT_REMOTE, on, head)
        if tip != head and not (tip and repository.is_ancestor(head, tip)):
            raise Refused(
                f"HEAD is detached, and not a commit of `{on}` on {GIT_REMOTE}",
                hint=f"git switch {on}, or name the branch to release on: --branch NAME",
            )
    else:
        tip = publisher.fetch_tip(GIT_REMOTE, on, head)
        if branch is None and tip is None:
            _tell_of_a_new_branch(repository, on)
        if (
            branch
            and tip is None
            and not repository.try_("rev-parse", "--verify", f"refs/heads/{on}")
        ):
            raise BadRequest(
                f"there is no branch `{on}`, here or on {GIT_REMOTE}",
                hint=f"make it first: git branch {on}",
            )
    if tip is None or repository.is_ancestor(tip, head):
        return Base(head, head, tip, on, url)
    if not repository.is_ancestor(head, tip):
        if not _follows(dataset, repository, publisher, tip):
            raise diverged(dataset, on)
        return Base(head, tip, tip, on, url, diverged=True)
    if repository.try_("diff", "--quiet", head, tip, "--", *dataset.folders) is None:
        if _follows(dataset, repository, publisher, tip):
            return Base(head, tip, tip, on, url, unfinished=True)
        raise Stale(
            f"stale: `{dataset.name}` was changed on `{GIT_REMOTE}/{on}` since this clone was updated",
            hint=f"{_own_changes_on_top(dataset, repository, head)}; then release again",
        )
    return Base(head, tip, tip, on, url)


def _tell_of_a_new_branch(repository: Repository, on: str) -> None:
    """A branch may follow one of another name, where its owner expects the release."""
    followed = repository.try_("rev-parse", "--symbolic-full-name", "@{upstream}") or ""
    other = followed.removeprefix(f"refs/remotes/{GIT_REMOTE}/")
    if other not in (followed, on):
        out.warn(
            f"`{on}` follows `{GIT_REMOTE}/{other}`, and is released on a new branch `{on}` there; "
            f"to release on the other one: --branch {other}"
        )


def _own_changes_on_top(dataset: Dataset, repository: Repository, head: str) -> str:
    """Commands that bring what was pushed and keep what was changed here by hand. What a run makes is
    left out, since it would conflict: the run afterwards makes it."""
    pipeline, data = dataset.folders
    made = (f"{pipeline}/dvc.lock", making_path(dataset), f"{data}/metadata.json")
    changed = repository.changed(tracked_only=True)
    anew = [path for path in made if path in changed and repository.read(head, path) is not None]
    restore = f"git restore {' '.join(anew)}; " if anew else ""
    # Where nothing is stashed, `git stash pop` would bring an older one.
    own = set(changed) - set(anew)
    pull = "git stash; git pull; git stash pop" if own else "git pull"
    return f"{restore}{pull}; dreg run {dataset.name}"


def diverged(dataset: Dataset, branch: str | None) -> Refused:
    return Refused(
        f"`{branch}` and `{GIT_REMOTE}/{branch}` have diverged",
        hint=f"git pull --rebase {GIT_REMOTE} {branch} (what a run makes may conflict: for such a file"
        f" git checkout --ours FILE && git add FILE, then git rebase --continue and dreg run {dataset.name}),"
        " then release again",
    )


def refuse_other_remotes(repository: Repository) -> None:
    """Raises Refused where a release would silently stay here although there is a git remote."""
    others = repository.ask("remote").split()
    if others:
        raise Refused(
            f"no git remote is called `{GIT_REMOTE}`, which is where releases go",
            hint=f"git remote rename {others[0]} {GIT_REMOTE}, then release again",
        )


def _follows(dataset: Dataset, repository: Repository, publisher: Publisher, tip: str) -> bool:
    """Whether `tip` has the tree's files, and every line of its changelog: it may have an entry more.

    The same bytes may have been made elsewhere too.
    """
    path = dataset.changelog_path
    if not publisher.equals(tip, dataset.folders, besides=[path, making_path(dataset)]):
        return False
    return holds((repository.read(tip, path) or b"").decode(errors="replace"), dataset.changelog())
