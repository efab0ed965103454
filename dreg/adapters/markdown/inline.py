"""The words of a paragraph: without emphasis, images and HTML; links by their text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from markdown_it.tree import SyntaxTreeNode

ANCHOR = re.compile(r"<a\s[^>]*href\s*=\s*[\"']?#", re.IGNORECASE)
BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)


def words(node: SyntaxTreeNode) -> str:
    """What the inline content of a block says; empty for one that only leads elsewhere on its page."""
    children = node.children[0].children if node.children else []
    if leads_within(children):
        return ""
    lines = "".join(_said(children)).splitlines()
    text = "\n".join(" ".join(line.split()) for line in lines).strip()
    return text if any(map(str.isalnum, text)) else ""


def leads_within(nodes: Sequence[SyntaxTreeNode]) -> bool:
    """Whether there is nothing but one link to a heading, as in a table of contents."""
    solid = [node for node in nodes if not (node.type == "text" and not node.content.strip())]
    return len(solid) == 1 and solid[0].type == "link" and _href(solid[0]).startswith("#")


def _said(nodes: Sequence[SyntaxTreeNode]) -> Iterator[str]:
    within = False  # of `<a href="#...">`, until its end
    for node in nodes:
        if node.type == "html_inline":
            if ANCHOR.match(node.content):
                within = True
            elif node.content.lower().startswith("</a"):
                within = False
            elif BREAK.fullmatch(node.content):
                yield "\n"
        elif within or node.type == "image":
            continue
        elif node.type == "text":
            yield node.content
        elif node.type == "code_inline":
            yield f"`{node.content}`"
        elif node.type in ("softbreak", "hardbreak"):
            yield "\n"
        else:
            yield from _said(node.children)


def _href(node: SyntaxTreeNode) -> str:
    return str(node.attrs.get("href", ""))
