"""A release as an in-toto statement with a SLSA provenance predicate, made of manifest and tag.

https://in-toto.io/Statement/v1 and https://slsa.dev/provenance/v1. Nothing in it is measured or
asked anew: who trusts the tag can trust the statement, and sign it for tools that know such.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from dreg.core.about import About, Provenance
from dreg.core.manifest import Manifest, manifest_key

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:dreg:pipeline:1"
BUILDER = "urn:dreg:release"

Json = dict[str, Any]


def subjects(manifest: Manifest) -> list[Json]:
    """Every file of the release, by its path below `data/<name>/`."""
    return [
        {"name": file.path, "digest": {"sha256": file.sha256}} for file in manifest.snapshot.files
    ]


def predicate(manifest: Manifest, *, repo: str, tag: str, commit: str) -> Json:
    """What the release was made from and where: as much as its manifest says.

    `repo` is where the registry is, without a password in it.
    """
    about = manifest.about
    made = about.provenance if about else None
    return {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "dataset": manifest.dataset,
                "version": str(manifest.version),
                "registry": repo,
                "tag": tag,
                "params": {file: dict(v) for file, v in made.params.items()} if made else {},
            },
            "internalParameters": _why(about) if about else {},
            "resolvedDependencies": [
                {
                    "name": f"pipelines/{manifest.dataset}",
                    "uri": f"git+{repo}@refs/tags/{tag}",
                    "digest": {"gitCommit": commit},
                },
                *(_dependencies(about, repo) if about else ()),
            ],
        },
        "runDetails": {
            "builder": {"id": BUILDER, "version": _versions(made) if made else {}},
            "byproducts": [
                {"name": manifest_key(manifest.digest), "digest": {"sha256": manifest.digest}}
            ],
        },
    }


def _why(about: About) -> Json:
    said = about.to_json()
    return {key: said[key] for key in ("bump", "previous", "findings", "exceptions")}


def _dependencies(about: About, repo: str) -> Iterator[Json]:
    made = about.provenance
    yield {"name": "dvc.lock", "digest": {"sha256": made.dvc_lock}}
    yield {"name": "dataset.yaml", "digest": {"sha256": about.contract}}
    for source in made.sources:
        served = {"annotations": {"mirror": source.mirror}} if source.mirror else {}
        yield {"name": source.path, "digest": {"sha256": source.sha256}, **served}
    for pin in about.upstream:
        if pin.tag is not None and pin.commit is not None:
            named = {"manifest": pin.manifest} if pin.manifest else {}
            yield {
                "name": pin.dataset,
                "uri": f"git+{repo}@refs/tags/{pin.tag}",
                "digest": {"gitCommit": pin.commit},
                "annotations": {"version": pin.version, **named},
            }
    for name, version in made.made.packages.items() if made.made else ():
        yield {"name": name, "uri": f"pkg:pypi/{name}@{version}"}


def _versions(made: Provenance) -> dict[str, str]:
    where = made.made
    if where is None:
        return {"dreg": made.released_with}
    return {"dreg": made.released_with, "python": where.python, "platform": where.platform}
