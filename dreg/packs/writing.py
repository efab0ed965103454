"""Writing packs beside a release's objects. A release is one without them, too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress

from dreg.adapters.objects import Advance, Store, corrupt
from dreg.core.manifest import Manifest
from dreg.core.packed import Pack, choose, list_key, list_to_text
from dreg.errors import DregError
from dreg.output import out
from dreg.packs.reading import listed, opened

PIECE = 1024 * 1024

Read = Callable[[str], bytes]


def write_packs(store: Store, manifest: Manifest, read: Read, before: str | None = None) -> None:
    """Pack the release's small files, those that a fetch places, where a request has its price.

    `read` gives the bytes that have an MD5. `before` is the digest of an earlier release's manifest: its
    packs are gone on with. What fails is told, and is no failure.
    """
    if store.near or store.remote.scheme not in ("s3", "azure"):
        return
    try:
        _write(store, manifest, read, before)
    except DregError as error:
        out.warn(f"small files were not packed, so a fetch asks for each of them: {error.fact}")


def _write(store: Store, manifest: Manifest, read: Read, before: str | None) -> None:
    files = manifest.snapshot.published.files
    kept, new = choose(files)
    if new is None:
        return
    if before is not None:
        kept, new = choose(files, _packs(store, before))
    if new is not None:
        _put(store, new, read)
        kept.append(new)
    if kept:
        store.put_bytes(list_key(manifest.digest), list_to_text(kept))


def _packs(store: Store, manifest: str) -> list[Pack]:
    """The packs of an earlier release, as far as they can be read."""
    found = []
    with suppress(DregError):
        for each in listed(store, manifest):
            with suppress(DregError):
                found.append(opened(store, each))
    return found


def _put(store: Store, pack: Pack, read: Read) -> None:
    key, size = pack.listed.key, pack.listed.size
    there = store.stat(key)
    if there is None or there.size != size:
        with out.progress("packing", size, "bytes") as advance:
            store.put_chunks(key, _chunks(pack, read, advance), size)


def _chunks(pack: Pack, read: Read, advance: Advance) -> Iterator[bytes]:
    """The pack's bytes. Raises Corrupt for a file that is not what its MD5 says."""
    piece = bytearray(pack.head)
    for md5, _ in pack.files:
        data = read(md5)
        found = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if found != md5:
            raise corrupt(md5, "here", "md5", md5, found)
        piece += data
        if len(piece) >= PIECE:
            advance(len(piece))
            yield bytes(piece)
            piece.clear()
    advance(len(piece))
    yield bytes(piece)
