"""Text of unknown origin in GitHub's Markdown: it stands for itself, and does nothing.

Names of datasets, columns and samples come from whoever opens a pull request. Here nothing of them
is markup, closes a table's cell or a block, mentions a person, refers to an issue or becomes a link.
"""

from __future__ import annotations

import re

from dreg.core.wording import printable

_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_PLAIN = " ,;("  # not `-` and `)`, which make lists where a line begins
_APART = "&#8203;"  # a space of no width, behind which GitHub sees neither a name nor a number
_LINKS = re.compile(r"@|#|\bgh-|:(?=//)|\bwww(?=\.)", re.IGNORECASE)


def literal(text: str) -> str:
    """Text on one line that is nothing but text.

    All that could mean something is written as a number: Markdown takes no such character for
    structure, neither in a table's cell nor anywhere else.
    """
    told, end, text = [], 0, printable(text).strip()
    for link in _LINKS.finditer(text):
        told += [_escaped(text[end : link.end()]), _APART]
        end = link.end()
    return "".join([*told, _escaped(text[end:])])


def code(text: str) -> str:
    """A name, as code. GitHub looks for no mentions within."""
    inside = "".join(
        sign if sign.isalnum() or sign in " -" else f"&#{ord(sign)};" for sign in printable(text)
    )
    return f"<code>{inside}</code>"


def sentence(text: str) -> str:
    """A sentence of dreg's, in which names stand in backticks."""
    told, end = [], 0
    for span in _SPAN.finditer(text):
        told += [_spaced(text[end : span.start()]), code(span[2].strip() or span[2])]
        end = span.end()
    return "".join([*told, _spaced(text[end:])]).strip()


def _spaced(text: str) -> str:
    """As `literal`, of a part of a sentence."""
    before, behind = (" " if text[at : at + 1 or None].isspace() else "" for at in (0, -1))
    return f"{before}{literal(text)}{behind if text.strip() else ''}"


def row(*cells: object) -> str:
    """A row of a table; what is in the cells is literal, code or a sentence already."""
    return "| " + " | ".join(map(str, cells)) + " |"


def _escaped(text: str) -> str:
    return "".join(sign if sign.isalnum() or sign in _PLAIN else f"&#{ord(sign)};" for sign in text)
