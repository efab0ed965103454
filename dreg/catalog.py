"""What there is: the datasets of a registry and what their releases say, here or at a URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from semver import Version

from dreg.adapters import git
from dreg.core.json_text import parse_json
from dreg.core.odd_tags import OddTag, odd_tags
from dreg.core.profile import Profile
from dreg.core.release import Release, Story, marked, newest, usable
from dreg.core.version import Range, parse_request
from dreg.core.yank import Yank, tags_about
from dreg.errors import BadRequest
from dreg.output import count, out, size, table
from dreg.registry import Registry, unknown_dataset

MOST_CHANGES = 20


@dataclass(frozen=True)
class Listed:
    """One dataset. Version, size (bytes of the published files) and samples are those of the latest
    release that is not yanked; None if there is none. `releases` counts all, `yanked` names some."""

    name: str
    version: Version | None
    samples: int | None
    size: int | None
    releases: int
    yanked: tuple[Version, ...] = ()


@dataclass(frozen=True)
class Listing:
    """The datasets of a registry. `odd_tags` look like releases and don't count."""

    repo: str
    datasets: tuple[Listed, ...]
    odd_tags: tuple[OddTag, ...] = ()

    def lines(self) -> Iterator[str]:
        if self.datasets:
            yanked = any(d.yanked for d in self.datasets)
            headers = ("DATASET", "LATEST", "SAMPLES", "SIZE", "RELEASES")
            rows = [
                (d.name, d.version or "-", count(d.samples), size(d.size), d.releases)
                + ((", ".join(map(str, d.yanked)),) if yanked else ())
                for d in self.datasets
            ]
            yield from table((*headers, "YANKED") if yanked else headers, rows)
        else:
            yield "no datasets yet"


def listing(repo: str | None = None) -> Listing:
    """The datasets of the registry at `repo` (URL or path, no clone), or of the one around us.

    Raises BadRequest when there is no registry, Outside when it can't be reached.
    """
    if repo is not None:
        tags = git.remote_tags(repo)
        latest = _latest(_releases(tags.values()))
        said = {tag.name: tag for tag in git.fetch_tags(repo, [r.tag for r in latest.values()])}
        tags = {**tags, **said}
        return _listed(repo, (), tags.values())
    registry = Registry.here()
    return _listed(str(registry.root), registry.names, git.Repository(registry.root).full_tags())


def _listed(repo: str, names: Iterable[str], tags: Iterable[git.Tag]) -> Listing:
    tags = list(tags)
    by_name: dict[str, list[Release]] = {name: [] for name in names}
    for release in _releases(tags):
        by_name.setdefault(release.dataset, []).append(release)
    rows = []
    for name, releases in sorted(by_name.items()):
        last = newest(usable(releases))
        rows.append(
            Listed(
                name=name,
                version=last.version if last else None,
                samples=last.samples if last else None,
                size=last.size if last else None,
                releases=len(releases),
                yanked=tuple(sorted(r.version for r in releases if r.yanked)),
            )
        )
    odd = odd_tags({tag.name: tag.annotated for tag in tags})
    for one in odd:
        out.note(f"note: {one}")
    return Listing(repo, tuple(rows), odd)


def _releases(tags: Iterable[git.Tag]) -> list[Release]:
    tags = list(tags)
    found = (Release.of(tag.name, tag.commit, tag.message) for tag in tags if tag.annotated)
    return marked((release for release in found if release), [tag.name for tag in tags])


def _latest(releases: Iterable[Release]) -> dict[str, Release]:
    by_name: dict[str, list[Release]] = {}
    for release in releases:
        by_name.setdefault(release.dataset, []).append(release)
    return {n: last for n, rs in by_name.items() if (last := newest(usable(rs))) is not None}


def releases_of(root: Path, name: str) -> list[Release]:
    """Releases of one dataset by the local tags, oldest first."""
    found = _releases(git.Repository(root).full_tags(*tags_about(name)))
    return sorted((r for r in found if r.dataset == name), key=lambda r: r.version)


@dataclass(frozen=True)
class Shown:
    """One dataset at a release, or as it is in the tree (`version` is then None).

    `released_at` is ISO 8601.
    """

    name: str
    version: Version | None
    tag: str | None
    commit: str | None
    manifest: str | None
    message: str | None
    profile: Profile
    yanked: Yank | None = None
    why: Story | None = None
    released_by: str | None = None
    released_at: str | None = None

    def lines(self) -> Iterator[str]:
        facts = self.profile.dataset
        at = f" {self.version}" if self.version else " (not released; as it is in the tree)"
        yield f"{self.name}{at}: {facts.get('title', '')}".rstrip(": ")
        if facts.get("description"):
            yield facts["description"]
        yield ""
        yield f"licence   {facts.get('licence', '-')}"
        yield f"samples   {count(self.profile.num_samples)} in {len(self.profile.splits)} splits"
        yield f"files     {self.profile.snapshot.files}, {size(self.profile.snapshot.size)}"
        if self.tag:
            yield f"tag       {self.tag} at {(self.commit or '')[:12]}"
        if self.released_at:
            yield f"released  {self.released_at[:10]} by {self.released_by}"
        if self.manifest:
            yield f"manifest  sha256:{self.manifest}"
        if self.yanked:
            who = f" ({self.yanked.by}, {(self.yanked.at or '')[:10]})" if self.yanked.by else ""
            yield f"yanked    {self.yanked}{who}"
        yield from self._why()
        yield ""
        rows = [(name, count(split.num_samples)) for name, split in self.profile.splits.items()]
        yield from table(("SPLIT", "SAMPLES"), rows)
        yield ""
        yield from table(
            ("COLUMN", "TYPE"), [(n, _type(f)) for n, f in self.profile.features.items()]
        )
        if self.version:
            yield ""
            yield f"fetch it: dreg fetch {self.name}@{self.version}"

    def _why(self) -> Iterator[str]:
        if self.why is None or not self.why.bump:
            return
        if self.why.upstream:
            yield f"made from {', '.join(self.why.upstream)}"
        if self.why.previous:
            yield ""
            yield f"{self.why.bump}, since {self.why.previous}:"
            yield from (f"  {change}" for change in self.why.changes[:MOST_CHANGES])
            if len(self.why.changes) > MOST_CHANGES:
                yield f"  and {len(self.why.changes) - MOST_CHANGES} more, in the tag's message"
        if self.why.exceptions:
            yield from ("", "exceptions:")
            yield from (f"  {exception}" for exception in self.why.exceptions)


def _type(feature: object) -> str:
    from dreg.core.profile import Feature

    assert isinstance(feature, Feature)
    shown = feature.type
    if feature.shape:
        shown += f" {'x'.join(map(str, feature.shape))}"
    if feature.classes:
        shown += f", {len(feature.classes)} classes: {', '.join(feature.classes[:12])}"
        shown += ", ..." if len(feature.classes) > 12 else ""
    if feature.unit:
        shown += f", {feature.unit}"
    return shown + (", nullable" if feature.nullable else "")


def show(request: str, repo: str | None = None) -> Shown:
    """The dataset at the newest release in the request's range; never released: the tree's profile.

    Raises BadRequest for an unknown dataset, or a range that no release satisfies.
    """
    name, wanted = parse_request(request)
    found = listed_releases(name, repo)
    if repo is None:
        registry = Registry.here()
        if not found and "@" not in request:
            profile = registry.dataset(name).profile()
            if profile is None:
                raise BadRequest(f"`{name}` was never run", hint=f"dreg run {name}")
            return Shown(name, None, None, None, None, None, profile)
        release = choose(name, wanted, found)
        local = git.Repository(registry.root)
        tag = next((t for t in local.full_tags(release.tag) if t.name == release.tag), None)
        message, by, at = (tag.message, tag.tagger, tag.date) if tag else (None, None, None)
        text = local.read(release.commit, f"data/{name}/metadata.json")
        record = local.full_tags(release.yanked) if release.yanked else []
    else:
        release = choose(name, wanted, found)
        revision = git.revision(repo, release.tag)
        message, by, at = revision.message, revision.tagger, revision.date
        text = revision.read(f"data/{name}/metadata.json")
        record = git.fetch_tags(repo, [release.yanked]) if release.yanked else []
    if text is None:
        raise BadRequest(
            f"`{release.tag}` has no data/{name}/metadata.json", hint="it was not released by dreg"
        )
    signed = Release.of(release.tag, release.commit, message) or release
    return Shown(
        name=name,
        version=release.version,
        tag=release.tag,
        commit=release.commit,
        manifest=signed.manifest,
        message=message,
        profile=_profile(text, release),
        yanked=yank_in(record, release),
        why=Story.of(message or ""),
        released_by=by,
        released_at=at,
    )


def listed_releases(name: str, repo: str | None) -> list[Release]:
    """The dataset's releases by the tags at `repo`, or here. Raises BadRequest for an unknown one."""
    if repo is None:
        registry = Registry.here()
        registry.dataset(name)
        return releases_of(registry.root, name)
    everything = _releases(
        git.remote_tags(repo, "*-v*").values()
    )  # what yanks a release matches too
    found = [release for release in everything if release.dataset == name]
    if not found:
        raise unknown_dataset(name, tuple(sorted({r.dataset for r in everything})))
    return found


def yank_in(tags: Iterable[git.Tag], release: Release) -> Yank | None:
    """Why the release is yanked, by the tag that does it, which may be among `tags`."""
    if release.yanked is None:
        return None
    said = [tag for tag in tags if tag.name == release.yanked]
    return Yank.of(said[0].message, said[0].tagger, said[0].date) if said else Yank("")


def _profile(text: bytes, release: Release) -> Profile:
    where = f"data/{release.dataset}/metadata.json"
    try:
        return Profile.from_json(parse_json(text), f"{release.tag}:{where}")
    except (BadRequest, ValueError) as error:
        raise BadRequest(
            f"`{where}` at `{release.tag}` is not a profile that dreg reads",
            hint="it was not released by dreg; its files can be fetched nevertheless: "
            f"dreg fetch {release.dataset}@{release.version}",
        ) from error


def choose(name: str, wanted: Range, found: Iterable[Release]) -> Release:
    """The newest release in the range; one that is yanked only if just its version is asked for.

    Raises BadRequest that says what there is.
    """
    found = list(found)
    exact = [release for release in found if wanted.bounds == (("=", release.version),)]
    fit = exact or usable(found)
    version = wanted.newest(release.version for release in fit)
    if version is None:
        raise _no_release(name, wanted, found)
    return next(release for release in fit if release.version == version)


def _no_release(name: str, wanted: Range, found: list[Release]) -> BadRequest:
    yanked = wanted.newest(release.version for release in found if release.yanked)
    if yanked is not None:
        return BadRequest(
            f"every release of `{name}` in `{wanted}` is yanked",
            hint=f"see why: dreg show {name}@{yanked}; just that one can still be had: "
            f"dreg fetch {name}@{yanked}",
        )
    versions = ", ".join(
        str(r.version) for r in sorted(usable(found), key=lambda r: r.version)[-5:]
    )
    return BadRequest(
        f"no release of `{name}` is in `{wanted}`",
        hint=f"there are: {versions}" if versions else f"release it first: dreg release {name}",
    )
