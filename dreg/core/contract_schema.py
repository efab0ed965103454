"""The form of a contract as JSON Schema: editors complete and check by it, docs/contract.md is made of it.

`Contract.parse` says more: a schema cannot ask whether a label is among the columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreg.core.columns import MOMENT
from dreg.core.contract import ROLES
from dreg.core.gates import DRIFTS
from dreg.core.pricing import OTHER_BYTES, PRICES
from dreg.core.rules import RULES

Schema = dict[str, Any]

NAME: Schema = {"type": ["string", "integer"]}
TEXT: Schema = {"type": ["string", "number", "boolean", "null"]}
NEEDED_TEXT: Schema = {"type": ["string", "number", "boolean"], "minLength": 1}
COUNT: Schema = {"type": "integer", "minimum": 0}
MOMENT_TEXT: Schema = {"type": "string", "pattern": f"^{MOMENT.pattern}$"}
INSIDE = r"^(?!/)(?!.*\\)(?!(.*/)?\.\.(/|$))"


def contract_schema() -> Schema:
    """The schema of dataset.yaml."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Contract of a dataset: pipelines/<name>/dataset.yaml",
        "description": "What consumers of the dataset may rely on, and what its owner watches.",
        **_object(
            {
                "title": _said("A few words that name the data.", NEEDED_TEXT),
                "description": _said("What the data is, in a paragraph.", NEEDED_TEXT),
                "licence": _said("The licence's SPDX identifier.", NEEDED_TEXT),
                "owner": _said("Who answers questions about the data.", TEXT),
                "homepage": _said("Where the data comes from.", TEXT),
                "task": _said("What models do with it, such as tabular-regression.", TEXT),
                "kind": _said(
                    "What it holds, such as tabular, text or image; default: tabular.", TEXT
                ),
                "label": _said("The column whose classes are counted.", TEXT),
                "key": _said("The columns that tell samples apart.", _names()),
                "upstream": _said(
                    "Datasets that this one is made from: a name, or `name@range` such as "
                    "opencloudhub-readmes@^1.",
                    _names(),
                ),
                "facts": _said(
                    "Further facts, as they are published.", {"type": ["object", "null"]}
                ),
                "splits": _said("The splits by name.", _by_name(_split(), minProperties=1)),
                "columns": _said(
                    "The columns by name: an Arrow type, or a mapping.",
                    _by_name({"anyOf": [{"type": "string"}, _column()]}, minProperties=1),
                ),
                "gates": _said(
                    "Bounds that a release has to stay within; `dreg release --allow` lets it pass.",
                    _optional(_gates()),
                ),
                "overrides": _said(
                    "Other prices of rules, from the next release on.",
                    {"type": ["array", "null"], "items": _override()},
                ),
                "thresholds": _said(
                    "Other thresholds of rules, from the next release on.", _optional(_thresholds())
                ),
            },
            needed=("title", "description", "licence", "splits", "columns"),
        ),
    }


def _split() -> Schema:
    file = {**NAME, "minLength": 1, "pattern": INSIDE}
    return _object(
        {
            "role": _said("What the samples are for.", {"enum": list(ROLES)}),
            "files": _said(
                "Its files, relative to data/<name>/; patterns such as `*.parquet` may be.",
                {"anyOf": [file, {"type": "array", "items": file, "minItems": 1}]},
            ),
            "samples": _said("The exact number of samples.", {"type": ["integer", "null"], "minimum": 0}),
        },
        needed=("files",),
    )  # fmt: skip


def _column() -> Schema:
    return _object(
        {
            "type": _said(
                "Arrow's name of the type, such as int64; or image, document: the values are files.",
                NEEDED_TEXT,
            ),
            "nullable": _said("Whether there may be nulls; default: false.", {"type": "boolean"}),
            "shape": _said(
                "The lengths of a tensor's axes.", {"type": ["array", "null"], "items": COUNT}
            ),
            "unit": _said("What the numbers are in, such as mg/l.", TEXT),
            "range": _said(
                "Lowest and highest value, inclusive; of dates and timestamps as texts: "
                "[2020-01-01, 2024-12-31].",
                {
                    "type": ["array", "null"],
                    "anyOf": [{"items": {"type": "number"}}, {"items": MOMENT_TEXT}],
                    "minItems": 2,
                    "maxItems": 2,
                },
            ),
            "classes": _said("Names of classes; the place is the index.", _names(uniqueItems=True)),
            "model": _said(
                "What made an embedding, such as sentence-transformers/all-MiniLM-L6-v2@REVISION.",
                TEXT,
            ),
            "values": _said(
                "All values that may occur, each of the column's type; a column with `classes` has none.",
                {
                    "type": ["array", "null"],
                    "items": {"type": ["string", "number", "boolean"]},
                    "minItems": 1,
                    "uniqueItems": True,
                },
            ),
            "pattern": _said(
                "A regular expression that every text matches as a whole, as "
                "[RE2](https://github.com/google/re2/wiki/Syntax) reads it.",
                {"type": ["string", "null"], "minLength": 1},
            ),
            "unique": _said(
                "Whether no value may come twice, in one split or two; default: false. Nulls may.",
                {"type": "boolean"},
            ),
        },
        needed=("type",),
    )


def _gates() -> Schema:
    nulls: Schema = {"anyOf": [COUNT, {"type": "number", "minimum": 0, "exclusiveMaximum": 1}]}
    bound: Schema = {
        **_object({"min": {"type": "number"}, "max": {"type": "number"}}),
        "minProperties": 1,
    }
    least = {drift: {"type": "number", "minimum": int(drift == "std")} for drift in DRIFTS}
    return _object(
        {
            "min_samples": _said(
                "Fewest samples: in every split, or by split.", _or_by_name(COUNT)
            ),
            "min_samples_per_class": _said(
                "Fewest samples of each class: in every split, or by split.", _or_by_name(COUNT)
            ),
            "max_nulls": _said(
                "Most nulls in a split: of every column, or by column. A whole number is a count, a "
                "fraction below 1 a share of the samples.",
                _or_by_name(nulls),
            ),
            "metrics": _said(
                "By split and figure: `min`, `max` or both.", _optional(_by_name(_by_name(bound)))
            ),
            "max_leakage": _said(
                "Most samples that are in more than one split: of equal keys where the contract has a "
                "`key`, else of equal content; of files with the key `file`, of either.",
                {"type": ["integer", "null"], "minimum": 0},
            ),
            "max_near_duplicates": _said(
                "By column, most values that are in more than one split. Texts are compared but for "
                "case, punctuation and spaces.",
                _optional(_by_name(COUNT)),
            ),
            "max_drift": _said(
                "Since the last release: `mean`, how far means of columns may move, in old "
                "deviations; `std`, how many times as wide or narrow their values may spread; "
                "`classes`, the population stability index of the classes; `psi`, that of numbers and "
                "of texts' lengths, and of the classes where `classes` has no bound.",
                _optional(_object(least)),
            ),
        }
    )


def _override() -> Schema:
    override = _object(
        {
            "rule": _said("The rule, as `dreg rules` lists it.", {"enum": sorted(RULES)}),
            "price": _said("What it costs instead.", {"enum": list(PRICES)}),
            "reason": _said("Why that is right for this dataset.", NEEDED_TEXT),
        },
        needed=("rule", "price", "reason"),
    )
    free = {"rule": {"enum": list(OTHER_BYTES)}, "price": {"const": "none"}}
    return {**override, "not": {"properties": free, "required": list(free)}}


def _thresholds() -> Schema:
    own = {rule.id: sorted(set(rule.thresholds) - set(rule.shares)) for rule in RULES.values()}
    number: Schema = {"type": "number", "minimum": 0}
    return _object(
        {rule: _object(dict.fromkeys(own[rule], number)) for rule in sorted(own) if own[rule]}
    )


def _said(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


def _object(properties: Mapping[str, Schema], needed: tuple[str, ...] = ()) -> Schema:
    schema: Schema = {
        "type": "object",
        "properties": dict(properties),
        "additionalProperties": False,
    }
    return {**schema, "required": list(needed)} if needed else schema


def _by_name(schema: Schema, **more: Any) -> Schema:
    return {"type": "object", "additionalProperties": schema, **more}


def _or_by_name(schema: Schema) -> Schema:
    return {"anyOf": [schema, _by_name(schema), {"type": "null"}]}


def _optional(schema: Schema) -> Schema:
    return {**schema, "type": ["object", "null"]}


def _names(**more: Any) -> Schema:
    return {"anyOf": [NAME, {"type": "array", "items": NAME, **more}, {"type": "null"}]}
