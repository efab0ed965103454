"""Markdown as sections: what stands below which headings, cleaned, still as Markdown.

CommonMark's own parser says what is a heading, code or a table; a `#` in a shell script is none.
Headings that are written in HTML count as those in Markdown do.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode

from dreg.adapters.markdown.drawings import DRAWN, without_drawing
from dreg.adapters.markdown.html_text import Part, html_parts
from dreg.adapters.markdown.inline import words

DEEPEST = 3  # headings below are part of the text
Headings = tuple[str | None, str | None, str | None]
ORNAMENT = re.compile(r"^[^\w`\"'(\[<.@/$-]+|[^\w`\"')\]>.!?%+*]+$")


@dataclass(frozen=True)
class Section:
    """Text, and the headings of the first three levels above it; None where there is none."""

    headings: Headings
    text: str


def sections(markdown: str) -> list[Section]:
    """The sections that say something, in order. The same text always gives the same."""
    found: list[Section] = []
    headings: Headings = (None, None, None)
    body: list[str] = []

    def end() -> None:
        if body:
            found.append(Section(headings, "\n\n".join(body)))
            body.clear()

    for level, text in parts(markdown):
        if not 0 < level <= DEEPEST:
            body.append(f"{'#' * level} {text}" if level else text)
            continue
        end()
        kept = [*headings[: level - 1], text, None, None]
        headings = (kept[0], kept[1], kept[2])
    end()
    return found


def parts(markdown: str) -> Iterator[Part]:
    """Headings (1 to 6) and blocks of text (0), in order; none of them is empty."""
    parser = MarkdownIt("commonmark").enable("table")
    for node in SyntaxTreeNode(parser.parse(markdown)).children:
        if node.type == "html_block":
            for level, text in html_parts(node.content):
                told = plain(text) if level else text
                if told:
                    yield level, told
        elif node.type == "heading":
            if title := plain(words(node).replace("\n", " ")):
                yield int(node.tag[1]), title
        elif text := block(node):
            yield 0, text


def plain(heading: str) -> str:
    """A heading without the pictures around its words."""
    return ORNAMENT.sub("", heading.strip()).strip()


def block(node: SyntaxTreeNode) -> str:
    """A block as Markdown; empty if it says nothing."""
    match node.type:
        case "paragraph" | "heading":
            text = words(node)
            return without_drawing(text) if DRAWN.search(text) else text
        case "fence" | "code_block":
            return code(node)
        case "bullet_list" | "ordered_list":
            return items(node)
        case "blockquote":
            return textwrap.indent(inside(node), "> ", lambda line: True)
        case "html_block":
            return "\n".join(text for _, text in html_parts(node.content))
        case "table":
            return table(node)
        case _:
            return ""


def inside(node: SyntaxTreeNode, between: str = "\n\n") -> str:
    return between.join(text for child in node.children if (text := block(child)))


def code(node: SyntaxTreeNode) -> str:
    """Code as it is, and of drawings the words."""
    text = without_drawing(node.content)
    if not any(map(str.isalnum, text)):
        return ""
    fence = "~~~" if "```" in text else "```"
    return f"{fence}{node.info.split(' ')[0] if node.info else ''}\n{text}\n{fence}"


def items(node: SyntaxTreeNode) -> str:
    """A list, numbered if it was, without items that say nothing."""
    lines = []
    number = int(node.attrs.get("start", 1))
    for item in node.children:
        if not (text := inside(item, "\n")):
            continue
        mark = "- " if node.type == "bullet_list" else f"{number}. "
        number += 1
        lines.append(mark + textwrap.indent(text, " " * len(mark)).lstrip())
    return "\n".join(lines)


def table(node: SyntaxTreeNode) -> str:
    """A table, a line for each row."""
    rows = [
        [words(cell).replace("\n", " ") for cell in row.children]
        for half in node.children
        for row in half.children
    ]
    lines = [f"| {' | '.join(row)} |" for row in rows if any(row)]
    if len(rows) > 1 and any(rows[0]):
        lines.insert(1, f"|{'---|' * len(rows[0])}")
    return "\n".join(lines)
