"""Documents in Markdown become chunks: what says nothing is left out, headings and sizes cut."""

from __future__ import annotations

import pytest

from dreg.errors import BadRequest
from dreg.stages.chunks import chunks

README = """\
<!-- a note -->
<div align="center">
  <a href="https://example.com"><img src="logo.svg" alt="A logo"></a>

<h1 align="center">Tools &amp; co</h1>

<p align="center">For work.<br /></p>
</div>

[![build](https://img.shields.io/x.svg)](https://ci.example.com) ![cover](c.png)

<details>
  <summary>Table of Contents</summary>
  <ol><li><a href="#use">Use</a></li></ol>
</details>

- [Use](#use)
- [Rules](#rules)

## 🚀 Use <a id="use"></a>

Call `tools <name>` with **care**, see [the guide](https://example.com/guide).

```bash
# not a heading
tools --all | less
```

### In a box

```text
┌─────────┐     ┌────────┐
│  Input  │ ──► │ Output │
└─────────┘     └────────┘
     │
     ▼
├── src/   # code
```

<p align="right">(<a href="#top">back to top</a>)</p>

Rules
-----

| rule | why |
|------|-----|
| one  | two |

1. first
   - inner
2. second
"""


def test_markup_badges_and_tables_of_contents_are_left_out():
    found = chunks(README)
    assert [(chunk.headings, chunk.text) for chunk in found] == [
        (("Tools & co", None, None), "For work."),
        (
            ("Tools & co", "Use", None),
            "Call `tools <name>` with care, see the guide.\n\n"
            "```bash\n# not a heading\ntools --all | less\n```",
        ),
        (("Tools & co", "Use", "In a box"), "```text\nInput Output\nsrc/ # code\n```"),
        (
            ("Tools & co", "Rules", None),
            "| rule | why |\n|---|---|\n| one | two |\n\n1. first\n   - inner\n2. second",
        ),
    ]
    assert [chunk.number for chunk in found] == [0, 1, 2, 3]


def test_a_chunk_is_told_in_the_context_of_its_headings():
    assert chunks(README)[2].in_context.startswith("Tools & co > Use > In a box\n\n```text")
    assert chunks("no heading at all")[0].in_context == "no heading at all"


def test_boxes_of_ascii_lose_their_lines_and_tables_of_data_do_not():
    drawn = "```\n+-----+-----+\n| one | two |\n+-----+-----+\n```\n"
    assert chunks(drawn)[0].text == "```\none two\n```"
    plain = "```\na | b\n--- | ---\n```"
    assert chunks(plain)[0].text == plain


def test_a_heading_of_a_higher_level_ends_those_below_it():
    found = chunks("# A\n\n## B\n\n### C\n\none\n\n## D\n\ntwo\n\n# E\n\nthree\n\n#### F\n\nfour")
    assert [chunk.headings for chunk in found] == [
        ("A", "B", "C"),
        ("A", "D", None),
        ("E", None, None),
    ]
    assert found[2].text == "three\n\n#### F\n\nfour", "deeper headings are part of the text"


def test_long_sections_are_cut_to_size_with_an_overlap():
    sentences = [f"This is sentence number {i} of a long section." for i in range(60)]
    found = chunks(f"# Long\n\n{' '.join(sentences)}", size=300, overlap=100)
    assert len(found) > 5
    assert all(len(chunk.text) <= 300 for chunk in found)
    assert all(any(sentence in chunk.text for chunk in found) for sentence in sentences)
    shared = [sentence for sentence in sentences if sum(sentence in c.text for c in found) == 2]
    assert len(shared) >= len(found) - 2, "what ends a chunk begins the next"
    apart = chunks(f"# Long\n\n{' '.join(sentences)}", size=300, overlap=0)
    assert all(sum(sentence in c.text for c in apart) == 1 for sentence in sentences)


def test_the_same_document_has_the_same_chunks_and_nothing_has_none():
    assert chunks(README) == chunks(README)
    assert chunks("") == chunks("---\n\n![badge](x.svg)\n\n# Only a heading\n") == []


@pytest.mark.parametrize(
    ("size", "overlap", "told"),
    [
        (100, 100, "cannot share 100"),
        (0, 0, "cannot share 0"),
        (-1, 0, "size of chunks is `-1`"),
        ("800", 0, "size of chunks is `800`"),
        (800, None, "overlap of chunks is `None`"),
        (800, True, "overlap of chunks is `True`"),
    ],
)
def test_sizes_that_are_none_are_refused(size, overlap, told):
    with pytest.raises(BadRequest, match=told):
        chunks("text", size=size, overlap=overlap)
