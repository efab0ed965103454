"""What there is: the datasets of a registry and what their releases say, here or at a URL."""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from semver import Version

from dreg.adapters import git
from dreg.core.changelog import last_told
from dreg.core.odd_tags import OddTag, odd_tags
from dreg.core.release import Release, marked, newest, usable
from dreg.core.version import Range, tag_of
from dreg.core.yank import Yank, tags_about
from dreg.errors import BadRequest
from dreg.output import count, out, size, table
from dreg.registry import Dataset, Registry, unknown_dataset


@dataclass(frozen=True)
class Listed:
    """One dataset. Version, size (bytes of the published files) and samples are those of the latest
    release that is not yanked; None if there is none. `releases` counts all, `yanked` names some."""

    name: str
    version: Version | None
    samples: int | None
    size: int | None
    releases: int
    yanked: tuple[Version, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The datasets of a registry. `odd_tags` look like releases and don't count."""

    repo: str
    datasets: tuple[Listed, ...]
    odd_tags: tuple[OddTag, ...] = ()

    def lines(self) -> Iterator[str]:
        if self.datasets:
            yanked = any(d.yanked for d in self.datasets)
            headers = ("DATASET", "LATEST", "SAMPLES", "SIZE", "RELEASES")
            rows = [
                (d.name, d.version or "-", count(d.samples), size(d.size), d.releases)
                + ((", ".join(map(str, d.yanked)),) if yanked else ())
                for d in self.datasets
            ]
            yield from table((*headers, "YANKED") if yanked else headers, rows)
        else:
            yield "no datasets yet"


def listing(repo: str | None = None) -> Listing:
    """The datasets of the registry at `repo` (URL or path, no clone), or of the one around us.

    Raises BadRequest when there is no registry, Outside when it can't be reached.
    """
    if repo is not None:
        tags = git.remote_tags(repo)
        latest = _latest(releases_in(tags.values()))
        said = {tag.name: tag for tag in git.fetch_tags(repo, [r.tag for r in latest.values()])}
        tags = {**tags, **said}
        return _listed(repo, (), tags.values())
    registry = Registry.here()
    return _listed(str(registry.root), registry.names, git.Repository(registry.root).full_tags())


def _listed(repo: str, names: Iterable[str], tags: Iterable[git.Tag]) -> Listing:
    tags = list(tags)
    messages = {tag.name: tag.message for tag in tags}
    by_name: dict[str, list[Release]] = {name: [] for name in names}
    # Of all but the newest it does not matter what they say.
    for release in releases_in(tags, said=False):
        by_name.setdefault(release.dataset, []).append(release)
    rows = []
    for name, releases in sorted(by_name.items()):
        last = newest(usable(releases))
        last = Release.of(last.tag, last.commit, messages[last.tag]) if last else None
        rows.append(
            Listed(
                name=name,
                version=last.version if last else None,
                samples=last.samples if last else None,
                size=last.size if last else None,
                releases=len(releases),
                yanked=tuple(sorted(r.version for r in releases if r.yanked)),
            )
        )
    odd = odd_tags({tag.name: tag.annotated for tag in tags}, by_name)
    for one in odd:
        out.note(f"note: {one}")
    return Listing(repo, tuple(rows), odd)


def releases_in(tags: Iterable[git.Tag], *, said: bool = True) -> list[Release]:
    """The releases among all of a repository's tags: annotated ones, marked where yanked; without what their
    messages have `said`, if that is not asked for."""
    tags = list(tags)
    found = (
        Release.of(tag.name, tag.commit, tag.message if said else None)
        for tag in tags
        if tag.annotated
    )
    return marked((release for release in found if release), [tag.name for tag in tags])


def _latest(releases: Iterable[Release]) -> dict[str, Release]:
    by_name: dict[str, list[Release]] = {}
    for release in releases:
        by_name.setdefault(release.dataset, []).append(release)
    return {n: last for n, rs in by_name.items() if (last := newest(usable(rs))) is not None}


def releases_of(root: Path, name: str) -> list[Release]:
    """Releases of one dataset by the local tags, oldest first."""
    found = releases_in(git.Repository(root).full_tags(*tags_about(name)))
    return sorted((r for r in found if r.dataset == name), key=lambda r: r.version)


def warn_of_tags_elsewhere(dataset: Dataset, here: Collection[Version]) -> None:
    """Say so where the newest release that the tree's changelog tells of has no tag `here`.

    As in a checkout of a CI job, or a clone that got commits and not their tags.
    """
    try:
        told = last_told(dataset.changelog())
    except BadRequest:
        return
    if told is None or told in here or git.Repository(dataset.root).remote_url() is None:
        return
    out.warn(
        f"`{dataset.changelog_path}` tells of {told}, and its tag is not in this clone: git fetch --tags"
    )


def listed_releases(name: str, repo: str | None) -> list[Release]:
    """The dataset's releases by the tags at `repo`, or here. Raises BadRequest for an unknown one."""
    if repo is None:
        registry = Registry.here()
        found = releases_of(registry.root, name)
        if not found or name in registry.names:  # what was imported has no pipeline here
            warn_of_tags_elsewhere(registry.dataset(name), {r.version for r in found})
        return found
    own = releases_in(git.remote_tags(repo, *tags_about(name)).values())
    found = [release for release in own if release.dataset == name]
    if not found:
        everything = releases_in(git.remote_tags(repo, "*-v*").values())
        raise unknown_dataset(name, tuple(sorted({r.dataset for r in everything})))
    return found


def yank_in(tags: Iterable[git.Tag], release: Release) -> Yank | None:
    """Why the release is yanked, by the tag that does it, which may be among `tags`."""
    if release.yanked is None:
        return None
    said = [tag for tag in tags if tag.name == release.yanked]
    return Yank.of(said[0].message, said[0].tagger, said[0].date) if said else Yank("")


def choose(name: str, wanted: Range, found: Iterable[Release], repo: str | None = None) -> Release:
    """The newest release in the range; one that is yanked, or light, only if just its version is asked for.

    Raises BadRequest that says what there is; `repo` is where, if not around us.
    """
    found = list(found)
    exact = [release for release in found if wanted.bounds == (("=", release.version),)]
    fit = exact or usable(found)
    version = wanted.newest(release.version for release in fit)
    if version is None:
        raise _no_release(name, wanted, found, repo)
    return next(release for release in fit if release.version == version)


def _no_release(name: str, wanted: Range, found: list[Release], repo: str | None) -> BadRequest:
    at = f" --repo {shlex.quote(repo)}" if repo else ""
    yanked = wanted.newest(release.version for release in found if release.yanked)
    if yanked is not None:
        return BadRequest(
            f"every release of `{name}` in `{wanted}` is yanked",
            hint=f"see why: dreg show {name}@{yanked}{at}; just that one can still be had: "
            f"dreg fetch {name}@{yanked}{at}",
        )
    light = wanted.newest(release.version for release in found if release.light)
    if light is not None:
        odd = odd_tags({tag_of(name, light): False})[0]
        return BadRequest(
            f"no release of `{name}` is in `{wanted}`",
            hint=f"{odd}; just that one can still be had: dreg fetch {name}@{light}",
        )
    versions = ", ".join(
        str(r.version) for r in sorted(usable(found), key=lambda r: r.version)[-5:]
    )
    return BadRequest(
        f"no release of `{name}` is in `{wanted}`",
        hint=f"there are: {versions}" if versions else f"release it first: dreg release {name}",
    )
