"""Posting a review on its pull request, from a job that is trusted: one comment, kept up to date.

The job that reviewed ran the pull request's own code, so what it left is of unknown origin. Its texts
are rendered here, by this code; and it may only name the pull request whose head this run is about.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.github.comments import Comments
from dreg.ci.review import FILE, Review
from dreg.core.ci.comment import MARK, Place, comment
from dreg.core.ci.reviewed import from_json
from dreg.core.json_text import parse_json
from dreg.errors import BadRequest, Refused

LARGEST = 4 * 1024 * 1024  # bytes of a review


@dataclass(frozen=True)
class Posted:
    """The comment on pull request `pull`. `state`: written, updated, or unchanged."""

    pull: int
    state: str
    url: str

    def lines(self) -> Iterator[str]:
        yield f"{self.state} the review of #{self.pull}: {self.url}"


def ci_comment(results: Path, *, head: str, run: str = "") -> Posted:
    """Post the review in the folder `results` on its pull request, if that is still at commit `head`.

    `run` is the number of the workflow's run that has the review's files.

    Raises BadRequest for what is no review, Refused for one of another pull request, Outside when GitHub
    cannot be asked.
    """
    repository = os.environ.get("GITHUB_REPOSITORY", "")
    if not repository:
        raise BadRequest(
            "GITHUB_REPOSITORY does not say where to comment",
            hint="set it to owner/name; a workflow of GitHub's has it",
        )
    review = _read(results.expanduser() / FILE)
    if review.pull is None:
        raise BadRequest("the review is of no pull request", hint="dreg ci review --pull NUMBER")
    comments = Comments(repository)
    if comments.head(review.pull) != head:
        raise Refused(
            f"pull request {review.pull} is not at {head[:12]}",
            hint="nothing was posted; the review of its newest commit will be",
        )
    place = Place(os.environ.get("GITHUB_SERVER_URL", "https://github.com"), repository, run)
    text = comment(review.datasets, gone=review.gone, head=head, place=place)
    there = comments.own(review.pull, MARK)
    if there is None:
        return Posted(review.pull, "written", comments.write(review.pull, text))
    if there.body.strip() == text.strip():
        return Posted(review.pull, "unchanged", there.url)
    return Posted(review.pull, "updated", comments.update(there.id, text))


def _read(path: Path) -> Review:
    """Raises BadRequest for anything but a review."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError("it is too large")
        return from_json(Review, parse_json(data), FILE)
    except (OSError, ValueError) as error:
        raise BadRequest(
            f"`{path}` is no review: {error}", hint="make one: dreg ci review --base REV --out DIR"
        ) from error
