"""Which of a release's files a split has: by the contract's patterns, or by how files are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from dreg.core.snapshot import INDEX, RAW

METADATA = "metadata.json"
_WILD = re.compile(r"\*\*/|\*\*|\*|\?|\[[^]/]+\]|.", re.DOTALL)


def matching(patterns: Iterable[str], paths: Iterable[str]) -> tuple[str, ...]:
    """The paths in the order of the patterns, those of one pattern sorted; each once.

    Patterns are as in a contract: `*` is part of one name, `**/` any folders.
    """
    there = sorted(paths)
    found: dict[str, None] = {}
    for pattern in patterns:
        whole = re.compile("".join(map(_expression, _WILD.findall(pattern))))
        found |= dict.fromkeys(path for path in there if whole.fullmatch(path))
    return tuple(found)


def _expression(part: str) -> str:
    known = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    if part.startswith("[") and len(part) > 1:
        return f"[^{part[2:]}" if part.startswith("[!") else part
    return known.get(part) or re.escape(part)


def guessed(paths: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Splits of a release that says nothing of any: `train` for `train.csv`, `processed/train/1.png`.

    Splits are sorted by name, files by path. What describes the data and raw files are in none.
    """
    splits: dict[str, list[str]] = {}
    for path in sorted(paths):
        if path.startswith(RAW) or path in (METADATA, INDEX):
            continue
        first, _, rest = path.removeprefix("processed/").partition("/")
        name = first if rest else first.partition(".")[0]
        if name:
            splits.setdefault(name, []).append(path)
    return {name: tuple(splits[name]) for name in sorted(splits)}
