"""Which releases of other datasets a dataset was made from: by the bytes that its stages read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from dreg.adapters.dvc import Pipeline, read_dir_object
from dreg.adapters.dvc.cache import cache_folder
from dreg.adapters.git import Repository
from dreg.adapters.yaml_files import parse_yaml
from dreg.core.about import Upstream
from dreg.core.release import Release, usable
from dreg.core.stages import Record, below, parse_lock
from dreg.core.violations import Violation
from dreg.errors import BadRequest
from dreg.history import fetched, published
from dreg.output import out
from dreg.registry import Dataset, Registry


def upstream(dataset: Dataset) -> tuple[Upstream, ...]:
    """A pin for each dataset that the contract names as upstream, or whose data a stage reads.

    Warns of one whose bytes no release has, and of a release that is yanked: who has this release
    cannot get, or should not use, what it was made from.
    """
    pipeline = Pipeline(dataset.root, dataset.name)
    wanted = dataset.contract().upstream
    names = sorted(
        {*wanted, *(n for n in pipeline.reads() if (dataset.root / "pipelines" / n).is_dir())}
    )
    return tuple(_pin(dataset, Dataset(dataset.root, name), pipeline) for name in names)


def out_of_range(
    registry: Registry, dataset: Dataset, releases_of: Callable[[Dataset], list[Release]]
) -> tuple[Violation, ...]:
    """Where the dataset was not made from what its contract says: another version, or none there is.

    What is read and not released yet is neither: `dreg release` warns of it.
    """
    return tuple(_out_of_range(registry, dataset, releases_of))


def _out_of_range(
    registry: Registry, dataset: Dataset, releases_of: Callable[[Dataset], list[Release]]
) -> Iterator[Violation]:
    for name, wanted in dataset.contract().upstream.items():
        about = f"upstream `{name}`"
        if name not in registry.names:
            yield Violation(about, "is no dataset of this registry")
            continue
        if not wanted.bounds:
            continue
        other = registry.dataset(name)
        releases = releases_of(other)
        read = _read(Pipeline(dataset.root, dataset.name), other)
        made_from = _release_with(other, read, releases) if read else None
        newest = max((release.version for release in releases), default=None)
        if made_from is not None and made_from.version not in wanted:
            yield Violation(about, f"is {made_from.version}, promised {wanted}")
        elif (
            made_from is None and newest and not any(r.version in wanted for r in usable(releases))
        ):
            yield Violation(about, f"has no release in {wanted}; the newest is {newest}")


def _pin(dataset: Dataset, other: Dataset, pipeline: Pipeline) -> Upstream:
    read = _read(pipeline, other)
    release = _release_with(other, read, published(other)) if read else None
    if release is None:
        out.warn(
            f"no release of `{other.name}` has the bytes that `{dataset.name}` was made from: "
            f"dreg release {other.name}"
            if read
            else f"`{dataset.name}` names `{other.name}` as upstream, and no stage reads its data"
        )
        return Upstream(other.name)
    if release.yanked:
        out.warn(
            f"`{dataset.name}` was made from `{other.name}` {release.version}, which is yanked"
        )
    return Upstream(other.name, str(release.version), release.tag, release.commit, release.manifest)


def _read(pipeline: Pipeline, other: Dataset) -> dict[str, str]:
    """Addresses of what the stages read of the other's data, by path in the registry."""
    prefix = f"{other.folders[1]}/"
    found = {}
    for stage in pipeline.locked().values():
        for written, record in stage.deps.items():
            path = below(pipeline.folder, written)
            if path.startswith(prefix):
                found[path] = record.md5
    return found


def _release_with(
    other: Dataset, read: Mapping[str, str], releases: Iterable[Release]
) -> Release | None:
    """The newest release that has all of what was read; one that is yanked only if no other has."""
    ordered = sorted(releases, key=lambda r: (r.yanked is None, r.version), reverse=True)
    for release in ordered:
        here = fetched(other, release)
        if _has(other, here, read):
            return Release(**{**vars(here), "yanked": release.yanked})
    return None


def _has(other: Dataset, release: Release, read: Mapping[str, str]) -> bool:
    path = f"{other.folders[0]}/dvc.lock"
    text = Repository(other.root).read(release.commit, path) or b""
    try:
        stages = parse_lock(parse_yaml(text.decode(errors="replace"), path), path)
    except BadRequest:
        return False
    made = [record for stage in stages.values() for record in stage.outs.values()]
    there = dict(_addresses(other, made, read))
    return all(there.get(path) == md5 for path, md5 in read.items())


def _addresses(
    other: Dataset, made: Iterable[Record], read: Iterable[str]
) -> Iterator[tuple[str, str]]:
    """Addresses of outputs by path; of what was read inside of a folder, by the folder's list."""
    for record in made:
        path = below(other.folders[0], record.path)
        yield path, record.md5
        inside = [one for one in read if one.startswith(f"{path}/")]
        if inside and record.is_directory:
            listed = read_dir_object(cache_folder(other.root), record.md5) or {}
            for one in inside:
                if (md5 := listed.get(one.removeprefix(f"{path}/"))) is not None:
                    yield one, md5
