"""What a piece of HTML in Markdown says: headings and text, no markup, badges or links within the page."""

from __future__ import annotations

import re
from html.parser import HTMLParser

LINE = {"br", "p", "div", "tr", "table", "ul", "ol", "details", "summary", "blockquote", "pre", "dt", "dd"}  # fmt: skip
UNSAID = {"script", "style", "svg", "picture", "head", "template"}
SPACES = re.compile(r"[^\S\n]+")
Part = tuple[int, str]


def html_parts(html: str) -> list[Part]:
    """Headings (1 to 6) and texts (0) in order; none of them is empty."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.finished()


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[Part] = []
        self.text = ""
        self.heading = 0
        self.unsaid: list[str] = []  # open elements of which nothing is said
        self.folded = ""  # the summary of an open `details`, until something else is in it

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSAID or (
            tag == "a" and not self.heading and (dict(attrs).get("href") or "").startswith("#")
        ):
            self.unsaid.append(tag)
        elif level := _level(tag):
            self._end()
            self.heading = level
        elif tag == "li":
            self.text += "\n- "
        elif tag in ("td", "th"):
            self.text += " | "
        elif tag == "summary":
            self._end()
        elif tag in LINE:
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        if self.unsaid and tag == self.unsaid[-1]:
            self.unsaid.pop()
        elif _level(tag):
            self._end()
        elif tag == "summary":
            self.folded, self.text = self.text, ""
        elif tag == "details":
            self._end()
            self.folded = ""
        elif tag in LINE:
            self.text += "\n"

    def handle_data(self, data: str) -> None:
        if not self.unsaid:
            self.text += data

    def finished(self) -> list[Part]:
        self._end()
        return self.parts

    def _end(self) -> None:
        level, self.heading = self.heading, 0
        text, self.text = tidy(self.text), ""
        if text:
            folded, self.folded = tidy(self.folded), ""
            if folded:
                self.parts.append((0, folded))
            self.parts.append((level, " ".join(text.split()) if level else text))


def _level(tag: str) -> int:
    return int(tag[1]) if re.fullmatch("h[1-6]", tag) else 0


def tidy(text: str) -> str:
    """Single spaces, no empty lines; nothing of a line without a letter or digit."""
    lines = (SPACES.sub(" ", line).strip() for line in text.splitlines())
    return "\n".join(line for line in lines if any(map(str.isalnum, line)))
