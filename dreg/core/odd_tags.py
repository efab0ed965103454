"""Tags that look like releases and are none, or like yanks of none: what keeps them from counting."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from dreg.core.version import ENDS_LIKE_A_VERSION, NAME, parse_tag
from dreg.core.yank import yank_of_tag

LOOKS_LIKE_A_RELEASE = re.compile(r"(.+?)-[vV](\d.*)", re.DOTALL)
NOT_A_VERSION = "is not a version, as 1.2.0 is"


@dataclass(frozen=True)
class OddTag:
    """A tag that does not count, and why."""

    tag: str
    why: str

    def __str__(self) -> str:
        return f"`{self.tag}` does not count: {self.why}"


def odd_tags(tags: Mapping[str, bool], datasets: Collection[str] = ()) -> tuple[OddTag, ...]:
    """Those among the tags, which say whether they are annotated, that don't count.

    Of `datasets` that there are, also those whose version doesn't even begin like one.
    """
    releases = {tag for tag, annotated in tags.items() if annotated and parse_tag(tag)}
    return tuple(_odd(sorted(tags.items()), releases, datasets))


def version_meant(tag: str, datasets: Collection[str]) -> tuple[str, str] | None:
    """Dataset and what stands for a version in `wine-vfoo`, if there is a dataset `wine`.

    Of several datasets that a tag begins with, it is about the one with the longest name.
    """
    about = [name for name in datasets if tag.startswith(f"{name}-")]
    name = max(about, key=len, default="")
    said = tag.removeprefix(f"{name}-v")
    return (name, said) if about and said != tag else None


def _odd(
    tags: Iterable[tuple[str, bool]], releases: set[str], datasets: Collection[str]
) -> Iterator[OddTag]:
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
        elif meant := version_meant(tag, datasets):
            yield OddTag(tag, f"`{meant[1]}` {NOT_A_VERSION}")


def _why(tag: str, name: str, version: str) -> str:
    """For a tag with several `-v`, by the last of which the name is one."""
    name, version = max(
        ((tag[: m.start()], tag[m.end() :]) for m in re.finditer(r"-v(?=\d)", tag)),
        key=lambda parts: (parse_tag(f"x-v{parts[1]}") is not None, len(parts[0])),
        default=(name, version),
    )
    if parse_tag(f"x-v{version.partition('+')[0]}") is not None and "+" in version:
        return f"`{version}` has build metadata, and releases have none"
    if parse_tag(f"x-v{version}") is None:
        return f"`{version}` {NOT_A_VERSION}"
    if NAME.fullmatch(name) and ENDS_LIKE_A_VERSION.search(name):
        return f"`{name}` ends like a version, so it cannot name a dataset"
    if not NAME.fullmatch(name):
        return f"`{name}` cannot name a dataset: lower case letters, digits and single `-`"
    return "releases are tags NAME-v1.2.0, with a small v"
