"""What a table looks like, as the part of a contract that promises just that."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dreg.core.yaml_text import quoted

PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
WORDS_OF_YAML = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
LABELS = ("label", "class", "target", "category", "species", "y")
KEY_TYPES = ("string", "int64", "uint64", "int32", "uint32", "int16", "uint16")
KEY = re.compile(r"id|key|uuid|.+[ _-]id", re.IGNORECASE)
GAPS = ("", "nan", "n/a", "#n/a", "na", "<na>", "null", "#value!", "#ref!", "#div/0!", "?")
MOST_CLASSES = 30  # of a column that nobody said is a label
MOST_NAMED = 1000  # of one that is


@dataclass(frozen=True)
class ColumnSeen:
    """A column: Arrow's name of its type, and what is in it.

    `values` are the different ones of a column of texts, sorted, where they are few; `unique` says
    that none comes twice, and none is missing.
    """

    name: str
    type: str
    rows: int
    nulls: int
    lowest: str = ""
    highest: str = ""
    distinct: int = 0
    values: tuple[str, ...] = ()
    unique: bool = False


def label_of(columns: Sequence[ColumnSeen]) -> ColumnSeen | None:
    """The column whose values look like classes: one with a telling name, else the last of texts."""
    fit = [column for column in columns if _may_be_label(column)]
    named = [column for column in fit if column.name.lower() in LABELS]
    texts = [column for column in fit if column.values]
    return named[0] if named else texts[-1] if texts else None


def key_of(columns: Sequence[ColumnSeen]) -> ColumnSeen | None:
    """The first column that is called as keys are, and tells all rows apart."""
    fit = (c for c in columns if c.unique and KEY.fullmatch(c.name) and c.type in KEY_TYPES)
    return next(fit, None)


def _may_be_label(column: ColumnSeen) -> bool:
    few = 2 <= column.distinct <= min(MOST_CLASSES, column.rows // 2)
    return few and not _has_gaps(column) and (bool(column.values) or column.type == "int64")


def _has_gaps(column: ColumnSeen) -> bool:
    """Whether some rows have nothing there; a CSV has empty texts, or a word, for it."""
    return column.nulls > 0 or any(is_gap(value) for value in column.values)


def is_gap(value: str) -> bool:
    """Whether a text stands for nothing, as spreadsheets and pandas write it."""
    return value.strip().lower() in GAPS


def unlabelled(columns: Iterable[ColumnSeen]) -> Iterator[str]:
    """Columns that are called as labels are, but are empty in some rows."""
    yield from (c.name for c in columns if c.name.lower() in LABELS and _has_gaps(c))


def contract_lines(columns: Iterable[ColumnSeen], label: ColumnSeen | None) -> Iterator[str]:
    """The lines below `columns:`, each with what was seen as a comment."""
    for column in columns:
        parts = [f"type: {name_in_yaml(column.type)}"]
        if column.nulls:
            parts.append("nullable: true")
        if column == label and column.values:
            parts.append(f"classes: [{', '.join(name_in_yaml(value) for value in column.values)}]")
        yield f"  {name_in_yaml(column.name)}: {{ {', '.join(parts)} }} # seen: {_seen(column)}"


def _seen(column: ColumnSeen) -> str:
    found = [f"{column.lowest} to {column.highest}"] if column.lowest else []
    found.append(f"{column.distinct:,} different")
    if column.nulls:
        found.append(f"{column.nulls:,} missing")
    return ", ".join(found)


def name_in_yaml(name: str) -> str:
    """`name` as YAML reads it as a text, in quotes where it has to be."""
    if PLAIN.fullmatch(name) and name.lower() not in WORDS_OF_YAML:
        return name
    return quoted(name)
