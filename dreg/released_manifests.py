"""The manifests of all releases of a registry, each read once and then kept in dreg's cache."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from dreg.adapters import git
from dreg.adapters.manifest_cache import keep_manifest, kept_manifest
from dreg.adapters.objects import Stores, many
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.release import Release, marked
from dreg.errors import BadRequest, DregError
from dreg.manifests import MANIFEST_LIMIT, store_of
from dreg.output import out


@dataclass(frozen=True)
class Manifests:
    """Of the registry at a URL or path, with its bytes on the remote asked for."""

    repo: str
    remote: str | None = None

    @functools.cached_property
    def releases(self) -> list[Release]:
        """All releases with a manifest, by dataset, oldest first; those that are yanked are marked."""
        tags = git.remote_tags(self.repo, "*-v*")
        said = git.fetch_tags(self.repo, [t.name for t in tags.values() if t.annotated])
        found = (Release.of(tag.name, tag.commit, tag.message) for tag in said)
        known = [release for release in found if release is not None and release.manifest]
        return sorted(marked(known, list(tags)), key=lambda r: (r.dataset, r.version))

    @functools.cached_property
    def store(self) -> Stores:
        """The remotes as the default branch has them, or where HEAD leads nowhere, the last release."""
        try:
            now = git.revision(self.repo, "HEAD")
        except BadRequest:
            if not self.releases:
                raise
            now = git.revision(self.repo, self.releases[-1].tag)
        return store_of(self.repo, now, self.remote)

    def all(self) -> Iterator[tuple[Release, Manifest]]:
        """Every release with its manifest; of one that can't be read, a warning."""
        return self._read(self.releases)

    def of(self, dataset: str) -> Iterator[tuple[Release, Manifest]]:
        """As `all`, of one dataset."""
        return self._read([r for r in self.releases if r.dataset == dataset])

    def read(self, digest: str) -> Manifest:
        """One manifest, from dreg's cache if it was read before."""
        text = kept_manifest(digest) or self.store.get_bytes(manifest_key(digest), MANIFEST_LIMIT)
        manifest = Manifest.parse(text, digest)
        keep_manifest(digest, text)
        return manifest

    def _read(self, releases: list[Release]) -> Iterator[tuple[Release, Manifest]]:
        def read(release: Release) -> Manifest | DregError:
            try:
                return self.read(release.manifest or "")
            except DregError as error:
                return error

        if not releases:
            return
        for release, got in zip(
            releases, many([functools.partial(read, r) for r in releases]), strict=True
        ):
            if isinstance(got, DregError):
                out.warn(f"the manifest of {release.tag} can't be read: {got.fact}")
            else:
                yield release, got
