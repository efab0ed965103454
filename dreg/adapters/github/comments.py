"""Comments on a pull request, of which one is ours."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from dreg.adapters.github.api import Api

AUTHOR = "github-actions[bot]"  # who a workflow's token is; a mark in a text anybody can write


@dataclass(frozen=True)
class Comment:
    """One comment: its id, its text, and where it is seen."""

    id: int
    body: str
    url: str


class Comments:
    """The comments of a repository, `owner/name`. What GitHub refuses is told as Outside."""

    def __init__(self, repository: str) -> None:
        self.api = Api()
        self.path = f"/repos/{quote(repository)}"

    def head(self, pull: int) -> str:
        """The commit that a pull request is at."""
        return str(self.api.get(f"{self.path}/pulls/{pull:d}")["head"]["sha"])

    def own(self, pull: int, mark: str) -> Comment | None:
        """The comment of a workflow's own that begins with `mark`, the oldest if there are several."""
        for one in self.api.pages(f"{self.path}/issues/{pull:d}/comments?per_page=100"):
            body = str(one.get("body") or "")
            if (one.get("user") or {}).get("login") == AUTHOR and body.startswith(mark):
                return Comment(int(one["id"]), body, str(one.get("html_url", "")))
        return None

    def write(self, pull: int, body: str) -> str:
        """A new comment; where it is seen."""
        made = self.api.change("POST", f"{self.path}/issues/{pull:d}/comments", {"body": body})
        return str(made.get("html_url", ""))

    def update(self, comment: int, body: str) -> str:
        """Another text for a comment; where it is seen."""
        made = self.api.change("PATCH", f"{self.path}/issues/comments/{comment:d}", {"body": body})
        return str(made.get("html_url", ""))
