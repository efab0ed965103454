"""Where a release comes from, as an in-toto statement: derived from its manifest and tag."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dreg.adapters import git
from dreg.catalog import choose, listed_releases
from dreg.core import attestation
from dreg.core.manifest import manifest_digest
from dreg.core.release import Release
from dreg.core.version import parse_request
from dreg.errors import Refused
from dreg.history import own_store_of
from dreg.manifests import read_manifest, store_of
from dreg.registry import Registry
from dreg.release.branch_tip import GIT_REMOTE


@dataclass(frozen=True)
class Statement:
    """An in-toto statement (v1) whose predicate is SLSA provenance (v1)."""

    _type: str
    subject: tuple[Mapping[str, Any], ...]
    predicateType: str
    predicate: Mapping[str, Any]

    def lines(self) -> Iterator[str]:
        yield json.dumps(vars(self), indent=2, ensure_ascii=False)


def provenance(request: str, repo: str | None = None) -> Statement:
    """The statement on the newest release in the request's range.

    Raises BadRequest for an unknown dataset or a range that no release satisfies, Refused for a
    release without a manifest, Outside when that cannot be had.
    """
    name, wanted = parse_request(request)
    place = repo or str(Registry.here().root)
    release = choose(name, wanted, listed_releases(name, repo))
    revision = git.revision(place, release.tag)
    signed = Release(
        name,
        release.version,
        release.tag,
        revision.commit,
        manifest=manifest_digest(revision.message),
    )
    store = own_store_of(place, revision) if repo is None else store_of(place, revision)
    manifest = read_manifest(store, signed)
    if manifest is None:
        raise Refused(
            f"`{release.tag}` has no manifest, so nothing is known of where it comes from",
            hint=f"it was not released by dreg; its profile: dreg show {name}@{release.version}",
        )
    public = git.public_url(
        repo or git.Repository(Registry.here().root).remote_url(GIT_REMOTE) or place
    )
    return Statement(
        attestation.STATEMENT,
        tuple(attestation.subjects(manifest)),
        attestation.PREDICATE,
        attestation.predicate(manifest, repo=public, tag=release.tag, commit=revision.commit),
    )
