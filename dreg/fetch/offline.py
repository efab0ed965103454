"""Which release is meant when the registry cannot be reached: what dreg's cache knows of its tags."""

from __future__ import annotations

from dataclasses import replace

from semver import Version

from dreg.adapters import git
from dreg.core.release import Release
from dreg.core.version import Range
from dreg.errors import Outside
from dreg.output import out


def as_known(repo: str, dataset: str, wanted: Range, error: git.Unreachable) -> Release:
    """The release, if just one version is wanted and its tag was read before. Raises `error` if not:
    which is the newest in a range, only the registry can tell."""
    try:
        known = _known(repo, dataset)
    except Outside as damage:
        hint = f"{error.hint}; {damage.hint}"
        raise git.Unreachable(f"{error.fact}, and {damage.fact}", hint=hint) from damage
    for version, found in known.items():
        if (
            wanted.bounds == (("=", version),) and len(found) == 1
        ):  # else the tag moved, and whither?
            (release,) = found
            out.warn(
                f"{error.fact}: {release.tag} is as it was when `{git.public_url(repo)}` was last read"
            )
            return replace(release, remembered=True)
    if known:
        versions = ", ".join(map(str, sorted(known)[-5:]))
        error.hint = f"{error.hint}; dreg's cache knows {dataset} {versions}: name one exactly"
    raise error


def _known(repo: str, dataset: str) -> dict[Version, set[Release]]:
    """The dataset's releases by version."""
    known: dict[Version, set[Release]] = {}
    for tag in git.known_tags(repo):
        found = Release.of(tag.name, tag.commit, tag.message)
        if found is not None and found.dataset == dataset and found.manifest:
            one = replace(found, tag_object=tag.object)
            known.setdefault(found.version, set()).add(one)
    return known
