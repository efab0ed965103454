"""Another registry for what is locked: where the recorded one does not answer, that which DREG_REPO names.

It is as good as a mirror that --repo names: commit and manifest have to be those of the lock, which stays as it is.
"""

from __future__ import annotations

import os
from dataclasses import replace

from dreg.adapters import git
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
    return replace(request, repo=other, pin=replace(pin, repo=git.public_url(other)))


def tell(repo: str, other: str) -> None:
    """Warn that another registry is asked than the recorded one."""
    variable = next(name for name in VARIABLES if os.environ.get(name))
    out.warn(
        f"{git.public_url(repo)}, which dreg.lock has, does not answer; "
        f"{variable} names {git.public_url(other)}, which is asked instead"
    )
