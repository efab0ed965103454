"""What somebody needs of a remote: releases, branches, locks, and what is just being made.

Whenever something that says what is needed cannot be read, that is an error: nothing is unneeded because
of what could not be seen.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from dreg.adapters import dvc
from dreg.adapters.git.locks import Locks
from dreg.adapters.objects import Missing, Store, many
from dreg.core.garbage import (
    ANNOUNCED,
    ANNOUNCEMENT,
    MANIFEST,
    MANIFESTS,
    is_lock,
    keys_of,
    md5s_in,
)
from dreg.core.manifest import Manifest, manifest_key
from dreg.core.packed import PACKS, manifest_of_list
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.soundness import needed
from dreg.core.wording import numbered
from dreg.errors import DregError, Refused
from dreg.manifests import FOLDER_LIMIT, MANIFEST_LIMIT
from dreg.output import out
from dreg.packs.reading import listed

DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


Text = tuple[str, bytes]  # a lock file's path and content


@dataclass
class Needs:
    """Asks anew what is needed each time; what can't have changed is read once.

    `remotes` are the git remotes (names or URLs) whose branches and tags count. `unreleased`:
    what only manifests name that no tag and no lock knows is not needed.
    """

    root: Path
    store: Store
    remotes: tuple[str, ...]
    unreleased: bool = False
    _folders: dict[str, bytes | None] = field(default_factory=dict)
    _manifests: dict[str, Manifest] = field(default_factory=dict)

    def keys(self) -> set[str]:
        """Keys of everything that is needed.

        First what is being made, then manifests, then tags: a release that goes from one to the
        next meanwhile is seen in one of them. Raises Refused or Outside when that can't be known.
        """
        announced = [each.key for each in self.store.every(ANNOUNCED)]
        manifests = {
            match[1] + match[2]
            for each in self.store.every(MANIFESTS)
            if (match := MANIFEST.fullmatch(each.key))
        }
        locks = Locks(self.root, is_lock)
        try:
            locks.fetch(self.remotes)
            released, names, texts = self._of_git(locks)
        finally:
            locks.forget()
        released |= {digest for text in texts for digest in _pinned(*text)} & manifests
        self._read_manifests(manifests | released)
        if not self.unreleased:
            self._refuse_others(manifests - released, names)
            released |= manifests
        found = {manifest_key(digest) for digest in released}
        found |= _objects(self._manifests[digest] for digest in released)
        found |= self._packs(released, making=bool(announced))
        return found | self._of_announcements(announced) | self._of_locks(texts)

    def _of_git(self, locks: Locks) -> tuple[set[str], set[str], set[Text]]:
        """Digests of released manifests, names of datasets, and all lock files."""
        released: set[str] = set()
        names = {path.parent.name for path in self.root.glob("pipelines/*/dvc.yaml")}
        texts = set(locks.uncommitted())
        for tag in locks.tags():
            release = Release.of(tag.name, tag.commit, tag.message) if tag.annotated else None
            only: tuple[str, ...] = ("",)
            if release is not None and release.manifest is not None:
                released.add(release.manifest)
                names.add(release.dataset)
                only = (f"pipelines/{release.dataset}/", f"data/{release.dataset}/")
            for commit in locks.commits([tag.object]):
                texts |= {t for t in locks.at(commit).items() if t[0].startswith(only)}
        for commit in locks.tips():
            texts |= set(locks.at(commit).items())
        names |= {path.split("/")[1] for path, _ in texts if path.startswith("pipelines/")}
        return released, names, texts

    def _read_manifests(self, digests: Iterable[str]) -> None:
        new = sorted(set(digests) - self._manifests.keys())

        def read(digest: str) -> Manifest:
            text = self.store.get_bytes(manifest_key(digest), MANIFEST_LIMIT)
            return Manifest.parse(text, digest)

        try:
            found = many([functools.partial(read, digest) for digest in new]) if new else []
        except DregError as error:
            raise type(error)(
                f"what releases need can't be known: {error.fact}",
                hint="nothing was deleted; see what is wrong: dreg fsck --remote",
            ) from error
        self._manifests.update(zip(new, found, strict=True))

    def _packs(self, released: set[str], *, making: bool) -> set[str]:
        """The packs of releases, and the lists that name them.

        All of them while a release is being made, whose list may not be there yet, and where a list
        cannot be read: that of a newer dreg, perhaps.
        """
        keys = {each.key for each in self.store.every(PACKS)}
        named = {key: digest for key in keys if (digest := manifest_of_list(key)) is not None}
        lists = [key for key, digest in named.items() if digest in released]
        if making:
            return keys - (named.keys() - set(lists))

        def packs_of(key: str) -> set[str]:
            with contextlib.suppress(Missing):
                return {pack.key for pack in listed(self.store, named[key])}
            return set()

        try:
            found = many([functools.partial(packs_of, key) for key in lists]) if lists else []
        except DregError as error:  # packs are no reason to stop: nothing depends on them
            out.warn(f"{error.fact}, so all packs are kept")
            return keys
        return set(lists).union(*found)

    def _refuse_others(self, digests: Iterable[str], names: set[str]) -> None:
        """Raises Refused when the remote also has releases of a registry that was not asked."""
        others = sorted({self._manifests[digest].dataset for digest in digests} - names)
        if others:
            raise Refused(
                f"another registry keeps its bytes on {self.store.location} too: it has releases "
                f"of {', '.join(others[:5])}, which this one does not know",
                hint="say which one, so that what its branches need is kept: dreg gc --also URL",
            )

    def _of_announcements(self, keys: Iterable[str]) -> set[str]:
        found: set[str] = set()
        for key in keys:
            match = ANNOUNCEMENT.fullmatch(key)
            if match is None:
                raise Refused(
                    f"`{key}` on {self.store.location} is no announcement that this dreg reads",
                    hint="nothing was deleted; upgrade dreg: pip install --upgrade dreg",
                )
            try:
                text = self.store.get_bytes(key, MANIFEST_LIMIT)
            except Missing:
                continue  # its release is done; then the manifest is there, or nothing is
            found |= _objects([Manifest.parse(text, match[1])]) | {manifest_key(match[1])}
        return found

    def _of_locks(self, texts: Iterable[Text]) -> set[str]:
        md5s = {md5 for _, text in texts for md5 in md5s_in(text)}
        folders = sorted(md5 for md5 in md5s if md5.endswith(".dir"))
        new = [md5 for md5 in folders if md5 not in self._folders]
        read = many([functools.partial(self._folder, md5) for md5 in new]) if new else []
        self._folders.update(zip(new, read, strict=True))
        lost = [md5 for md5 in new if self._folders[md5] is None]
        if lost:
            out.warn(
                f"neither here nor on {self.store.location}, so that nobody can have their files from "
                f"it: {numbered(len(lost), 'folder')} that locks name, {lost[0]}"
            )
        for md5 in folders:
            md5s |= set(md5s_in(self._folders[md5] or b""))
        return keys_of(md5s)

    def _folder(self, md5: str) -> bytes | None:
        """The list of a folder's files, from the cache or the remote; None if neither has it."""
        here = dvc.cache_path(self.root, md5)
        if here.is_file() and _is(text := here.read_bytes(), md5):
            return text
        try:
            text = self.store.get_bytes(object_key(md5), FOLDER_LIMIT)
        except Missing:
            return None
        if not _is(text, md5):
            raise Refused(
                f"the folder object {md5} on {self.store.location} is damaged, so what is in the "
                "folder can't be known",
                hint="nothing was deleted; push the right one from a clone that has it: dvc push",
            )
        return text


def _is(text: bytes, md5: str) -> bool:
    return hashlib.md5(text, usedforsecurity=False).hexdigest() == md5.removesuffix(".dir")


def _objects(manifests: Iterable[Manifest]) -> set[str]:
    return {each.key for each in needed(("", manifest) for manifest in manifests)}


def _pinned(path: str, text: bytes) -> set[str]:
    """Digests of the manifests that a dreg.lock pins."""
    if path.rsplit("/", 1)[-1] != "dreg.lock":
        return set()
    return {match.decode() for match in DIGEST.findall(text)}
