"""Another registry for what is locked: where the recorded one does not answer, that which DREG_REPO names.

It is as good as a mirror that --repo names: commit and manifest have to be those of the lock, which keeps saying where
it is from. What is newer is taken from a mirror that has the locked release, too.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import replace

from dreg.adapters import git
from dreg.core.lock import Pin
from dreg.core.release import Release
from dreg.errors import Refused
from dreg.fetch.pin import Request
from dreg.output import out
from dreg.yank.known import Yanks

VARIABLES = ("DREG_REPO", "DVC_REPO")  # that name the registry, the first first


def of_environment() -> str | None:
    """The registry that the environment names."""
    return next(filter(None, map(os.environ.get, VARIABLES)), None)


def other_than(repo: str) -> str | None:
    """The registry that the environment names, unless it is this one."""
    other = of_environment()
    return other if other and git.public_url(other) != git.public_url(repo) else None


def answering(request: Request, yanks: Yanks) -> Request:
    """The request, at the registry that answers, if one of the two does."""
    pin = request.settled
    other = other_than(request.repo) if request.as_locked else None
    if pin is None or other is None or yanks.answers(request.repo) or not yanks.answers(other):
        return request
    if request.repo not in yanks.replaced:
        yanks.replaced.add(request.repo)
        tell(request.repo, other)
    return at(request, other)


def at(request: Request, other: str) -> Request:
    """The request, at a mirror of its registry: what is locked has to be the same there."""
    pin = request.pin
    return replace(request, repo=other, pin=pin and replace(pin, repo=git.public_url(other)))


def refuse_no_mirror(pin: Pin, other: str, releases: Iterable[Release]) -> None:
    """Raises Refused unless the other registry has the locked release, as it is locked: what it has beyond
    may be another's."""
    own = next((release for release in releases if release.tag == pin.tag), None)
    if own is None:
        raise Refused(
            f"{git.public_url(other)} has no `{pin.tag}`, which dreg.lock has, and so is no mirror of {pin.repo}",
            hint=f"take its releases anyway: dreg update {pin.dataset} --repo {git.public_url(other)}",
        )
    pin.check_not_moved(own.commit, pin.manifest)  # which only the tag itself tells


def tell(repo: str, other: str) -> None:
    """Warn that another registry is asked than the recorded one."""
    variable = next(name for name in VARIABLES if os.environ.get(name))
    out.warn(
        f"{git.public_url(repo)}, which dreg.lock has, does not answer; "
        f"{variable} names {git.public_url(other)}, which is asked instead"
    )
