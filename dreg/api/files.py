"""The files of one release, for who loads it: what there is, and where they are here.

What `dreg fetch` placed is used where it lies; other releases are kept in dreg's cache.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dreg.adapters import git
from dreg.adapters.cache import cache_folder, cache_place
from dreg.adapters.objects import Store, Stores
from dreg.adapters.placing import inspect
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.snapshot import INDEX, File
from dreg.core.split_paths import METADATA
from dreg.errors import DregError
from dreg.fetch.pin import Found, Request, find
from dreg.output import out


@dataclass(frozen=True, eq=False)
class ReleaseFiles:
    """A release that was asked for from the folder `home`; may be sent to other processes."""

    request: Request
    release: Release
    home: Path
    remote: str | None = None

    @functools.cached_property
    def found(self) -> Found:
        """Manifest and store. Raises as `dreg.pin.find` does."""
        return find(self.request, self.release, self.remote)

    @functools.cached_property
    def listed(self) -> dict[str, File]:
        """The published files by path, as the manifest has them."""
        return {file.path: file for file in self.found.snapshot.published.files}

    @functools.cached_property
    def paths(self) -> tuple[str, ...]:
        """The published files' paths; asks nobody if they are here."""
        placed = self.placed
        receipt = inspect(placed).receipt if placed else None
        return tuple(receipt.files) if receipt else tuple(self.listed)

    @property
    def placed(self) -> Path | None:
        """The folder in which all of the release is, unchanged; None if there is none yet."""
        known: Path | None = self.__dict__.get("_complete")
        if known is not None:
            return known
        pin = self.request.pin
        for folder in (*([self.home / pin.output] if pin else []), self._cached):
            try:
                receipt = inspect(folder).complete
            except DregError:
                continue
            release = self.release
            if receipt is None or receipt.subset:  # a part is not what `load` promises
                continue
            if (receipt.dataset, receipt.commit) == (release.dataset, release.commit):
                self.__dict__["_complete"] = folder
                return folder
        return None

    def folder(self) -> Path:
        """The folder with all of the release, brought here if need be. Raises as `fetch` does."""
        placed = self.placed
        if placed is not None:
            return placed
        from dreg.fetch.fetching import place

        target = self._cached
        request = replace(self.request, output=str(target), raw=False)
        place(request, self.found, target, force=True)
        return target

    def metadata(self) -> bytes:
        """The bytes of metadata.json, of which no data need be here; empty if there is none."""
        placed = self.placed
        if placed is not None:
            file = placed / METADATA
            return file.read_bytes() if file.is_file() else b""
        release = self.release
        revision = git.revision(self.request.repo, release.commit)
        return revision.read(f"data/{release.dataset}/{METADATA}") or b""

    def index(self) -> Path | None:
        """The sample index as a file here, downloaded alone if need be; None if there is none."""
        if INDEX not in self.paths:
            return None
        placed = self.placed
        if placed is not None:
            return placed / INDEX
        return kept_index(self.found.store, self.listed[INDEX], str(self.release.version))

    @property
    def _cached(self) -> Path:
        return cache_place("releases") / f"{self.release.tag}-{self.release.commit[:12]}"

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def kept_index(store: Store | Stores, file: File, version: str) -> Path:
    """A sample index in dreg's cache, by its checksum, so that equal ones are there once."""
    kept = cache_folder("samples") / f"{file.md5}.parquet"
    if not kept.is_file() or kept.stat().st_size != file.size:
        with out.progress(f"getting the sample index of {version}", file.size, "bytes") as advance:
            store.download(
                object_key(file.md5),
                kept,
                size=file.size,
                md5=file.md5,
                sha256=file.sha256,
                advance=advance,
                called=INDEX,
            )
    return kept
