"""The form of `result.json`, which `dreg ci run` leaves, as JSON Schema. It is closed: nothing else is in it."""

from __future__ import annotations

from typing import Any

from dreg.core.about import BUMPS

FORMAT = 1
STATES = ("changed", "unchanged", "stale", "refused", "failed")

Schema = dict[str, Any]
TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def result_schema() -> Schema:
    """The schema of result.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Result of an automated run",
        "description": "What `dreg ci run` did, dataset by dataset.",
        **_object(
            {
                "format": _said("Raised when readers would be misled.", {"const": FORMAT}),
                "exit_code": _said(
                    "0 done, 1 refused, 2 bad request, 3 something outside failed; 130 (Ctrl-C, a job that is "
                    "cancelled) and 143 (a machine that goes, a time that is up) where a signal ended the run.",
                    {"enum": [0, 1, 2, 3, 130, 143]},
                ),
                "automated": _said(
                    "Which automated run it was, as in the tag's `Dreg-Automated`; null for a person's.",
                    _or_null(TEXT),
                ),
                "commit": _said("The commit that was checked out.", _or_null(TEXT)),
                "compute_type": _said("What the pipelines were given.", TEXT),
                "dry_run": _said(
                    "Nothing was pushed: what is `changed` would be released.", {"type": "boolean"}
                ),
                "datasets": _said(
                    "Each dataset that was to be released, behind those it is made from.",
                    {"type": "array", "items": _outcome()},
                ),
                "error": _said(
                    "What kept the run from looking at all datasets, or ended it; else null.",
                    _or_null(
                        _object(
                            {
                                "fact": _said("One sentence.", TEXT),
                                "details": _said("Further lines.", _list(TEXT)),
                                "hint": _said("The next move.", TEXT),
                            }
                        )
                    ),
                ),
            }
        ),
    }


def _outcome() -> Schema:
    return _object(
        {
            "dataset": _said("Its name.", TEXT),
            "state": _said(
                "`changed`: a new release. `unchanged`: the release that is there. `stale`: somebody else "
                "changed it meanwhile. `refused`: it would break a promise. `failed`: a pipeline or a "
                "neighbour did, or a signal ended the run before this was done.",
                {"enum": list(STATES)},
            ),
            "version": _said("The release's version.", _or_null(TEXT)),
            "previous": _said("The version it was compared with.", _or_null(TEXT)),
            "bump": _said("The highest price among the findings.", {"enum": list(BUMPS)}),
            "tag": _said("The release's tag.", _or_null(TEXT)),
            "commit": _said("The release's commit.", _or_null(TEXT)),
            "manifest": _said("SHA-256 of its manifest.", _or_null(TEXT)),
            "findings": _said("What changed since, and what it costs.", _list(_finding())),
            "exceptions": _said("What was decided against dreg, a sentence each.", _list(TEXT)),
            "samples": _said("How many it has.", _or_null(COUNT)),
            "objects_pushed": _said("How many objects the remote lacked.", COUNT),
            "stages": _said("The stages that really ran.", _list(TEXT)),
            "seconds": _said("How long they took.", {"type": "number", "minimum": 0}),
            "log": _said("What they printed, a path in the work tree.", _or_null(TEXT)),
            "why": _said("What kept it from a release; empty if nothing did.", TEXT),
            "details": _said("Further lines of that.", _list(TEXT)),
            "hint": _said("The next move, then.", TEXT),
        }
    )


def _finding() -> Schema:
    return _object(
        {
            "rule": _said("The rule's id, as in rules.md.", TEXT),
            "bump": _said("What it costs.", {"enum": list(BUMPS)}),
            "text": _said("What the rule saw.", TEXT),
            "instead_of": _said(
                "The usual price, where the contract has another.",
                _or_null({"enum": list(BUMPS)}),
            ),
            "reason": _said("Why it has, or empty.", TEXT),
            "hurts": _said("Who is hurt.", TEXT),
        }
    )


def _object(properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _said(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
