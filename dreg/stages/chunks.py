"""Documents in Markdown as chunks: cleaned, cut at their headings, then to size.

    for chunk in chunks(text, size=800, overlap=100):
        print(chunk.headings, chunk.text)

What is cut off says nothing to who searches: HTML, badges, tables of contents, lines of drawings. A
function of text and options alone: the same document always gives the same chunks, whatever the others are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dreg.adapters.extras import needed
from dreg.errors import BadRequest

FENCE = re.compile(r"\s*(```|~~~)")
Headings = tuple[str | None, str | None, str | None]


@dataclass(frozen=True)
class Chunk:
    """A part of a document: its place there, from 0, the headings h1 to h3 above it, its Markdown."""

    number: int
    headings: Headings
    text: str

    @property
    def in_context(self) -> str:
        """The text below its headings: what it is about is often said only there."""
        above = " > ".join(heading for heading in self.headings if heading)
        return f"{above}\n\n{self.text}" if above else self.text


def chunks(markdown: str, size: int = 800, overlap: int = 100) -> list[Chunk]:
    """The document's chunks, of at most `size` characters each, none across a heading of level 1 to 3.

    Chunks of one section share up to `overlap` characters with the one before. Raises BadRequest for
    sizes that are none, Outside when the splitter is not installed.
    """
    check(size, overlap)
    needed("markdown_it", "embeddings")
    from dreg.adapters.markdown import sections

    splitter = needed("semantic_text_splitter", "embeddings").MarkdownSplitter(size, overlap)
    found = (
        (section.headings, text)
        for section in sections(markdown)
        for text in splitter.chunks(section.text)
    )
    return [
        Chunk(number, headings, text)
        for number, (headings, text) in enumerate(one for one in found if said(one[1]))
    ]


def check(size: object, overlap: object) -> None:
    """Raises BadRequest unless both are whole numbers, and an overlap leaves something to go on with."""
    for name, value in (("size", size), ("overlap", overlap)):
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise BadRequest(f"the {name} of chunks is `{value}`", hint="give whole numbers")
    assert isinstance(size, int) and isinstance(overlap, int)
    if overlap >= size:
        raise BadRequest(
            f"chunks of {size} characters cannot share {overlap}",
            hint="give a size of some hundreds, and a tenth of it as overlap",
        )


def said(text: str) -> bool:
    """Whether it says anything: the first line of a fence is a chunk of its own sometimes."""
    lines = (line for line in text.splitlines() if not FENCE.match(line))
    return any(map(str.isalnum, "".join(lines)))
