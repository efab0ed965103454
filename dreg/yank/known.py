"""What a consumer is told of yanks: one warning, with the reason, for a release that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dreg.adapters import git
from dreg.adapters.yank_memory import remember, remembered
from dreg.catalog import yank_in
from dreg.core.lock import Pin
from dreg.core.release import Release
from dreg.core.yank import Yank, records
from dreg.errors import DregError
from dreg.output import out

PATIENCE = 3.0  # seconds; what is locked can be had without knowing


@dataclass
class Yanks:
    """What the registries that one command asks say of releases' tags, each of them asked once."""

    asked: dict[str, Mapping[str, git.Tag] | None] = field(default_factory=dict)
    replaced: set[str] = field(default_factory=set)  # those that another is asked instead of

    def answers(self, repo: str) -> bool:
        """Whether the registry answers, at once."""
        return self._tags(repo) is not None

    def answered(self, repo: str) -> bool:
        """Whether the registry was asked, and answered."""
        return self.asked.get(repo) is not None

    def misses(self, repo: str, release: Release) -> bool:
        """Whether the registry answered, and has the release's tag no more."""
        tags, tagged = self.asked.get(repo), release.tag != release.commit
        return tags is not None and tagged and release.tag not in tags

    def marked(self, repo: str, release: Release) -> Release:
        """The release, marked if its registry says at once that it is yanked.

        Its commit is what the registry says its tag has now, if it says so.
        """
        tags = self._tags(repo)
        if tags is None:
            return replace(release, remembered=True)
        tag, about = tags.get(release.tag), records(tags).get(release.tag)
        yanked = about.yanked if about else None
        if tag is None:
            return replace(release, yanked=yanked)
        return replace(release, commit=tag.commit, tag_object=tag.object, yanked=yanked)

    def _tags(self, repo: str) -> Mapping[str, git.Tag] | None:
        if repo not in self.asked:
            try:
                self.asked[repo] = git.remote_tags(repo, "*-v*", seconds=PATIENCE)
            except DregError:
                self.asked[repo] = None
        return self.asked[repo]


def why(repo: str, release: Release) -> Yank | None:
    """Why the release is yanked; None if it isn't. Only then something is fetched: the record."""
    if release.yanked is None:
        return None
    try:
        return yank_in(git.fetch_tags(repo, [release.yanked]), release)
    except DregError:
        return Yank("")


def warn(repo: str, release: Release) -> Yank | None:
    """Warn of a release that is to be used although it is yanked; by what was known, if nobody answered."""
    if release.remembered:
        return warn_as_known(repo, release)
    yank = why(repo, release)
    remember(repo, release.tag, yank)
    return _told(release, yank)


def warn_as_known(repo: str, release: Release) -> Yank | None:
    """As `warn`, by what was known when the registry was last asked."""
    return _told(release, remembered(repo, release.tag))


def _told(release: Release, yank: Yank | None) -> Yank | None:
    if yank is not None:
        out.warn(f"{release.dataset} {release.version} is yanked: {yank}")
    return yank


def warn_of_leaving(repo: str, pin: Pin, releases: list[Release]) -> None:
    """Warn when the locked release is left because it is yanked."""
    for release in releases:
        if release.version == pin.version and release.yanked:
            reason = why(repo, release)
            out.warn(f"{pin.dataset} {pin.version}, which dreg.lock has, is yanked: {reason}")
