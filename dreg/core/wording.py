"""Numbers and names in sentences, and sentences in Markdown."""

from __future__ import annotations

import re

_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_MEANS_SOMETHING = re.compile(r"([\\`*\[<]|(?<!\w)_|_(?!\w))")


def numbered(number: int, noun: str) -> str:
    """A count and what is counted: `1 sample`, `2 samples`, `0 classes`, `2 entries`."""
    if number == 1:
        return f"1 {noun}"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return f"{number:,} {noun[:-1]}ies"
    return f"{number:,} {noun}{'es' if noun.endswith(('s', 'x', 'ch')) else 's'}"


def tick(name: str) -> str:
    """A name in backticks; in more of them if it has some, as Markdown wants it."""
    if "`" not in name:
        return f"`{name}`"
    fence = "`" * (max(map(len, re.findall("`+", name))) + 1)
    return f"{fence} {name} {fence}"


def as_markdown(text: str) -> str:
    """A sentence with names in backticks as Markdown: what is not in backticks stands for itself."""
    told, end = [], 0
    for span in _SPAN.finditer(text):
        told += [_MEANS_SOMETHING.sub(r"\\\1", text[end : span.start()]), span[0]]
        end = span.end()
    return "".join([*told, _MEANS_SOMETHING.sub(r"\\\1", text[end:])])


def printable(text: str) -> str:
    """Text of unknown origin on one line, and nothing in it that a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
