"""One dataset at a release: why that has its version, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from semver import Version

from dreg.adapters import git
from dreg.catalog import choose, listed_releases, yank_in
from dreg.core.json_text import parse_json
from dreg.core.profile import Feature, Profile
from dreg.core.release import Release, Story
from dreg.core.version import parse_request
from dreg.core.wording import numbered
from dreg.core.yank import Yank
from dreg.errors import BadRequest
from dreg.freshness import measured
from dreg.output import count, size, table
from dreg.registry import Registry

MOST_CHANGES = 20


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
        yield f"samples   {count(self.profile.num_samples)} in {numbered(len(self.profile.splits), 'split')}"
        yield f"files     {self.profile.snapshot.files}, {size(self.profile.snapshot.size)}"
        if self.tag:
            yield f"tag       {self.tag} at {(self.commit or '')[:12]}"
        if self.released_at:
            yield f"released  {self.released_at[:10]} by {self.released_by}"
        if self.why and self.why.automated:
            yield f"automated {self.why.automated}"
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


def _type(feature: Feature) -> str:
    shown = feature.type
    if feature.shape:
        shown += f" {'x'.join(map(str, feature.shape))}"
    if feature.classes:
        shown += f", {numbered(len(feature.classes), 'class')}: {', '.join(feature.classes[:12])}"
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
            profile = measured(registry.dataset(name))
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
