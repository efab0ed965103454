"""What a consumer is told of yanks: one warning, with the reason, for a release that it has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from dreg.adapters import git
from dreg.catalog import yank_in
from dreg.core.lock import Pin
from dreg.core.release import Release
from dreg.core.yank import Yank, records
from dreg.errors import DregError
from dreg.output import out

PATIENCE = 3.0  # seconds; what is locked can be had without knowing


@dataclass
class Yanks:
    """The yanks of the registries that one command asks, each of them once."""

    asked: dict[str, Mapping[str, str]] = field(default_factory=dict)

    def marked(self, repo: str, release: Release) -> Release:
        """The release, marked if its registry says at once that it is yanked."""
        if repo not in self.asked:
            try:
                tags = git.remote_tags(repo, "yank/*", "unyank/*", seconds=PATIENCE)
            except DregError:
                tags = {}
            self.asked[repo] = {
                tag: about.yanked for tag, about in records(tags).items() if about.yanked
            }
        return replace(release, yanked=self.asked[repo].get(release.tag))


def why(repo: str, release: Release) -> Yank | None:
    """Why the release is yanked; None if it isn't. Only then something is fetched: the record."""
    if release.yanked is None:
        return None
    try:
        return yank_in(git.fetch_tags(repo, [release.yanked]), release)
    except DregError:
        return Yank("")


def warn(repo: str, release: Release) -> Yank | None:
    """Warn of a release that is to be used although it is yanked."""
    yank = why(repo, release)
    if yank is not None:
        out.warn(f"{release.dataset} {release.version} is yanked: {yank}")
    return yank


def warn_of_leaving(repo: str, pin: Pin, releases: list[Release]) -> None:
    """Warn when the locked release is left because it is yanked."""
    for release in releases:
        if release.version == pin.version and release.yanked:
            reason = why(repo, release)
            out.warn(f"{pin.dataset} {pin.version}, which dreg.lock has, is yanked: {reason}")
