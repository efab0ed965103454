"""Releases never change: a tag that leads elsewhere than it did is refused, in a lock or not."""

from __future__ import annotations

from dreg.adapters import git
from dreg.adapters.tag_memory import Seen, remember, remembered
from dreg.core.release import Release
from dreg.errors import Refused


def refuse_moved(repo: str, release: Release, *, accepted: bool) -> None:
    """Raises Refused for a release whose tag led elsewhere when it was resolved here before, unless
    just this commit is `accepted`; from then on, it is the one that is known."""
    place = git.public_url(repo)
    now = Seen(release.tag_object or release.commit, release.commit)
    before = remembered(place, release.tag)
    if before is None or accepted:
        if before != now:
            remember(place, release.tag, now)
        return
    if before.commit != now.commit:
        moved = f"moved: it was at {before.commit[:12]} when it was read here, and is at {now.commit[:12]} now"
    elif before.object != now.object:
        moved = f"was made anew since it was read here, at the same commit {now.commit[:12]}"
    else:
        return
    raise Refused(
        f"the tag `{release.tag}` {moved}",
        hint="releases never change, so ask the registry's owner; to take what is there now: "
        f"dreg fetch {release.dataset}@{now.commit}",
    )
