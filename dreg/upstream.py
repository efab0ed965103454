"""Which releases of other datasets a dataset was made from: by the bytes that its stages read."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from dreg.adapters.dvc import Pipeline, read_dir_object
from dreg.adapters.dvc.cache import cache_folder
from dreg.adapters.git import Repository
from dreg.adapters.yaml_files import parse_yaml
from dreg.core.about import Upstream
from dreg.core.release import Release, usable
from dreg.core.stages import below, parse_lock
from dreg.core.violations import Violation
from dreg.errors import BadRequest, Refused
from dreg.history import fetched, published
from dreg.output import out
from dreg.registry import Dataset, Registry


def upstream(dataset: Dataset, ahead: Collection[str] = ()) -> tuple[Upstream, ...]:
    """A pin for each dataset that the contract names as upstream, or whose data a stage reads.

    Raises Refused for one whose bytes no release has, unless it is one of those that the same command
    releases, or plans to, `ahead` of this one. Warns of a release that is yanked: who has this release
    should not use what it was made from.
    """
    pipeline = Pipeline(dataset.root, dataset.name)
    wanted = dataset.contract().upstream
    names = sorted(
        {*wanted, *(n for n in pipeline.reads() if (dataset.root / "pipelines" / n).is_dir())}
    )
    return tuple(_pin(dataset, Dataset(dataset.root, name), pipeline, ahead) for name in names)


def out_of_range(
    registry: Registry, dataset: Dataset, releases_of: Callable[[Dataset], list[Release]]
) -> tuple[Violation, ...]:
    """Where the dataset was not made from what its contract says: another version, or none there is.

    What is read and not released yet is neither: `dreg release` refuses it.
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
        made_from = _release_with(other, read, releases)[0] if read else None
        newest = max((release.version for release in releases), default=None)
        if made_from is not None and made_from.version not in wanted:
            yield Violation(about, f"is {made_from.version}, promised {wanted}")
        elif (
            made_from is None and newest and not any(r.version in wanted for r in usable(releases))
        ):
            yield Violation(about, f"has no release in {wanted}; the newest is {newest}")


def _pin(dataset: Dataset, other: Dataset, pipeline: Pipeline, ahead: Collection[str]) -> Upstream:
    read = _read(pipeline, other)
    release, sure = _release_with(other, read, published(other)) if read else (None, True)
    if release is None:
        if not read:
            out.warn(
                f"`{dataset.name}` names `{other.name}` as upstream, and no stage reads its data"
            )
        elif not sure:
            out.warn(
                f"whether a release of `{other.name}` has the bytes that `{dataset.name}` was made from is not "
                f"known here, without its data: dreg run {other.name}"
            )
        elif other.name not in ahead:
            raise Refused(
                f"`{dataset.name}` is made from bytes of `{other.name}` that no release has",
                hint=f"release them first: dreg release {other.name} {dataset.name}",
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
) -> tuple[Release | None, bool]:
    """The newest release that has all of what was read; one that is yanked only if no other has. If none has,
    whether that is sure: what is in a folder is told by a list that may not be here."""
    ordered = sorted(releases, key=lambda r: (r.yanked is None, r.version), reverse=True)
    sure = True
    for release in ordered:
        here = fetched(other, release)
        there = _addresses(other, here, read)
        if all(there.get(path, "") == md5 for path, md5 in read.items()):
            return Release(**{**vars(here), "yanked": release.yanked}), True
        if all(there.get(path, "") in (md5, None) for path, md5 in read.items()):
            sure = False
    return None, sure


def _addresses(other: Dataset, release: Release, read: Iterable[str]) -> dict[str, str | None]:
    """Addresses of the release's outputs by path, and of what was read inside of a folder, by the folder's
    list; None where that is not here."""
    path = f"{other.folders[0]}/dvc.lock"
    text = Repository(other.root).read(release.commit, path) or b""
    try:
        stages = parse_lock(parse_yaml(text.decode(errors="replace"), path), path)
    except BadRequest:
        return {}
    found: dict[str, str | None] = {}
    for record in (record for stage in stages.values() for record in stage.outs.values()):
        folder = below(other.folders[0], record.path)
        found[folder] = record.md5
        inside = [one for one in read if one.startswith(f"{folder}/")]
        if inside and record.is_directory:
            listed = read_dir_object(cache_folder(other.root), record.md5)
            for one in inside:
                if listed is None or (md5 := listed.get(one.removeprefix(f"{folder}/"))):
                    found[one] = None if listed is None else md5
    return found
