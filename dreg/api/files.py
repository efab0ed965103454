"""The files of one release, for who loads it: what there is, and where they are here.

What `dreg fetch` placed is used where it lies; other releases are kept in dreg's cache.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from dreg.adapters import git
from dreg.adapters.cache import cache_folder, cache_place
from dreg.adapters.cache_entries import hold, used
from dreg.adapters.objects import Store, Stores
from dreg.adapters.placing import inspect
from dreg.core.profile import Profile
from dreg.core.receipt import Receipt
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.snapshot import INDEX, File
from dreg.core.split_paths import METADATA
from dreg.core.subset import Subset, is_parquet
from dreg.errors import DregError
from dreg.fetch.pin import Found, Request, find
from dreg.fetch.spare import answering
from dreg.output import out
from dreg.yank.known import Yanks

WORTH_CUTTING = 4_000_000  # bytes; less comes whole sooner than in pieces, and serves all columns


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
        return find(self._asked, self.release, self.remote)

    @functools.cached_property
    def _asked(self) -> Request:
        """The request, at a registry that answers: for what is not here."""
        return answering(self.request, Yanks())

    def commit_of(self, tag: str) -> str | None:
        """The commit that a tag of the registry leads to now; None if it has no such tag. Raises Outside."""
        found = git.remote_tags(self.request.repo, f"{tag}*").get(tag)  # with what it leads to
        return found.commit if found else None

    @functools.cached_property
    def listed(self) -> dict[str, File]:
        """The published files by path, as the manifest has them."""
        return {file.path: file for file in self.found.snapshot.published.files}

    @property
    def far(self) -> dict[str, File]:
        """Those of them that are on the remotes; git has the others."""
        return {path: file for path, file in self.listed.items() if not file.in_git}

    def paths(self, split: str | None = None) -> tuple[str, ...]:
        """The published files' paths, or some with all of the split among them; asks nobody if
        those are here."""
        here = self._here(split)
        return tuple(here[1].files) if here else tuple(self.listed)

    def placed(self, split: str | None = None) -> Path | None:
        """The folder in which all of the release, or of the split, is unchanged; None if there is
        none yet."""
        here = self._here(split)
        return here[0] if here else None

    def _here(self, split: str | None) -> tuple[Path, Receipt] | None:
        if split is None:
            return self._first(None, [self._cached(None)], lambda part: part.is_whole)
        cached = [self._cached(None), self._cached(split)]
        return self._first(split, cached, lambda part: part.has_split(split))

    def _first(
        self, purpose: object, cached: Sequence[Path], fits: Callable[[Subset], bool]
    ) -> tuple[Path, Receipt] | None:
        """The first folder with a part of the release, unchanged, that fits; remembered."""
        known: dict[object, tuple[Path, Receipt]] = self.__dict__.setdefault("_known", {})
        pin = self.request.pin
        if purpose not in known:
            for folder in (*([self.home / pin.output] if pin else []), *cached):
                if folder in cached and not hold(folder):
                    continue
                with contextlib.suppress(DregError, ValueError):
                    receipt = inspect(folder).complete
                    if receipt and self._is(receipt) and fits(Subset.parse(receipt.subset)):
                        known[purpose] = folder, receipt
                        break
        return known.get(purpose)

    def _is(self, receipt: Receipt) -> bool:
        release = self.release
        return (receipt.dataset, receipt.commit) == (release.dataset, release.commit)

    def folder(self, split: str | None = None, columns: Sequence[str] = ()) -> Path:
        """The folder with all of the release, or of the split, brought here if need be.

        With `columns`, those of the split's tables will do. Raises as `fetch` does.
        """
        placed = self.placed(split) or self._with_columns(split, columns)
        if placed is not None:
            return placed
        from dreg.fetch.fetching import place

        part = Subset.of([] if split is None else [split], columns=columns)
        target = self._cached(split, columns)
        request = replace(self._asked, output=str(target), raw=False, subset=part)
        place(request, find(request, self.release, self.remote), target, force=True)
        hold(target)
        return target

    def _with_columns(self, split: str | None, columns: Sequence[str]) -> Path | None:
        if split is None or not columns:
            return None
        here = self._first(
            (split, *columns),
            [self._cached(split, columns)],
            lambda part: part.has_columns(split, columns),
        )
        return here[0] if here else None

    def alone(
        self, split: str, paths: Sequence[str], columns: Sequence[str], profile: Profile | None
    ) -> tuple[str, ...]:
        """The columns, if it pays to bring them without the rest of the split: of large tables that
        are afar. None where one of them names files, which would have to come too."""
        known = profile.features if profile else {}
        named = any(known[c].type in ("image", "document") for c in columns if c in known)
        if not columns or named or self.placed(split) is not None:
            return ()
        files = [self.listed[path] for path in paths]
        large = sum(file.size for file in files) >= WORTH_CUTTING
        pays = large and all(map(is_parquet, files)) and not self.found.store.near
        return tuple(columns) if pays else ()

    def metadata(self) -> bytes:
        """The bytes of metadata.json, of which no data need be here; empty if there is none."""
        whole = self._cached(None)
        parts = sorted(whole.parent.glob(f"{whole.name}*"))
        here = self._first(METADATA, parts, lambda part: True)  # it belongs to every part
        if here is not None:
            file = here[0] / METADATA
            return file.read_bytes() if file.is_file() else b""
        release = self.release
        revision = git.revision(self._asked.repo, release.commit)
        return revision.read(f"data/{release.dataset}/{METADATA}") or b""

    def index(self) -> Path | None:
        """The sample index as a file here, downloaded alone if need be; None if there is none."""
        if INDEX not in self.paths():
            return None
        placed = self.placed()
        if placed is not None:
            return placed / INDEX
        return kept_index(self.found.store, self.listed[INDEX], str(self.release.version))

    def _cached(self, split: str | None, columns: Sequence[str] = ()) -> Path:
        """Where dreg's cache has the release, or the part alone: such a folder never changes again."""
        name = f"{self.release.tag}-{self.release.commit[:12]}"
        if split is not None:
            name = f"{name}+{quote(split, safe='')}"
        if columns:
            name = f"{name}+{hashlib.sha256(repr(tuple(columns)).encode()).hexdigest()[:16]}"
        return cache_place("releases") / name

    def __getstate__(self) -> dict[str, Any]:
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def kept_index(store: Store | Stores, file: File, version: str) -> Path:
    """A sample index in dreg's cache, by its checksum, so that equal ones are there once.

    It is verified each time: what is said of samples rests on it.
    """
    kept = cache_folder("samples") / f"{file.md5}.parquet"
    used(kept)
    if not _is_whole(kept, file):
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


def _is_whole(kept: Path, file: File) -> bool:
    try:
        with kept.open("rb") as stream:
            return (
                hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()
                == file.md5
            )
    except FileNotFoundError:
        return False
