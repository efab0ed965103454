"""Yanking: a release that is not to be used any more stays, and no range resolves to it.

The record is an annotated tag, so that `ls-remote` alone tells which releases are yanked:
`yank/wine-v1.2.0`, taken back by `unyank/wine-v1.2.0`, yanked again by `yank/wine-v1.2.0@2`. Such
tags, like those of releases, are only ever added: none moves or goes, and nothing is forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from dreg.core.manifest import SIGNATURE, trailers
from dreg.core.secrets import without_secrets
from dreg.core.version import parse_tag
from dreg.errors import BadRequest

RECORD = re.compile(r"(yank|unyank)/([^/@]+)(?:@([1-9][0-9]{0,5}))?")


@dataclass(frozen=True)
class Yank:
    """Why a release is yanked, by whom, and when (ISO 8601); null where the tag doesn't say it."""

    reason: str
    by: str | None = None
    at: str | None = None

    def __str__(self) -> str:
        return self.reason or "no reason given"

    @classmethod
    def of(cls, message: str | None, tagger: str | None = None, date: str | None = None) -> Yank:
        """What the record's message says; of one made by hand, its first line."""
        text = message or ""
        first = text.strip().split("\n", 1)[0].strip()
        return cls(trailers(text).get("Dreg-Reason", first), tagger or None, date or None)


@dataclass(frozen=True)
class Records:
    """How often a release was yanked, and how often that was taken back."""

    tag: str
    yanks: int = 0
    unyanks: int = 0

    @property
    def yanked(self) -> str | None:
        """The tag that yanks the release; None if it isn't."""
        return _record("yank", self.tag, self.yanks) if self.yanks > self.unyanks else None

    @property
    def newest(self) -> str | None:
        """The tag that says how it stands; None if nothing was ever recorded."""
        taken_back = _record("unyank", self.tag, self.unyanks) if self.unyanks else None
        return self.yanked or taken_back

    @property
    def next_yank(self) -> str:
        return _record("yank", self.tag, max(self.yanks, self.unyanks) + 1)

    @property
    def next_unyank(self) -> str:
        """It takes back every yank up to the last one."""
        return _record("unyank", self.tag, self.yanks)


def _record(kind: str, tag: str, number: int) -> str:
    return f"{kind}/{tag}" + (f"@{number}" if number > 1 else "")


def yank_of_tag(record: str) -> str | None:
    """The release's tag that a record is about; None for a tag of another kind."""
    match = RECORD.fullmatch(record)
    return match.group(2) if match and parse_tag(match.group(2)) else None


def records(tags: Iterable[str]) -> dict[str, Records]:
    """The records among the tags, by the tag of the release that they are about."""
    found: dict[str, dict[str, int]] = {}
    for tag in tags:
        match = RECORD.fullmatch(tag)
        if match and parse_tag(match.group(2)):
            counted = found.setdefault(match.group(2), {"yank": 0, "unyank": 0})
            counted[match.group(1)] = max(counted[match.group(1)], int(match.group(3) or 1))
    return {tag: Records(tag, n["yank"], n["unyank"]) for tag, n in found.items()}


def tags_about(dataset: str) -> tuple[str, ...]:
    """Patterns for the tags of a dataset's releases and of what yanks them."""
    return tuple(f"{kind}{dataset}-v*" for kind in ("", "yank/", "unyank/"))


def check_reason(reason: str) -> str:
    """The reason on one line, without blanks around it, and without what looks like a secret.

    Raises BadRequest for one that says nothing.
    """
    said = str(without_secrets(reason.strip()))
    if not said:
        raise BadRequest("`--reason` is empty", hint='say why: --reason "labels shifted"')
    if any(ord(sign) < 32 or ord(sign) == 127 for sign in said):
        raise BadRequest(
            "`--reason` has more than one line",
            hint="say it in one: consumers are shown it as a warning",
        )
    if SIGNATURE.search(said):
        raise BadRequest(
            "`--reason` begins as a signature does, which git would take it for",
            hint="begin it with another word",
        )
    return said


def record_message(kind: str, tag: str, reason: str) -> str:
    """The message of a record's annotated tag; `kind` is yank or unyank."""
    parsed = parse_tag(tag)
    assert parsed is not None
    lines = [f"{kind} {parsed[0]} {parsed[1]}", "", *([reason, ""] if reason else [])]
    lines.append(f"Dreg-{kind.capitalize()}: {tag}")
    lines += [f"Dreg-Reason: {reason}"] if reason else []
    return "\n".join(lines) + "\n"
