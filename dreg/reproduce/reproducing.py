"""Making a release again: its pipeline runs at the tag, from the sources on, in a scratch tree.

The whole of it, from the download stage: what was pushed of the raw files is not used, nor what DVC or
dreg have in a cache. So a source that is gone is found, and so is a script that depends on something
else than the release says. What runs it is the dreg and the packages that are installed now.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from dreg.adapters import dvc, git
from dreg.adapters.git.scratch_tree import check_out
from dreg.adapters.objects import Store, Stores
from dreg.adapters.scratch import scratch_folder
from dreg.adapters.surroundings import all_surroundings
from dreg.catalog import choose
from dreg.core.about import Surroundings
from dreg.core.manifest import Manifest
from dreg.core.profile import Profile
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.samples import SampleChanges
from dreg.core.snapshot import INDEX
from dreg.core.version import Range, parse_request, parse_tag
from dreg.diff.samples import Compared, Samples, between
from dreg.errors import BadRequest, DregError, Refused
from dreg.history import fetched, own_store_of, profile_of, published
from dreg.manifests import read_manifest
from dreg.registry import Dataset, Registry, unknown_dataset
from dreg.reproduce.answer import Differing, OtherVersion, Reproduced
from dreg.run.running import needed, run

NAMED = 10  # samples
CONFIG = """[core]
    analytics = false
    check_update = false
[cache]
    dir = {cache}
"""


@dataclass(frozen=True)
class Wanted:
    """The release that is to be made again, its manifest, and where its bytes are."""

    release: Release
    manifest: Manifest
    digest: str
    store: Store | Stores


def reproduce(
    registry: Registry,
    request: str,
    *,
    keep: Path | None = None,
    cached_sources: bool = False,
    jobs: int | None = None,
) -> Reproduced:
    """Run the pipeline of a release again, and hold every file against its manifest.

    In a temporary folder, or in `keep`, which stays. `cached_sources`: the download cache may stand
    in for a source. Raises Refused with the answer when a byte differs, BadRequest for a release
    that there is not, and what a stage reports: Outside when a source cannot be had.
    """
    wanted = _wanted(registry, request)
    release, start = wanted.release, time.monotonic()
    with _scratch(keep) as (tree, scratch):
        check_out(registry.root, release.tag, release.commit, tree)
        config = tree / ".dvc" / "config.local"
        config.write_text(CONFIG.format(cache=scratch / "cache"), encoding="utf-8")
        ran = _run(Registry(tree), release.dataset, scratch, cached_sources, jobs, keep)
        again = Dataset(tree, release.dataset)
        different = tuple(_different(again, wanted.manifest))
        answer = Reproduced(
            dataset=release.dataset,
            version=release.version,
            tag=release.tag,
            commit=release.commit,
            manifest=wanted.digest,
            proven=not different,
            files=len(wanted.manifest.snapshot.files),
            size=wanted.manifest.snapshot.size,
            ran=tuple(ran),
            seconds=round(time.monotonic() - start, 3),
            cached_sources=cached_sources,
            kept=str(tree) if keep else None,
        )
        if not different:
            return answer
        other = tuple(_other_versions(wanted.manifest, all_surroundings()))
        answer = replace(answer, different=different, surroundings=other)
        before = profile_of(Dataset(registry.root, release.dataset), release)
        samples = _samples(wanted, before, again, scratch)
        raise _not_proven(replace(answer, samples=samples), keep)


def _not_proven(answer: Reproduced, keep: Path | None) -> Refused:
    same = f"dreg reproduce {answer.dataset}@{answer.version}"
    error = Refused(
        f"`{answer.dataset}` {answer.version} could not be reproduced byte for byte",
        hint="look for what depends on time, order, chance or versions in the stage that makes the "
        f"first of them; to look at what came out: {'see ' + str(keep) if keep else same + ' --keep DIR'}",
    )
    error.answer = answer
    return error


def _wanted(registry: Registry, request: str) -> Wanted:
    """Raises BadRequest for a release that there is not, Refused for one without a manifest."""
    tag = parse_tag(request)
    name, within = (tag[0], Range.parse(str(tag[1]))) if tag else parse_request(request)
    dataset = Dataset(registry.root, name)
    releases = published(dataset)
    if not releases and name not in registry.names:
        raise unknown_dataset(name, registry.names)
    release = fetched(dataset, choose(name, within, releases))
    place = str(registry.root)
    store = own_store_of(place, git.revision(place, release.tag))
    manifest = read_manifest(store, release)
    if manifest is None or release.manifest is None:
        raise Refused(
            f"`{release.tag}` has no manifest, so there is nothing to hold its files against",
            hint="it was not released by dreg; run it at its tag, and compare dvc.lock",
        )
    return Wanted(release, manifest, release.manifest, store)


@contextmanager
def _scratch(keep: Path | None) -> Iterator[tuple[Path, Path]]:
    """A folder for the work tree, which stays if it is the one to `keep`, and one for the rest.

    Raises BadRequest for a folder to keep that has something in it.
    """
    if keep is not None:
        keep = keep.expanduser().absolute()
        if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
            raise BadRequest(
                f"`{keep}` is not an empty folder", hint="name one that isn't there yet"
            )
    with scratch_folder() as folder:
        tree = keep or folder / "registry"
        tree.mkdir(parents=True, exist_ok=True)
        yield tree, folder


def _run(
    scratch: Registry,
    name: str,
    folder: Path,
    cached_sources: bool,
    jobs: int | None,
    keep: Path | None,
) -> list[str]:
    """Every stage of the dataset, and of those that it is made from; their names."""
    names = needed(scratch, [name])
    environment = {} if cached_sources else {"DREG_CACHE": str(folder / "sources")}
    try:
        run(scratch, names, force=True, jobs=jobs, environment=environment)
    except DregError as error:
        error.answer = None
        if not keep:  # what the hint names is gone in a moment
            error.hint = error.hint.partition("the whole log: ")[0] + "to look at it: --keep DIR"
        raise
    return names


def _different(dataset: Dataset, manifest: Manifest) -> Iterator[Differing]:
    """What is not as the manifest says, in the order of paths."""
    listed = {file.path: file.sha256 for file in manifest.snapshot.files}
    made = {file.path for file in dvc.tracked_files(dataset.root, dataset.name)}
    for path in sorted({*listed, *made}):
        expected, actual = listed.get(path), _sha256(dataset.data / path)
        if expected != actual:
            state = "extra" if expected is None else "missing" if actual is None else "differs"
            yield Differing(path, state, expected, actual)


def _sha256(path: Path) -> str | None:
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _other_versions(manifest: Manifest, now: Surroundings) -> Iterator[OtherVersion]:
    then = manifest.about.provenance.made if manifest.about else None
    if then is None:
        return
    for what in ("dreg", "python", "platform"):
        if getattr(then, what) != getattr(now, what):
            yield OtherVersion(what, getattr(then, what), getattr(now, what))
    for name in sorted(then.packages):  # what else is installed now made nothing of it
        before, after = then.packages.get(name), now.packages.get(name)
        if before != after and name != "dreg":
            yield OtherVersion(name, before, after)


def _samples(
    wanted: Wanted, before: Profile | None, again: Dataset, folder: Path
) -> Samples | None:
    """Which samples are others, by the released sample index and the new one; None if not known."""
    index = next((f for f in wanted.manifest.snapshot.files if f.path == INDEX), None)
    after = again.profile()
    if index is None or before is None or after is None or not (again.data / INDEX).is_file():
        return None
    if before.snapshot.samples == after.snapshot.samples:
        return Compared(SampleChanges()).answer()
    released = folder / INDEX
    wanted.store.download(
        object_key(index.md5), released, size=index.size, md5=index.md5, sha256=index.sha256
    )
    return between(released, again.data / INDEX, before, after, limit=NAMED)
