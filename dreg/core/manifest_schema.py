"""The form of a manifest as JSON Schema, for those who read it without dreg.

It is open: what is added without a new number misleads no reader.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dreg.core.about import BUMPS, COMMIT
from dreg.core.manifest import DIRECTORY, SCHEMA
from dreg.core.snapshot import DIGEST, MD5

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}


def manifest_schema() -> Schema:
    """The schema of `dreg/manifests/sha256/ab/cdef....json` on the remote."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Manifest of a release",
        "description": "What a release consists of, why it has its version, and what it was made from.",
        **_object(
            {
                "schema": _said("Raised when readers would be misled.", {"const": SCHEMA}),
                "dataset": _said("The dataset's name.", TEXT),
                "version": _said("The version; the tag is `<dataset>-v<version>`.", TEXT),
                "previous": _said(
                    "The version it was compared with; null for the first release.", _or_null(TEXT)
                ),
                "bump": _said("The highest price among the findings.", {"enum": list(BUMPS)}),
                "findings": _said("What changed since, and what it costs.", _list(_finding())),
                "exceptions": _said(
                    "What a person decided against dreg, and why: a sentence each.", _list(TEXT)
                ),
                "contract": _said("SHA-256 of dataset.yaml, in git at the tag.", _matching(DIGEST)),
                "profile": _said("SHA-256 of metadata.json, in git at the tag.", _matching(DIGEST)),
                "sample_index": _said(
                    "SHA-256 of samples.parquet; null for a release without one.",
                    _or_null(_matching(DIGEST)),
                ),
                "upstream": _said("The datasets it was made from.", _list(_upstream())),
                "provenance": _said("What it was made from, and where.", _provenance()),
                "files": _said(
                    "Every file below `data/<name>/`, sorted by path. Those below raw/ belong to the "
                    "release, and a fetch leaves them out.",
                    _list(_file()),
                ),
                "directories": _said(
                    "DVC's `.dir` object of each folder that it tracks, by path.",
                    {"type": "object", "additionalProperties": _matching(DIRECTORY)},
                ),
            }
        ),
    }


def _finding() -> Schema:
    return _object(
        {
            "rule": _said("The rule's id, as in rules.md.", TEXT),
            "bump": _said("What it costs.", {"enum": list(BUMPS)}),
            "text": _said("What the rule saw.", TEXT),
            "override": _said("Why it has another price than usual; left out if it hasn't.", TEXT),
        },
        optional=("override",),
    )


def _upstream() -> Schema:
    return _object(
        {
            "dataset": _said("Its name.", TEXT),
            "version": _said("Its release that has the bytes that were read.", _or_null(TEXT)),
            "tag": _said("That release's tag.", _or_null(TEXT)),
            "commit": _said("That release's commit.", _or_null(_matching(COMMIT))),
            "manifest": _said("SHA-256 of that release's manifest.", _or_null(_matching(DIGEST))),
        }
    )


def _provenance() -> Schema:
    origin = _object(
        {
            "path": _said("Where it is below `data/<name>/`.", TEXT),
            "sha256": _said("Its SHA-256, which was checked when it came.", _matching(DIGEST)),
            "size": _said("Its bytes.", COUNT),
            "mirror": _said(
                "The kind of the mirror that served it: http, wheel, deb, github, script, local or file.",
                _or_null(TEXT),
            ),
        }
    )
    made = _object(
        {
            "dreg": _said("dreg's version.", TEXT),
            "python": _said("Python's version.", TEXT),
            "platform": _said("System and processor, such as linux-x86_64.", TEXT),
            "packages": _said(
                "Versions of the packages that made it, by name: what dreg needs for pipelines, what the scripts import, and what those need.",
                {"type": "object", "additionalProperties": TEXT},
            ),
        }
    )
    return _object(
        {
            "commit": _said(
                "The newest commit before the release's own that changed the pipeline; null if only "
                "the release's own commit has it.",
                _or_null(_matching(COMMIT)),
            ),
            "dvc_lock": _said(
                "SHA-256 of dvc.lock at the tag: it has the checksum of every script, input and output.",
                _matching(DIGEST),
            ),
            "params": _said(
                "The parameters that stages declare, by file; without `sources`.",
                {"type": "object", "additionalProperties": {"type": "object"}},
            ),
            "sources": _said("What the download stage got.", _list(origin)),
            "made": _said(
                "Where the data was first made; null where that was not recorded.", _or_null(made)
            ),
            "released_with": _said("The version of the dreg that made the release.", TEXT),
        }
    )


def _file() -> Schema:
    return _object(
        {
            "path": _said("Relative to `data/<name>/`.", TEXT),
            "size": _said("Its bytes.", COUNT),
            "md5": _said("Its MD5, which is DVC's address of it.", _matching(MD5)),
            "sha256": _said("Its SHA-256, which proves it.", _matching(DIGEST)),
            "in_git": _said(
                "True for a file that is in the release's commit, not on the remote.",
                {"const": True},
            ),
        },
        optional=("in_git",),
    )


def _said(description: str, schema: Schema) -> Schema:
    return {"description": description, **schema}


def _object(properties: Mapping[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    needed = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": needed}


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def _matching(form: Any) -> Schema:
    return {"type": "string", "pattern": f"^(?:{form.pattern})$"}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}
