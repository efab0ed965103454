"""Tags that look like releases and are none, or like yanks of none: what keeps them from counting."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dreg.core.version import ENDS_LIKE_A_VERSION, NAME, parse_tag
from dreg.core.yank import yank_of_tag

LOOKS_LIKE_A_RELEASE = re.compile(r"(.+?)-[vV](\d.*)", re.DOTALL)


@dataclass(frozen=True)
class OddTag:
    """A tag that does not count, and why."""

    tag: str
    why: str

    def __str__(self) -> str:
        return f"`{self.tag}` does not count: {self.why}"


def odd_tags(tags: Mapping[str, bool]) -> tuple[OddTag, ...]:
    """Those among the tags, which say whether they are annotated, that don't count."""
    releases = {tag for tag, annotated in tags.items() if annotated and parse_tag(tag)}
    return tuple(_odd(sorted(tags.items()), releases))


def _odd(tags: Iterable[tuple[str, bool]], releases: set[str]) -> Iterator[OddTag]:
    for tag, annotated in tags:
        if parse_tag(tag):
            if not annotated:
                yield OddTag(tag, "it is a lightweight tag, and releases are annotated ones")
        elif tag.startswith(("yank/", "unyank/")):
            about = yank_of_tag(tag)
            if about is None:
                yield OddTag(tag, "it names no release, as yank/NAME-v1.2.0 does")
            elif about not in releases:
                yield OddTag(tag, f"there is no release `{about}`")
        elif match := LOOKS_LIKE_A_RELEASE.fullmatch(tag):
            yield OddTag(tag, _why(tag, match[1], match[2]))


def _why(tag: str, name: str, version: str) -> str:
    """For a tag with several `-v`, by the last of which the name is one."""
    name, version = max(
        ((tag[: m.start()], tag[m.end() :]) for m in re.finditer(r"-v(?=\d)", tag)),
        key=lambda parts: (parse_tag(f"x-v{parts[1]}") is not None, len(parts[0])),
        default=(name, version),
    )
    if parse_tag(f"x-v{version}") is None:
        return f"`{version}` is not a version, as 1.2.0 is"
    if NAME.fullmatch(name) and ENDS_LIKE_A_VERSION.search(name):
        return f"`{name}` ends like a version, so it cannot name a dataset"
    if not NAME.fullmatch(name):
        return f"`{name}` cannot name a dataset: lower case letters, digits and single `-`"
    return "releases are tags NAME-v1.2.0, with a small v"
