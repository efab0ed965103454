"""Which releases have packs that a fetch could not use."""

from __future__ import annotations

from collections.abc import Sequence

from dreg.adapters.objects import Store
from dreg.core.packed import PACKS, list_key
from dreg.core.release import Release
from dreg.errors import DregError
from dreg.output import out
from dreg.packs.reading import is_right, listed, opened


def tell_of_lost_packs(store: Store, releases: Sequence[Release], *, deep: bool) -> None:
    """Warn of packs that are listed and not there as they should be; with `deep` all are read.

    That is no fault of a release. Where the store cannot be asked, nothing is said.
    """
    if store.near:
        return
    try:
        there = {each.key: each.size for each in store.every(PACKS)}
    except DregError:
        return
    known: dict[str, bool] = {}
    lost = [
        release
        for release in releases
        if release.manifest
        and list_key(release.manifest) in there
        and not _has_packs(store, release.manifest, there, known if deep else None)
    ]
    if lost:
        names = sorted({release.dataset for release in lost})
        out.warn(
            f"packs of {', '.join(release.tag for release in lost[:5])} are lost or damaged, so a fetch asks for each small file; "
            f"make them again: dreg pack {' '.join(names)}"
        )


def _has_packs(
    store: Store, manifest: str, there: dict[str, int], read: dict[str, bool] | None
) -> bool:
    """Whether the release's packs are there; with `read`, which remembers them, right as well."""
    try:
        for each in listed(store, manifest):
            if there.get(each.key) != each.size:
                return False
            if read is not None:
                if each.name not in read:
                    read[each.name] = is_right(store, opened(store, each))
                if not read[each.name]:
                    return False
    except DregError:
        return False
    return True
