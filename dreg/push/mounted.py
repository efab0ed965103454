"""Whether a remote that is a folder is there: one that is not mounted is no new one.

A folder that is missing would be made by the first object that is written, on another disk than meant, and
from then on it would be there.
"""

from __future__ import annotations

from pathlib import Path

from dreg.adapters.git import Repository
from dreg.adapters.objects import Missing, Store
from dreg.catalog import releases_in
from dreg.core.manifest import manifest_key
from dreg.core.release import Release
from dreg.errors import Outside
from dreg.manifests import MANIFEST_LIMIT


def refuse_unmounted(root: Path, store: Store) -> None:
    """Raises Outside where a folder is not there, and the registry at `root` has releases."""
    if not store.near:
        return
    last = next((r for r in releases_in(Repository(root).full_tags()) if r.manifest), None)
    if last is not None:
        refuse_no_folder(store, last)


def refuse_no_folder(store: Store, last: Release) -> None:
    """Raises Outside where the folder is not there, by asking it for the manifest of a release."""
    try:
        store.get_bytes(manifest_key(last.manifest or ""), MANIFEST_LIMIT)
    except Missing:
        return
    except Outside as error:
        raise Outside(
            f"{error.fact}, and `{last.tag}` was released before",
            hint="mount it, or choose another: dreg remote use NAME; if it is a new one, make its folder",
        ) from error
