"""docs/manifest.md: every key of a manifest, from the schema that others can check it by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dreg.core.manifest import FILES_ONLY, SCHEMA, manifest_key
from dreg.core.manifest_schema import manifest_schema

INNER = ("findings", "upstream", "files")


def manifest_page() -> Iterator[str]:
    """The lines below the page's title."""
    top = manifest_schema()["properties"]
    digest = "ab" + "c" * 62
    place = manifest_key(digest).replace("c" * 62, "...")
    yield from (
        "A manifest is what a release's tag signs for: the list of its files, why it has its version, "
        "and what it was",
        f"made from. It lies on the DVC remote as `{place}`,",
        "named by the SHA-256 of its bytes, and is written when every object that it lists was verified "
        "there. The",
        "annotated tag has that SHA-256 as the trailer `Dreg-Manifest: sha256:...`, so one tag and one "
        "object prove every",
        "byte of a release. `dreg show NAME@VERSION --provenance` makes an in-toto statement of both, with "
        "SLSA provenance.",
        "",
        "It is JSON with sorted keys and a file a line, written in one way only: the same release has the "
        "same digest.",
        "[manifest.schema.json](manifest.schema.json) checks it.",
        "",
        "## How it stays readable",
        "",
        f"`schema` is `{SCHEMA}`. Manifests with `{FILES_ONLY}`, which have `files` and `directories` only, "
        "are read as",
        "before. A later number is refused with the advice to upgrade dreg; further keys are let pass.",
        "",
        "## What is not in it",
        "",
        "- The release's own commit: the manifest is written before that. It is what the tag points to, "
        "and it has what",
        "  the manifest says of files in git, byte for byte, or the release is refused.",
        "- Addresses of mirrors, names of machines and users, the environment's values. In parameters, "
        "findings and reasons,",
        "  what looks like a key, token or password is `(withheld)`: by the name it goes by, by its form, "
        "or because the",
        "  environment has it under such a name.",
        "",
        "## The same content has the same manifest",
        "",
        "Whether there is anything to release, the data decides and never the manifest: the same data made on "
        "another",
        "machine is the same release. A manifest says nothing of the time, and nothing that changes when "
        "somebody else",
        "pushes first, so a release that is tried again writes the same one. Where the data was made is "
        "recorded when it",
        "is made, in `pipelines/<name>/provenance.json`, in git; running the pipeline again leaves that "
        "alone while the",
        "bytes stay the same.",
        "",
        "## Keys",
        "",
        *_table(top),
    )
    for key in INNER:
        yield from ("", f"### {key}", "", *_table(top[key]["items"]["properties"]))
    inner = top["provenance"]["properties"]
    yield from ("", "### provenance", "", *_table(inner))
    yield from ("", "### provenance.sources", "", *_table(inner["sources"]["items"]["properties"]))
    yield from ("", "### provenance.made", "", *_table(inner["made"]["anyOf"][0]["properties"]))


def _table(properties: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| key | what |", "|---|---|")
    for key, value in properties.items():
        choices = f" One of: {', '.join(value['enum'])}." if "enum" in value else ""
        yield f"| `{key}` | {value['description']}{choices} |"
