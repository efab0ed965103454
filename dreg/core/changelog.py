"""A changelog: `data/<name>/CHANGELOG.md`, newest first, in the form of https://keepachangelog.com.

dreg writes an entry per release and keeps every line that people wrote. What they noted under
`## Unreleased` becomes part of the next entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from semver import Version

from dreg.core.version import Bump
from dreg.core.wording import as_markdown, tick

if TYPE_CHECKING:
    from dreg.core.rules import Finding

# By the last word of a rule's name, in keep-a-changelog's order; everything else has changed.
SECTIONS = {
    "Added": ("added",),
    "Changed": (),
    "Removed": ("removed",),
    "Fixed": ("corrected", "filled"),
}
ENTRY = re.compile(r"^## \[?(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)\]? - \d{4}-\d\d-\d\d\s*$", re.MULTILINE)
BREAKING = "**Breaking:** "  # what a reader asks first, and no section's name says


@dataclass(frozen=True)
class Entry:
    """What the changelog says of one release.

    `date` is `YYYY-MM-DD`. `samples` and `before` count by split, now and in the previous release.
    `link` is a page that shows the difference; empty if there is none.
    """

    version: Version
    date: str
    findings: tuple[Finding, ...]
    samples: Mapping[str, int]
    before: Mapping[str, int] | None = None
    exceptions: tuple[str, ...] = ()
    link: str = ""

    def lines(self, notes: Sequence[str] = ()) -> Iterator[str]:
        """The entry's lines; `notes` are what people wrote for it."""
        yield f"## {f'[{self.version}]' if self.link else self.version} - {self.date}"
        if notes:
            yield from ("", *notes)
        if self.before is None and not self.findings:
            yield from ("", "First release.")
        for section in SECTIONS:
            found = [finding for finding in self.findings if _section_of(finding) == section]
            yield from _section(section, [_told(finding) for finding in found])
        yield from _section("Samples", list(self._samples()))
        yield from _section("Exceptions", list(self.exceptions))
        if self.link:
            yield from ("", f"[{self.version}]: {self.link}")

    def _samples(self) -> Iterator[str]:
        before = self.before or {}
        for split in sorted(self.samples.keys() | before.keys()):
            old, new = before.get(split), self.samples.get(split)
            counts = [f"{number:,}" for number in dict.fromkeys((old, new)) if number is not None]
            yield f"{tick(split)}: {' -> '.join(counts)}{' (gone)' if new is None else ''}"


def _section_of(finding: Finding) -> str:
    word = finding.rule.rpartition("-")[2]
    return next((section for section, words in SECTIONS.items() if word in words), "Changed")


def _told(finding: Finding) -> str:
    breaks = finding.bump is Bump.MAJOR and finding.rule != "declared-stable"
    plain = replace(finding, text=as_markdown(finding.text))  # a reason is written in Markdown
    return f"{BREAKING if breaks else ''}{plain.told}"


def with_entry(text: str, dataset: str, entry: Entry) -> str:
    """The changelog `text` (empty if there is none yet) with the entry on top.

    Notes under `## Unreleased` move into the entry; so do those under a heading of its version. What
    the entry itself says is there once, however often it is made: a release may have been dropped.
    """
    newline = "\r\n" if "\r\n" in text else "\n"
    parts = _parts(text if text.strip() else _head(dataset))
    notes: list[str] = []
    kept = []
    said = _trimmed(list(entry.lines())[1:])
    for part in parts:
        if part.version == str(entry.version):
            body = _trimmed(part.body)
            again = body[-len(said) :] == said
            notes += _trimmed(body[: -len(said)]) if again else body
        elif part.unreleased:
            notes += _trimmed(part.body)
            kept.append(_Part(part.heading, []))
        else:
            kept.append(part)
    places = [i for i, part in enumerate(kept) if part.version] or [len(kept)]
    heading, *body = entry.lines(notes)
    kept.insert(places[0], _Part(heading, body))
    return newline.join(line for part in _spaced(kept) for line in part) + newline


def last_told(text: str) -> Version | None:
    """The version of the newest entry that a release wrote; None if there is none."""
    match = ENTRY.search(text)
    return Version.parse(match[1]) if match and Version.is_valid(match[1]) else None


def holds(newer: str, older: str) -> bool:
    """Whether every line of `older` is in `newer`, in the same order: nothing written is lost."""
    lines = (line.strip() for line in newer.splitlines())
    return all(line.strip() in lines for line in older.splitlines() if line.strip())


@dataclass(frozen=True)
class _Part:
    """What one heading of the second level heads; the beginning has none."""

    heading: str
    body: list[str]

    @property
    def version(self) -> str:
        match = re.match(r"##\s+\[?v?(\d+\.\d+\.\d+[0-9A-Za-z.+-]*)", self.heading)
        return match[1] if match else ""

    @property
    def unreleased(self) -> bool:
        return bool(re.match(r"##\s+\[?unreleased\b", self.heading, re.IGNORECASE))


def _head(dataset: str) -> str:
    return (
        f"# Changelog of {dataset}\n\n"
        "Versions are semantic: a major one breaks code or comparisons, a minor one changes what\n"
        "models see, a patch corrects. `dreg release` adds an entry on top and keeps what is written\n"
        "here by hand; notes under `## Unreleased` go into the next entry.\n"
    )


def _parts(text: str) -> list[_Part]:
    parts = [_Part("", [])]
    fence = ""
    for line in text.splitlines():
        mark = re.match(r" {0,3}(```|~~~)", line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1] == fence:
            fence = ""
        if re.match(r"##\s", line) and not fence:
            parts.append(_Part(line, []))
        else:
            parts[-1].body.append(line)
    return parts


def _spaced(parts: Sequence[_Part]) -> Iterator[list[str]]:
    """The lines of each part, a blank line between any two."""
    written = [[*([part.heading] if part.heading else []), *part.body] for part in parts]
    written = [_trimmed(lines) for lines in written]
    for i, lines in enumerate(lines for lines in written if lines):
        yield ["", *lines] if i else lines


def _section(name: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield from ("", f"### {name}", "", *(f"- {item}" for item in items))


def _trimmed(lines: Sequence[str]) -> list[str]:
    """Without the blank lines around."""
    filled = [i for i, line in enumerate(lines) if line.strip()]
    return list(lines[filled[0] : filled[-1] + 1]) if filled else []
