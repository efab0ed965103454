"""Checking that releases are what their tags promise: tags, the local cache, the remote."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from dreg.adapters import git
from dreg.adapters.dvc_config import read_remotes, remote_of, wanted_remote
from dreg.adapters.git.publish import Publisher
from dreg.adapters.objects import Store
from dreg.adapters.through_dvc import open_own
from dreg.core.odd_tags import OddTag, odd_tags
from dreg.core.release import Release
from dreg.core.soundness import Problem, of_dataset, tag_problem
from dreg.core.version import Range, parse_request, parse_tag
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Refused
from dreg.fsck.cache import check_cache
from dreg.fsck.remote import check_remote
from dreg.output import count, out, size
from dreg.packs.checking import tell_of_lost_packs
from dreg.registry import Registry, unknown_dataset
from dreg.release.branch_tip import GIT_REMOTE

SHOWN = 50


@dataclass(frozen=True)
class Checked:
    """What was checked and what is wrong. `remote` is None when only tags and the local cache were.

    `odd_tags` look like releases or yanks and don't count: no request resolves to them, so they promise
    nothing, and are no problem. `size` is in bytes, of the objects. `unread` objects have the right size and no checksum that
    the remote reports; `not_here` are not in the local cache, which is no fault.
    """

    remote: str | None
    deep: bool
    releases: int
    objects: int
    size: int
    unread: int
    not_here: int
    problems: tuple[Problem, ...]
    odd_tags: tuple[OddTag, ...] = ()

    def lines(self) -> Iterator[str]:
        for problem in self.problems[:SHOWN]:
            yield str(problem)
        if len(self.problems) > SHOWN:
            yield f"and {count(len(self.problems) - SHOWN)} more problems; --json has them all"
        where = f"on {self.remote}" if self.remote else "in the local cache"
        how = "read back" if self.deep else "checked"
        yield f"{numbered(self.releases, 'release')}, {numbered(self.objects, 'object')} {where} {how}, {size(self.size)}"
        if self.not_here:
            yield f"{numbered(self.not_here, 'object')} not in the local cache; --remote checks the remote's"
        if self.unread:
            yield f"{numbered(self.unread, 'object')} with the right size and no checksum on the remote: --deep reads them"


def fsck(
    registry: Registry,
    requests: Sequence[str] = (),
    *,
    remote: bool = False,
    deep: bool = False,
    repair_from: str | None = None,
) -> Checked:
    """Check the releases that were asked for, all by default.

    Tags and the local cache, or with `remote` the remote. `repair_from` (a DVC remote's name, a URL
    or a path) is where right bytes are copied from. Raises Refused with the answer when something
    is wrong, and stays so; BadRequest for a dataset or release that there is not; Outside when the
    remote cannot be asked.
    """
    asked = tags_asked_for(registry, requests, remote=remote)
    releases, problems, odd = asked.releases, asked.problems, asked.odd
    for one in odd:
        out.note(f"note: {one}")
    if remote:
        store = open_own(remote_of(registry.root))
        source = _source(registry, repair_from, store) if repair_from else None
        found = check_remote(store, releases, deep=deep, source=source)
        tell_of_lost_packs(store, releases, deep=deep)
        answer = Checked(
            store.location, deep, asked.annotated, found.objects, found.size, found.unread, 0,
            (*problems, *found.problems), odd,
        )  # fmt: skip
    else:
        here = check_cache(registry.root, releases)
        answer = Checked(
            None, False, asked.annotated, here.objects, here.size, 0, here.not_here,
            (*problems, *here.problems), odd,
        )  # fmt: skip
    _refuse_unsound(answer, remote, repair_from)
    return answer


@dataclass(frozen=True)
class Asked:
    """What tags say of the releases that are asked for: those there are, and what is wrong with others.

    `annotated` counts the tags that are no lightweight ones, `odd` don't count.
    """

    releases: tuple[Release, ...]
    problems: tuple[Problem, ...]
    odd: tuple[OddTag, ...]
    annotated: int


def tags_asked_for(registry: Registry, requests: Sequence[str], *, remote: bool) -> Asked:
    """What the tags of the releases say that are asked for, all by default. With `remote` the git
    remote's tags count.

    Raises BadRequest for a dataset or a release that there is not.
    """
    tags, problems, odd = _tags(registry, _wanted(registry, requests), remote)
    releases = []
    for tag in tags:
        problem = tag_problem(tag.name, tag.annotated, tag.message or "")
        release = None if problem else Release.of(tag.name, tag.commit, tag.message)
        problems += [problem] if problem else []
        releases += [release] if release else []
    annotated = sum(tag.annotated for tag in tags)
    return Asked(tuple(releases), tuple(problems), odd, annotated)


def _refuse_unsound(answer: Checked, remote: bool, repair_from: str | None) -> None:
    left = [problem for problem in answer.problems if not problem.repaired]
    if not left:
        return
    if any(problem.kind == "damaged-cache" for problem in left):
        hint = "remove the damaged objects from the cache, then: dvc fetch"
    elif remote and repair_from is None and any(problem.key for problem in left):
        hint = (
            "copy the right bytes from a remote that has them: dreg fsck --repair --from REMOTE; "
            "DVC's cache here may have some, too: --from .dvc/cache"
        )
    elif remote and any(problem.key for problem in left):
        hint = "try another remote that has them (--from), or push them from a clone that does: dvc push"
    elif moved := [problem.releases[0] for problem in left if problem.kind == "moved-tag"]:
        hint = (
            f"that one counts; have it here, too: git tag -d {' '.join(moved)}; "
            f"git fetch --tags {GIT_REMOTE}"
        )
    else:
        hint = "delete such tags here and on the git remote, or release anew: dreg release NAME"
    error = Refused(f"{numbered(len(left), 'problem')} found", hint=hint)
    error.answer = answer
    raise error


def _wanted(registry: Registry, requests: Sequence[str]) -> dict[str, list[Range]]:
    wanted: dict[str, list[Range]] = {}
    for request in requests:
        name, within = parse_request(request)
        ranges = wanted.setdefault(name, [])
        ranges += [within] if "@" in request else [Range.parse("*")]
    return wanted


def _tags(
    registry: Registry, wanted: dict[str, list[Range]], remote: bool
) -> tuple[list[git.Tag], list[Problem], tuple[OddTag, ...]]:
    """Tags that have names of releases, what was seen to be wrong with them already, and odd ones.

    With `remote` those on the git remote count, and are got from there.
    """
    repository = git.Repository(registry.root)
    tags = {tag.name: tag for tag in repository.full_tags()}
    named = {tag.name: tag.annotated for tag in tags.values()}
    problems: list[Problem] = []
    if remote and repository.remote_url(GIT_REMOTE) is not None:
        publisher, moved = Publisher(registry.root), {}
        there = git.remote_tags(GIT_REMOTE, "*-v*", cwd=registry.root)
        for name, tag in there.items():
            if parse_tag(name) is None:
                continue
            if name not in tags:
                publisher.fetch_tags(GIT_REMOTE, [name])
            elif tags[name].object != tag.object:
                text = f"the tag here is not the one on {GIT_REMOTE}"
                problems.append(Problem("moved-tag", (name,), text))
                moved[name] = publisher.tag_there(GIT_REMOTE, name) or tag
        named = {tag.name: tag.annotated for tag in there.values()}
        tags = {t.name: moved.get(t.name, t) for t in repository.full_tags() if t.name in there}
    released = {r.dataset for name in tags if (r := Release.of(name, "")) is not None}
    names = {*registry.names, *released}
    if unknown := next((name for name in wanted if name not in names), None):
        raise unknown_dataset(unknown, tuple(sorted(names)))
    chosen = [tag for tag in tags.values() if _asked(tag.name, wanted, names)]
    for name, ranges in wanted.items():
        if name not in {parsed[0] for tag in chosen if (parsed := parse_tag(tag.name))}:
            if name not in released:
                raise BadRequest(f"`{name}` was never released", hint=f"dreg release {name}")
            raise BadRequest(
                f"no release of `{name}` is in `{ranges[0]}`", hint=f"dreg list; dreg show {name}"
            )
    kept = {tag.name for tag in chosen}
    return (
        chosen,
        [problem for problem in problems if problem.releases[0] in kept],
        tuple(
            one
            for one in odd_tags(named, names)
            if parse_tag(one.tag) is None and (not wanted or of_dataset(one.tag, list(wanted)))
        ),
    )


def _asked(tag: str, wanted: dict[str, list[Range]], names: Collection[str]) -> bool:
    """Whether it has the name of a release, and of one that was asked for."""
    parsed = parse_tag(tag)
    if parsed is None or not wanted:
        return parsed is not None and parsed[0] in names
    dataset, version = parsed
    return any(within.text == "*" or version in within for within in wanted.get(dataset, []))


def _source(registry: Registry, repair_from: str, store: Store) -> Store:
    remote = read_remotes(registry.root).choose(wanted_remote(repair_from))
    if (remote.url, remote.endpoint) == (store.remote.url, store.remote.endpoint):
        raise BadRequest(
            f"`{repair_from}` is the remote to be repaired", hint="name another one with --from"
        )
    return open_own(remote)
