"""A passage: a chunk of a document, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Passage:
    """The chunk with number `chunk` (from 0) of the file `path` in `repo`, and the headings above it.

    `commit` is where it is known. `embedded` is what its vector is made of: `text`, with what it
    takes to understand it alone.
    """

    repo: str
    path: str
    commit: str | None
    chunk: int
    h1: str | None
    h2: str | None
    h3: str | None
    text: str
    embedded: str

    @property
    def key(self) -> str:
        """What tells it from all others. A changed document changes keys of its own chunks only."""
        return f"{self.file}#{self.chunk}"

    @property
    def file(self) -> str:
        """The document that it is from, as questions name it."""
        return f"{self.repo}/{self.path}"
