"""The changelog as text: what an entry says, and that no word of people's is lost."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from dreg.core.changelog import Entry, holds, with_entry
from dreg.core.links import tag_page
from dreg.core.rules import Finding
from dreg.core.version import Bump

FIRST = Entry(Version(1, 0, 0), "2026-01-31", (), {"train": 1000, "val": 200})
SECOND = Entry(
    version=Version(2, 0, 0),
    date="2026-02-01",
    findings=(
        Finding("column-removed", Bump.MAJOR, "column `pH` is gone"),
        Finding("samples-added", Bump.MINOR, "split `train` has 1,200 samples instead of 1,000"),
        Finding("nulls-filled", Bump.PATCH, "column `remark` has no nulls any more"),
        Finding("content-changed", Bump.PATCH, "the published files differ"),
        Finding("metric-added", Bump.NONE, "figure `metrics.train.mean` is new"),
    ),
    samples={"train": 1200, "test": 50},
    before={"train": 1000, "val": 200},
    exceptions=("min_samples: split `test` has 50 samples, at least 100 are asked for (a start)",),
    link="https://github.com/o/r/compare/toy-v1.0.0...toy-v2.0.0",
)


@pytest.mark.parametrize("entry", [FIRST, SECOND])
@pytest.mark.parametrize("note", ["", "- a word of mine\n"])
def test_an_entry_that_is_made_again_is_there_once(entry, note):
    """Its release was dropped; people's words stay."""
    text = with_entry(f"# Changelog\n\n## Unreleased\n\n{note}", "toy", entry)
    assert with_entry(text, "toy", entry) == text
    assert ("a word of mine" in text) == bool(note)


def test_the_first_release_starts_the_file():
    text = with_entry("", "toy", FIRST)
    assert text.startswith("# Changelog of toy\n\nVersions are semantic")
    assert text.endswith(
        "\n\n## 1.0.0 - 2026-01-31\n\nFirst release.\n\n### Samples\n\n- `train`: 1,000\n- `val`: 200\n"
    )


def test_an_entry_says_what_changed_in_the_sections_that_people_know():
    assert "\n".join(SECOND.lines()) == (
        "## [2.0.0] - 2026-02-01\n"
        "\n"
        "### Added\n"
        "\n"
        "- split `train` has 1,200 samples instead of 1,000 (samples-added)\n"
        "- figure `metrics.train.mean` is new (metric-added)\n"
        "\n"
        "### Changed\n"
        "\n"
        "- the published files differ (content-changed)\n"
        "\n"
        "### Removed\n"
        "\n"
        "- **Breaking:** column `pH` is gone (column-removed)\n"
        "\n"
        "### Fixed\n"
        "\n"
        "- column `remark` has no nulls any more (nulls-filled)\n"
        "\n"
        "### Samples\n"
        "\n"
        "- `test`: 50\n"
        "- `train`: 1,000 -> 1,200\n"
        "- `val`: 200 (gone)\n"
        "\n"
        "### Exceptions\n"
        "\n"
        "- min_samples: split `test` has 50 samples, at least 100 are asked for (a start)\n"
        "\n"
        "[2.0.0]: https://github.com/o/r/compare/toy-v1.0.0...toy-v2.0.0"
    )


def test_the_newest_is_on_top():
    text = with_entry(with_entry("", "toy", FIRST), "toy", SECOND)
    assert text.index("## [2.0.0]") < text.index("## 1.0.0")
    assert text.count("# Changelog of toy") == 1


def headings(text):
    return [line for line in text.splitlines() if line.startswith("#")]


def test_notes_under_unreleased_become_part_of_the_entry():
    text = "# Ours\n\n## [Unreleased]\n\n### Why\n\nMeasured again.\n\n## 0.9.0 - 2020\n\nOld.\n"
    assert holds(with_entry(text, "toy", FIRST), text)
    assert with_entry(text, "toy", FIRST) == (
        "# Ours\n\n## [Unreleased]\n\n"
        "## 1.0.0 - 2026-01-31\n\n### Why\n\nMeasured again.\n\n"
        "First release.\n\n### Samples\n\n- `train`: 1,000\n- `val`: 200\n\n"
        "## 0.9.0 - 2020\n\nOld.\n"
    )


def test_a_heading_that_people_wrote_for_the_version_is_not_doubled():
    text = "# Ours\n\n## [v1.0.0] - soon\n\nA first.\n"
    assert headings(with_entry(text, "toy", FIRST)) == [
        "# Ours",
        "## 1.0.0 - 2026-01-31",
        "### Samples",
    ]
    assert "\nA first.\n" in with_entry(text, "toy", FIRST)


def test_headings_in_code_are_no_headings():
    text = "# Ours\n\n```\n## 0.1.0\n```\n\nwords\n\n## About\n\nmore\n"
    assert headings(with_entry(text, "toy", FIRST))[-2:] == ["## 1.0.0 - 2026-01-31", "### Samples"]


def test_the_files_line_ends_are_kept():
    text = with_entry("# Ours\r\n\r\n## 0.9.0\r\n\r\nOld.\r\n", "toy", FIRST)
    assert "\n" not in text.replace("\r\n", "")


LINE = st.sampled_from(
    [
        "",
        "# Ours",
        "## Unreleased",
        "## 0.9.0",
        "## [0.8.0] - 2020",
        "## About",
        "- a",
        "```",
        " ",
        "### b",
    ]
)


@given(st.lists(LINE).map("\n".join))
def test_no_word_of_peoples_is_lost(text):
    written = with_entry(with_entry(text, "toy", FIRST), "toy", SECOND)
    for line, times in Counter(line for line in text.splitlines() if line.strip()).items():
        assert written.splitlines().count(line) >= times


def test_what_holds():
    assert holds("a\nb\n\nc\n", "a\nc\n")
    assert not holds("a\nb\n", "b\na\n")
    assert not holds("a\n", "a\na\n")
    assert holds("a\n", "")


@pytest.mark.parametrize(
    ("remote", "page"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r/compare/a-v1...a-v2"),
        ("https://me:secret@github.com/o/r", "https://github.com/o/r/compare/a-v1...a-v2"),
        ("git@github.com:o/r.git", "https://github.com/o/r/compare/a-v1...a-v2"),
        ("ssh://git@gitlab.com:2222/g/s/r.git", "https://gitlab.com/g/s/r/-/compare/a-v1...a-v2"),
        ("http://gitlab.lan:8080/g/r/", "http://gitlab.lan:8080/g/r/-/compare/a-v1...a-v2"),
        ("https://codeberg.org/o/r", "https://codeberg.org/o/r/compare/a-v1...a-v2"),
        ("https://example.org/r.git", ""),
        ("../registry.git", ""),
        ("/srv/registry.git", ""),
        ("file:///srv/registry.git", ""),
        ("C:\\registries\\r", ""),
        ("https://github.com:notaport/o/r", ""),
        ("https://[github", ""),
        (None, ""),
    ],
)  # fmt: skip
def test_the_page_that_compares_two_tags(remote, page):
    assert tag_page(remote, "a-v2", "a-v1") == page


def test_the_page_of_a_first_release():
    assert tag_page("https://github.com/o/r", "a-v1") == "https://github.com/o/r/tree/a-v1"
    assert tag_page("https://gitlab.com/o/r", "a-v1") == "https://gitlab.com/o/r/-/tree/a-v1"
