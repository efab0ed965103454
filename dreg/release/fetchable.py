"""What would keep a release from being fetched although every object is on the remote."""

from __future__ import annotations

import hashlib

from dreg.adapters.git import Repository
from dreg.core.manifest import Manifest
from dreg.core.receipt import check_placeable
from dreg.core.snapshot import Snapshot
from dreg.core.version import check_name
from dreg.errors import BadRequest, Refused
from dreg.registry import Dataset
from dreg.release.about import digests_in_git


def refuse_unreadable_name(dataset: Dataset) -> None:
    """Raises BadRequest for a name, given by hand to folders, that no tag can be read back to."""
    try:
        check_name(dataset.name)
    except BadRequest as error:
        raise BadRequest(
            error.fact, hint=f"rename pipelines/{dataset.name}, and run it again; {error.hint}"
        ) from error


def refuse_unplaceable(dataset: Dataset, snapshot: Snapshot) -> None:
    """Raises Refused for paths that `fetch` would refuse to place."""
    try:
        check_placeable(snapshot.files)
    except Refused as error:
        raise Refused(
            error.fact, hint=f"let the pipeline name them otherwise, then: dreg run {dataset.name}"
        ) from error


def refuse_uncommitted(dataset: Dataset, manifest: Manifest, commit: str) -> None:
    """Raises Refused unless `commit` has byte for byte what the manifest says is in git.

    An ignore rule keeps a file out of it; a filter or line endings make other bytes of it.
    """
    wanted = digests_in_git(dataset, manifest.about) if manifest.about else {}
    for file in manifest.snapshot.files:
        if file.in_git and file.sha256:
            wanted[f"{dataset.folders[1]}/{file.path}"] = file.sha256
    there = Repository(dataset.root).read_all([(commit, path) for path in wanted])
    for path, data in zip(wanted, there, strict=True):
        if data is None:
            raise Refused(
                f"git ignores `{path}`, so the release would lack it",
                hint=f"see which rule does, and lift it: git check-ignore -v {path}",
            )
        if hashlib.sha256(data).hexdigest() != wanted[path]:
            raise Refused(
                f"git would not keep `{path}` byte for byte, so nobody could verify the release",
                hint=f"see which attribute changes it, and unset it: git check-attr --all {path}",
            )
