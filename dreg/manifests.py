"""The manifest that a release's tag signs for, read from the remote that the release's commit names."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from dreg.adapters import git
from dreg.adapters.dvc_config import read_remotes, wanted_remote
from dreg.adapters.objects import Store, open_store
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.release import Release
from dreg.core.remotes import Remotes
from dreg.errors import Refused

MANIFEST_LIMIT = 1 << 30  # bytes; about five million files


def store_of(repo: str, revision: git.Revision, remote: str | None = None) -> Store:
    """Where the bytes of a release in the registry at `repo` are; `remote` overrides what it says."""
    remotes = remotes_at(repo, revision.read(".dvc/config"))
    return open_store(remotes.choose(wanted_remote(remote)))


def read_manifest(store: Store, release: Release) -> Manifest | None:
    """The manifest of the release; None if its tag names none.

    Raises Outside when it cannot be had, Refused when it is another release's or can't be trusted.
    """
    if release.manifest is None:
        return None
    text = store.get_bytes(manifest_key(release.manifest), MANIFEST_LIMIT)
    manifest = Manifest.parse(text, release.manifest)
    if (manifest.dataset, manifest.version) != (release.dataset, release.version):
        raise Refused(
            f"the tag `{release.tag}` signs for {manifest.dataset} {manifest.version}",
            hint="nothing was written; tell the registry's owner",
        )
    return manifest


def remotes_at(repo: str, config: bytes | None) -> Remotes:
    """The remotes by a commit's `.dvc/config`; a local registry's own config.local counts too."""
    root = _local(repo)
    text = (config or b"").decode(errors="replace")
    if root is None:
        return Remotes.parse(text)
    return read_remotes(root, committed=text)


def _local(repo: str) -> Path | None:
    if repo.startswith("file://"):
        return Path(unquote(urlsplit(repo).path))
    path = Path(repo).expanduser()
    return path.resolve() if "://" not in repo and path.is_dir() else None
