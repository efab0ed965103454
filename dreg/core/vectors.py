"""Vectors in a database: what a release's table is called, what is written on it, what may be served."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from semver import Version

from dreg.core.json_text import parse_json
from dreg.core.version import tag_of
from dreg.core.wording import numbered
from dreg.errors import BadRequest

LONGEST = 63  # bytes of a name in Postgres, which cuts what is longer without a word
MADE_BY = "dreg"
# What every row carries beside the columns of the release.
ADDED = ("data_version", "model", "docker_image", "workflow_uid")


@dataclass(frozen=True)
class Record:
    """What a table holds, as the comment on it says. `model` is `name@revision`; `declared` the model
    with its files and their mirrors, empty if the release's pipeline declares none.

    `complete` is True once rows and index are all there. `served` is when a view last came to serve
    the table, seconds since 1970; 0 for never. `column` is the one with the vectors.
    """

    dataset: str
    version: str
    commit: str
    model: str
    dimension: int
    rows: int
    column: str
    declared: Mapping[str, Any] = field(default_factory=dict)
    complete: bool = False
    served: float = 0.0

    @property
    def tag(self) -> str:
        return tag_of(self.dataset, Version.parse(self.version))

    @property
    def called(self) -> str:
        return f"{self.dataset} {self.version}"

    def to_text(self) -> str:
        """The comment."""
        return json.dumps({"made_by": MADE_BY, **asdict(self)})

    @classmethod
    def parse(cls, comment: str | None) -> Record | None:
        """The record; None for what is no comment of ours."""
        try:
            data = parse_json(comment or "")
            if not isinstance(data, dict) or data.pop("made_by", None) != MADE_BY:
                return None
            found = cls(**{name: data[name] for name in cls.__dataclass_fields__ if name in data})
            Version.parse(found.version)
        except (ValueError, TypeError):
            return None
        return found

    def is_release_of(self, other: Record) -> bool:
        """Whether both are of the very same release."""
        return (self.dataset, self.version, self.commit) == (
            other.dataset,
            other.version,
            other.commit,
        )


def table_name(dataset: str, version: Version) -> str:
    """The table of a release: `wine_quality_v1_2_0`; what that leaves open, a digest tells apart."""
    tag = tag_of(dataset, version)
    plain = re.sub(r"[^a-z0-9]", "_", tag)
    if re.fullmatch(r"[a-z0-9-]+-v\d+\.\d+\.\d+", tag) and len(plain) <= LONGEST:
        return plain
    digest = hashlib.sha256(tag.encode()).hexdigest()[:8]
    return f"{re.sub(r'[^a-z0-9]', '_', tag.lower())[: LONGEST - 9]}_{digest}"


def view_name(given: str | None, dataset: str) -> tuple[str, str]:
    """Schema and name of the view that readers use; the schema is empty where none is named.

    `given` is `name` or `schema.name`, in whatever letters, or nothing: then the dataset's name.
    Raises BadRequest for what Postgres cannot call so.
    """
    text = given or dataset.replace("-", "_")[:LONGEST]
    schema, dot, name = text.rpartition(".")
    for part in (schema, name) if dot else (name,):
        if not part.strip() or "\0" in part:
            raise BadRequest(
                f"`{text}` cannot name a view", hint="write it as `name` or `schema.name`"
            )
        if len(part.encode()) > LONGEST:
            raise BadRequest(
                f"`{part}` has {numbered(len(part.encode()), 'byte')}, and a name in Postgres at most {LONGEST}",
                hint="choose a shorter PGVECTOR_TABLE_NAME",
            )
    return schema, name


def declaration(text: bytes, model: str) -> Mapping[str, Any]:
    """A release's model.json, if it declares the model that the vectors were made with; else empty."""
    try:
        data = parse_json(text)
    except ValueError:
        return {}
    if not isinstance(data, dict) or f"{data.get('name')}@{data.get('revision')}" != model:
        return {}
    return data


def other_model(before: str, after: str) -> bool:
    """Whether two `name@revision` are certainly of different models.

    A revision that is not stated may well be the same.
    """
    (one, at), (other, at_now) = (model.partition("@")[::2] for model in (before, after))
    return bool(before and after and (one != other or (at and at_now and at != at_now)))


def incompatible(served: Record, new: Record) -> str:
    """Why queries made for the one fail, or go wrong silently, on the other; empty if they don't."""
    if served.dimension != new.dimension:
        return f"vectors of {new.dimension} dimensions instead of {served.dimension}"
    if other_model(served.model, new.model):
        return f"vectors made by {new.model} instead of {served.model}"
    return ""


def superfluous(tables: Mapping[str, Record], dataset: str, served: str, keep: int) -> list[str]:
    """The dataset's tables that go, the longest not served first: all but `served` and, with it, `keep`."""
    others = [
        name
        for name, record in tables.items()
        if record.dataset == dataset and record.complete and name != served
    ]
    latest_last = sorted(others, key=lambda name: (tables[name].served, name))
    return latest_last[: max(0, len(others) - (keep - 1))]


def before(tables: Mapping[str, Record], served: Record) -> str | None:
    """The table of the highest version below the one that is served; None if there is none."""
    now = Version.parse(served.version)
    others = {
        name: Version.parse(record.version)
        for name, record in tables.items()
        if record.dataset == served.dataset and record.complete
    }
    lower = [name for name, version in others.items() if version < now]
    return max(lower, key=lambda name: others[name], default=None)


def of_version(
    tables: Mapping[str, Record], dataset: str, version: Version
) -> tuple[str, Record] | None:
    """The complete table of a version, if it is among them."""
    for name, record in tables.items():
        if record.complete and (record.dataset, record.version) == (dataset, str(version)):
            return name, record
    return None


def versions(tables: Iterable[Record], dataset: str) -> list[str]:
    """What is loaded of a dataset, the oldest first."""
    found = {Version.parse(r.version) for r in tables if r.dataset == dataset and r.complete}
    return [str(version) for version in sorted(found)]


def served_now(record: Record, when: float) -> Record:
    """The record of a table that a view serves from now on."""
    return replace(record, served=when)
