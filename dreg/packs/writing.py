"""Writing packs beside a release's objects. A release is one without them, too."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress

from dreg.adapters.objects import Advance, Store, many
from dreg.core.manifest import Manifest
from dreg.core.packed import SMALL, Pack, choose, list_key, list_to_text
from dreg.core.remotes import object_key
from dreg.errors import DregError, Outside
from dreg.output import out
from dreg.packs.reading import is_right, listed, opened

PIECE = 1024 * 1024
BATCH = 128  # files in memory

Here = Callable[[str], bytes | None]


def has_use_for_packs(store: Store) -> bool:
    """Whether the store is one where a request has its price, and dreg writes to it itself."""
    return store.remote.scheme in ("s3", "azure") and not store.near


def pack_release(store: Store, manifest: Manifest, here: Here, before: str | None = None) -> None:
    """Pack the small files of a release that is being made, as `write_packs` does.

    What fails is told, and is no failure of the release.
    """
    if not has_use_for_packs(store):
        return
    try:
        write_packs(store, manifest, here, [before] if before else [])
    except DregError as error:
        out.warn(
            f"the small files of {manifest.dataset} {manifest.version} were not packed, so a fetch "
            f"asks for each of them ({error.fact}); once that is mended: "
            f"dreg pack {manifest.dataset}@{manifest.version}"
        )


def write_packs(
    store: Store,
    manifest: Manifest,
    here: Here,
    before: Sequence[str],
    read: dict[str, Pack] | None = None,
) -> list[Pack]:
    """Pack the small files among those that a fetch places; the release's packs.

    `here` gives the bytes that have an MD5, None where they are not here: then the store's object is
    read. `before` are digests of manifests whose packs are gone on with; with `read` only if every byte
    of them is right, which it remembers by their names. Raises Outside.
    """
    files = manifest.snapshot.published.files
    kept, new = choose(files)
    if new is not None and before:
        kept, new = choose(files, _packs(store, before, read))
    if new is not None:
        _put(store, new, here, anew=read is not None)
        kept.append(new)
        if read is not None:
            read[new.listed.name] = new
    if kept:
        store.put_bytes(list_key(manifest.digest), list_to_text(kept))
    return kept


def _packs(store: Store, manifests: Sequence[str], read: dict[str, Pack] | None) -> list[Pack]:
    """The packs of other releases, as far as they can be read."""
    found: dict[str, Pack] = {}
    for manifest in manifests:
        with suppress(DregError):
            for each in listed(store, manifest):
                known = (read or {}).get(each.name)
                with suppress(DregError):
                    pack = known or opened(store, each)
                    if known or read is None or is_right(store, pack):
                        found[each.name] = pack
    if read is not None:
        read.update(found)
    return list(found.values())


def _put(store: Store, pack: Pack, here: Here, *, anew: bool) -> None:
    key, size = pack.listed.key, pack.listed.size
    there = None if anew else store.stat(key)
    if there is None or there.size != size:
        with out.progress("packing", size, "bytes") as advance:
            store.put_chunks(key, _chunks(store, pack, here, advance), size)


def _chunks(store: Store, pack: Pack, here: Here, advance: Advance) -> Iterator[bytes]:
    """The pack's bytes. Raises Outside where the store has to be asked for a file, and fails."""
    piece = bytearray(pack.head)
    for at in range(0, len(pack.files), BATCH):
        batch = [md5 for md5, _ in pack.files[at : at + BATCH]]
        found = {md5: _right_here(md5, here) for md5 in batch}
        absent = [md5 for md5, data in found.items() if data is None]
        jobs = [functools.partial(_there, store, md5) for md5 in absent]
        found.update(zip(absent, many(jobs) if jobs else [], strict=True))
        for md5 in batch:
            piece += found[md5] or b""
        if len(piece) >= PIECE:
            advance(len(piece))
            yield bytes(piece)
            piece.clear()
    advance(len(piece))
    yield bytes(piece)


def _right_here(md5: str, here: Here) -> bytes | None:
    """The bytes, if they are here and right: a cache is pruned and damaged as it pleases."""
    with suppress(OSError):
        data = here(md5)
        return data if data is not None and _is(data, md5) else None
    return None


def _there(store: Store, md5: str) -> bytes:
    key = object_key(md5)
    data = store.get_bytes(key, SMALL)
    if not _is(data, md5):
        raise Outside(
            f"the object `{key}` on {store.location} has other bytes than its name says",
            hint="see what else is wrong: dreg fsck --remote",
        )
    return data


def _is(data: bytes, md5: str) -> bool:
    return hashlib.md5(data, usedforsecurity=False).hexdigest() == md5
