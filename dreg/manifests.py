"""The manifest that a release's tag signs for, read from the remote that the release's commit names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dreg.adapters import git
from dreg.adapters.dvc_config import Remotely, read_remotes, wanted_remotes
from dreg.adapters.manifest_cache import keep_manifest, kept_manifest
from dreg.adapters.objects import Store, Stores
from dreg.adapters.requests_file import read_requests
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.release import Release
from dreg.core.remotes import Remotes
from dreg.core.requests import Requests
from dreg.errors import Refused

MANIFEST_LIMIT = 1 << 30  # bytes; about five million files
FOLDER_LIMIT = 1 << 30  # bytes of one `.dir` object; about ten million files


def store_of(
    repo: str, revision: git.Revision, remote: Remotely = None, asked: Requests | None = None
) -> Stores:
    """Where the bytes of a release in the registry at `repo` are; `remote` overrides what it says.

    `asked` says what is different for this consumer, by default what dreg.toml here does.
    """
    asked = read_requests(Path.cwd()) if asked is None else asked
    remotes = asked.as_seen_from_here(remotes_at(repo, revision.read(".dvc/config")))
    wanted = wanted_remotes(remote) or asked.remote
    return Stores([remotes.choose(name) for name in wanted or (None,)])


def read_manifest(store: Store | Stores, release: Release) -> Manifest | None:
    """The manifest of the release; None if its tag names none.

    Raises Outside when it cannot be had, Refused when it is another release's or can't be trusted.
    """
    return manifest_of(release, store.get_bytes)


def manifest_of(release: Release, get: Callable[[str, int], bytes]) -> Manifest | None:
    """As `read_manifest`, by `get(key, limit)`, which is asked only if it is not in dreg's cache."""
    digest = release.manifest
    if digest is None:
        return None
    text = kept_manifest(digest) or get(manifest_key(digest), MANIFEST_LIMIT)
    manifest = Manifest.parse(text, digest)
    keep_manifest(digest, text)
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
