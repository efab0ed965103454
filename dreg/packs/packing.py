"""`dreg pack`: packs for releases that were made before there were any, imported, or whose packs are lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dreg.adapters import dvc
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.through_dvc import open_own
from dreg.core.packed import Pack
from dreg.core.release import Release
from dreg.core.wording import numbered
from dreg.errors import DregError, Outside, Refused
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
            return f"{self.tag}: too few small files for a pack"
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
    not; Outside with the answer where the remote fails or lacks what a release needs: the others are
    packed all the same.
    """
    store = open_own(remote_of(registry.root))
    if not has_use_for_packs(store):
        raise Refused(
            f"packs are of no use on {store.location}",
            hint="they save requests to S3 and Azure; elsewhere single files are as quick, or DVC writes",
        )
    releases = list(tags_asked_for(registry, requests, remote=True).releases)
    releases.sort(key=lambda release: (release.dataset, release.version))

    def here(md5: str) -> bytes:
        return dvc.cache_path(registry.root, md5).read_bytes()

    done: list[PackedRelease] = []
    failed: list[tuple[Release, DregError]] = []
    read: dict[str, Pack] = {}
    before: dict[str, str] = {}
    for release in releases:
        if release.manifest is None:
            continue
        out.note(f"packing {release.tag}")
        known = [release.manifest, *filter(None, [before.get(release.dataset)])]
        try:
            manifest = read_manifest(store, release)
            assert manifest is not None
            packs = [each.listed for each in write_packs(store, manifest, here, known, read)]
        except DregError as error:
            failed.append((release, error))
            continue
        files, amount = sum(each.files for each in packs), sum(each.size for each in packs)
        done.append(PackedRelease(release.tag, len(packs), files, amount))
        before[release.dataset] = release.manifest
    answer = Packed(store.location, tuple(done))
    if failed:
        raise _not_packed(failed, answer)
    return answer


def _not_packed(failed: Sequence[tuple[Release, DregError]], answer: Packed) -> DregError:
    first, error = failed[0]
    made = Outside(
        f"{numbered(len(failed), 'release')} could not be packed; {first.tag}: {error.fact}",
        hint="see what is wrong: dreg fsck --remote",
        details=[f"{release.tag}: {each.fact}" for release, each in failed[1:]],
    )
    made.answer = answer
    return made
