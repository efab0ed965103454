"""Which tags of a registry are releases to those who fetch.

Releases are annotated tags, by which everything else of dreg goes. A plain DVC repository may have
nothing but lightweight ones, so these count as well, of a dataset that dreg never released.
"""

from __future__ import annotations

from collections.abc import Mapping

from dreg.adapters import git
from dreg.core.release import Release, marked


def tagged(repo: str, tags: Mapping[str, git.Tag], dataset: str) -> list[Release]:
    """The dataset's releases among the `tags` that `repo` has; yanked ones and light ones are marked.

    Raises Outside when it must be asked what the tags say, and does not answer.
    """
    found = {tag.name: Release.of(tag.name, tag.commit) for tag in tags.values()}
    own = [release for release in found.values() if release and release.dataset == dataset]
    light = {release.tag for release in own if not tags[release.tag].annotated}
    counting = [release.tag for release in own if release.tag not in light]
    if light and not _by_dreg(repo, counting):
        light = set()
    releases = [
        Release(
            dataset, r.version, r.tag, r.commit, tag_object=tags[r.tag].object, light=r.tag in light
        )
        for r in own
    ]
    return marked(releases, tags)


def _by_dreg(repo: str, tags: list[str]) -> bool:
    """Whether one of the annotated tags names a manifest."""
    said = (Release.of(tag.name, tag.commit, tag.message) for tag in git.fetch_tags(repo, tags))
    return any(release is not None and release.manifest for release in said)
