"""What a release's manifest says beside its files: why this version, and what it was made from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from semver import Version

from dreg import __version__
from dreg.adapters.declared_sources import SOURCES, SOURCES_FILE, declared_sources
from dreg.adapters.dvc import Pipeline
from dreg.adapters.git import Repository
from dreg.adapters.making import making_path, read_making
from dreg.core.about import About, Origin, Provenance, Reason, Upstream
from dreg.core.decision import Decision
from dreg.core.profile import Profile
from dreg.core.secrets import secrets_in, without_secrets
from dreg.core.snapshot import INDEX, RAW, Snapshot
from dreg.core.stages import PARAMS_FILE, LockedStage
from dreg.errors import BadRequest
from dreg.registry import Dataset


def about(
    dataset: Dataset,
    decision: Decision,
    profile: Profile,
    snapshot: Snapshot,
    *,
    base: str,
    previous: Version | None,
    exceptions: Sequence[str],
    upstream: Sequence[Upstream],
) -> About:
    """What is said of a release on the commit `base`; nothing in it looks like a secret."""
    said = About(
        bump=str(decision.bump),
        previous=str(previous) if previous else None,
        findings=tuple(Reason(f.rule, str(f.bump), f.text, f.override) for f in decision.findings),
        exceptions=tuple(exceptions),
        contract=_sha256(dataset, f"{dataset.folders[0]}/dataset.yaml"),
        profile=_sha256(dataset, f"{dataset.folders[1]}/metadata.json"),
        sample_index=next((f.sha256 for f in snapshot.files if f.path == INDEX), None),
        upstream=tuple(upstream),
        provenance=_provenance(dataset, profile, base),
    )
    return About.parse(without_secrets(said.to_json(), secrets_in(os.environ)))


def digests_in_git(dataset: Dataset, said: About) -> dict[str, str]:
    """SHA-256 of files that the release's commit must have just so, by path in the registry."""
    return {
        f"{dataset.folders[0]}/dvc.lock": said.provenance.dvc_lock,
        f"{dataset.folders[0]}/dataset.yaml": said.contract,
        f"{dataset.folders[1]}/metadata.json": said.profile,
    }


def _provenance(dataset: Dataset, profile: Profile, base: str) -> Provenance:
    locked = Pipeline(dataset.root, dataset.name).locked()
    recorded = read_making(dataset)
    return Provenance(
        commit=_commit(dataset, base),
        dvc_lock=_sha256(dataset, f"{dataset.folders[0]}/dvc.lock"),
        params=_params(locked),
        sources=_origins(dataset, recorded.mirrors),
        made=recorded.made if recorded.snapshot == profile.snapshot.digest else None,
        released_with=__version__,
    )


def _commit(dataset: Dataset, base: str) -> str | None:
    """The newest commit that changed the pipeline, as far as the history here goes back.

    Not the base itself: that is another one each time that somebody else was faster, and with it the
    manifest would be. None if the tree's pipeline is not in any commit yet.
    """
    repository, folder = Repository(dataset.root), dataset.folders[0]
    made = (f"{folder}/dvc.lock", making_path(dataset))
    paths = (folder, *(f":(exclude,literal){path}" for path in made))
    if repository.try_("diff", "--quiet", base, "--", *paths) is None:
        return None
    if repository.ask("ls-files", "--others", "--exclude-standard", "--", *paths):
        return None
    return repository.ask("log", "-1", "--format=%H", base, "--", *paths) or None


def _params(locked: Mapping[str, LockedStage]) -> dict[str, dict[str, Any]]:
    """What the stages declare, as dvc.lock has it; sources are told apart from them."""
    found: dict[str, dict[str, Any]] = {}
    for stage in locked.values():
        for file, values in stage.params.items():
            own = {
                k: v
                for k, v in values.items()
                if file not in (PARAMS_FILE, SOURCES_FILE) or k != SOURCES
            }
            if own:
                found.setdefault(file, {}).update(own)
    return found


def _origins(dataset: Dataset, mirrors: Mapping[str, str]) -> tuple[Origin, ...]:
    """The sources that are listed for dreg's own download stage; others are not known."""
    try:
        sources = declared_sources(dataset)
    except BadRequest:
        return ()
    return tuple(
        Origin(f"{RAW}{source.path}", source.sha256, source.size, mirrors.get(source.sha256))
        for source in sorted(sources, key=lambda source: source.path)
    )


def _sha256(dataset: Dataset, path: str) -> str:
    return hashlib.sha256((dataset.root / path).read_bytes()).hexdigest()
