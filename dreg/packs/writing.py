"""Writing packs beside a release's objects. A release is one without them, too."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from dreg.adapters.objects import Advance, Store, corrupt
from dreg.core.manifest import Manifest
from dreg.core.packed import Pack, choose, list_key, list_to_text
from dreg.errors import DregError
from dreg.output import out
from dreg.packs.reading import is_right, listed, opened

PIECE = 1024 * 1024

Read = Callable[[str], bytes]


def has_use_for_packs(store: Store) -> bool:
    """Whether the store is one where a request has its price, and dreg writes to it itself."""
    return store.remote.scheme in ("s3", "azure") and not store.near


def pack_release(store: Store, manifest: Manifest, read: Read, before: str | None = None) -> None:
    """Pack the small files of a release that is being made, as `write_packs` does.

    What fails is told, and is no failure of the release.
    """
    if not has_use_for_packs(store):
        return
    try:
        write_packs(store, manifest, read, [before] if before else [])
    except DregError as error:
        out.warn(
            f"the small files of {manifest.dataset} {manifest.version} were not packed, so a fetch "
            f"asks for each of them ({error.fact}); once that is mended: "
            f"dreg pack {manifest.dataset}@{manifest.version}"
        )


def write_packs(
    store: Store, manifest: Manifest, read: Read, before: Sequence[str], *, deep: bool = False
) -> list[Pack]:
    """Pack the small files among those that a fetch places; the release's packs.

    `read` gives the bytes that have an MD5. `before` are digests of manifests whose packs are gone on
    with; with `deep` only if every byte of them is right. Raises Outside.
    """
    files = manifest.snapshot.published.files
    kept, new = choose(files)
    if new is not None and before:
        kept, new = choose(files, _packs(store, before, deep=deep))
    if new is not None:
        _put(store, new, read, anew=deep)
        kept.append(new)
    if kept:
        store.put_bytes(list_key(manifest.digest), list_to_text(kept))
    return kept


def _packs(store: Store, manifests: Sequence[str], *, deep: bool) -> list[Pack]:
    """The packs of other releases, as far as they can be read."""
    found: dict[str, Pack] = {}
    for manifest in manifests:
        with suppress(DregError):
            for each in listed(store, manifest):
                with suppress(DregError):
                    pack = opened(store, each)
                    if not deep or is_right(store, pack):
                        found[each.name] = pack
    return list(found.values())


def _put(store: Store, pack: Pack, read: Read, *, anew: bool) -> None:
    key, size = pack.listed.key, pack.listed.size
    there = None if anew else store.stat(key)
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
