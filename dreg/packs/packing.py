"""`dreg pack`: packs for releases that were made before there were any, imported, or whose packs are lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.through_dvc import open_own
from dreg.core.packed import SMALL
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.wording import numbered
from dreg.errors import Refused
from dreg.fsck.checking import tags_asked_for
from dreg.manifests import read_manifest
from dreg.output import out, size
from dreg.packs.writing import has_use_for_packs, write_packs
from dreg.registry import Registry


@dataclass(frozen=True)
class PackedRelease:
    """A release and its packs: how many, the files in them, and their bytes."""

    tag: str
    packs: int
    files: int
    size: int

    def __str__(self) -> str:
        if not self.packs:
            return f"{self.tag}: too few small files, or too much of them, for a pack"
        packs, files = numbered(self.packs, "pack"), numbered(self.files, "file")
        return f"{self.tag}: {packs} with {files}, {size(self.size)}"


@dataclass(frozen=True)
class Packed:
    """The answer of `dreg pack`."""

    remote: str
    releases: tuple[PackedRelease, ...]

    def lines(self) -> Iterator[str]:
        yield self.remote
        for each in self.releases:
            yield f"  {each}"


def pack(registry: Registry, requests: Sequence[str] = ()) -> Packed:
    """Write the packs of the releases that are asked for, all by default; those that are right stay.

    Raises Refused for a remote that packs are of no use on, BadRequest for a release that there is
    not, Outside when the remote fails or lacks what a release needs.
    """
    store = open_own(remote_of(registry.root))
    if not has_use_for_packs(store):
        raise Refused(
            f"packs are of no use on {store.location}",
            hint="they save requests to S3 and Azure; elsewhere single files are as quick, or DVC writes",
        )
    asked = tags_asked_for(registry, requests, remote=True)
    releases = sorted(asked.releases, key=lambda release: (release.dataset, release.version))

    def read(md5: str) -> bytes:
        here = dvc.cache_path(registry.root, md5)
        return here.read_bytes() if here.is_file() else store.get_bytes(object_key(md5), SMALL)

    done: list[PackedRelease] = []
    before: Release | None = None
    for release in releases:
        manifest = read_manifest(store, release)
        if manifest is None or release.manifest is None:
            continue
        out.note(f"packing {release.tag}")
        known = [release.manifest]
        if before is not None and before.manifest and before.dataset == release.dataset:
            known.append(before.manifest)
        packs = write_packs(store, manifest, read, known, deep=True)
        listed = [each.listed for each in packs]
        files, bytes_ = sum(p.files for p in listed), sum(p.size for p in listed)
        done.append(PackedRelease(release.tag, len(listed), files, bytes_))
        before = release
    return Packed(store.location, tuple(done))
