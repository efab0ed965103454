"""The form of metadata.json as JSON Schema, for those who read it without dreg.

It is open: later profiles have further keys. `Profile.from_json` says more, of histograms say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreg.core.profile import FORMAT

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
NAMES: Schema = {"type": "array", "items": TEXT}
COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": 2**63 - 1}
FACTS = ("name", "title", "description", "licence", "kind", "task")
NUMBER: Schema = {"type": "number"}
HISTOGRAM = r"^(\S+:[1-9]\d*( \S+:[1-9]\d*)*)?$"


def profile_schema() -> Schema:
    """The schema of metadata.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Profile of a dataset: data/<name>/metadata.json",
        "description": "What was measured of one snapshot.",
        **_object(
            {
                "format": _said(
                    "Raised when readers of this form would be misled.",
                    {"type": "integer", "maximum": FORMAT},
                ),
                "dataset": _said(
                    "Facts out of the contract.",
                    {**_object(dict.fromkeys(FACTS, TEXT)), "additionalProperties": TEXT},
                ),
                "schema": _schema(),
                "splits": _said("The splits by name.", _by_name(_split())),
                "metrics": _said(
                    "By split: figures of images, and the dataset's own.",
                    _by_name(_by_name(NUMBER)),
                ),
                "snapshot": _snapshot(),
                "prompt": _said(
                    "What a model is asked about each sample.",
                    _object({"name": TEXT, "version": TEXT, "text": TEXT}, needed=("text",)),
                ),
            },
            needed=("dataset", "schema", "splits", "snapshot"),
        ),
    }


def _schema() -> Schema:
    feature = _object(
        {
            "type": _said("Arrow's name of the type.", TEXT),
            "nullable": _said("Whether there are nulls.", {"type": "boolean"}),
            "shape": _said(
                "The lengths of a tensor's axes, or of a vector.",
                {"type": "array", "items": COUNT, "minItems": 1},
            ),
            "classes": _said("Names of classes; the place is the index.", NAMES),
            "unit": _said("What the numbers are in.", TEXT),
            "model": _said("What made an embedding, as name@revision.", TEXT),
        },
        needed=("type",),
    )
    return _object(
        {
            "features": _said("The columns by name.", _by_name(feature)),
            "key": _said(
                "The columns that tell samples apart; empty where their content does.", NAMES
            ),
            "label": _said("The column whose classes are counted; empty if there is none.", TEXT),
        },
        needed=("features",),
    )


def _split() -> Schema:
    return _object(
        {
            "num_samples": _said("How many rows.", COUNT),
            "role": _said("train or evaluation.", TEXT),
            "files": _said("The contract's files and patterns.", NAMES),
            "format": _said("What they are in, such as parquet.", TEXT),
            "class_distribution": _said("Samples by class.", _by_name(COUNT)),
            "duplicates": _said("Samples that equal an earlier one, where there is no key.", COUNT),
            "columns": _said("Figures by column.", _by_name(_figures())),
        },
        needed=("num_samples",),
    )


def _figures() -> Schema:
    return {
        **_object(
            {
                "nulls": _said("How many values are null.", COUNT),
                "distinct": _said("How many different values.", COUNT),
                "distinct_is_estimate": _said("Whether that is an estimate.", {"type": "boolean"}),
                "histogram": _said(
                    "As in `0.5..0.75:12 3:4`: 12 values from 0.5 to below 0.75, and 4 times 3.",
                    {"type": "string", "pattern": HISTOGRAM},
                ),
            }
        ),
        "additionalProperties": NUMBER,
    }


def _snapshot() -> Schema:
    return _object(
        {
            "files": _said("How many files are published.", COUNT),
            "size": _said("Their bytes.", COUNT),
            "digest": _said("SHA-256 of their list.", TEXT),
            "samples": _said("SHA-256 of the sample index.", TEXT),
        },
        needed=("files", "size", "digest"),
    )


def _said(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


def _object(properties: Mapping[str, Schema], needed: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {"type": "object", "properties": dict(properties)}
    return {**schema, "required": list(needed)} if needed else schema


def _by_name(schema: Schema) -> Schema:
    return {"type": "object", "additionalProperties": schema}
