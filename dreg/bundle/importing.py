"""Importing: a bundle that `dreg export` wrote becomes a release of the registry around us.

The whole file is verified before anything is changed. Then, as a release is made: objects,
verified on the remote -> manifest -> the tag, with its commit, in one atomic push. Tag, commit and
manifest are the very ones that were exported, so signatures and digests stay good; no branch moves.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from semver import Version

from dreg.adapters import git
from dreg.adapters.bundle_file import BundleReader
from dreg.adapters.dvc_config import remote_of
from dreg.adapters.git.bare_cache import BareCache
from dreg.adapters.git.publish import Published, Publisher
from dreg.adapters.git.pushing import LostRace
from dreg.adapters.git.whole import Scratch
from dreg.adapters.inspection import Wanted, inspect
from dreg.adapters.objects import Advance, Store, many
from dreg.adapters.scratch import tidy
from dreg.adapters.through_dvc import open_own
from dreg.bundle.export import refuse_other_text, verified
from dreg.catalog import releases_of
from dreg.core.bundle import (
    ABOUT,
    ABOUT_LIMIT,
    GIT,
    MANIFEST,
    About,
    check_folder,
    check_members,
    check_release,
    check_yank,
    objects_of,
)
from dreg.core.manifest import Manifest
from dreg.core.remotes import object_key
from dreg.core.soundness import Needed
from dreg.core.stored import State
from dreg.core.wording import numbered
from dreg.errors import Outside, Refused
from dreg.manifests import FOLDER_LIMIT, MANIFEST_LIMIT, remotes_at
from dreg.output import count, out, size
from dreg.packs.writing import pack_release
from dreg.push.announcing import announced
from dreg.push.pushing import write_manifest
from dreg.registry import Registry
from dreg.release.branch_tip import GIT_REMOTE, refuse_other_remotes

IN_FLIGHT = 16  # objects at once, each with up to 8 MiB in memory


@dataclass(frozen=True)
class Imported:
    """A release that came from a file. `state`: imported, or unchanged when all of it was there.

    `size` is in bytes, of all objects; `objects_pushed` of them the remote lacked.
    """

    dataset: str
    version: Version
    tag: str
    commit: str
    manifest: str
    state: str
    objects: int
    size: int
    objects_pushed: int
    yanked: bool
    pushed_to: str | None

    def lines(self) -> Iterator[str]:
        if self.state == "unchanged":
            yield f"{self.dataset} {self.version} is there already, and complete"
        else:
            yield f"imported {self.dataset} {self.version} ({numbered(self.objects, 'object')}, {size(self.size)})"
        yield f"  objects   {count(self.objects_pushed)} pushed"
        yield f"  manifest  sha256:{self.manifest}"
        where = f" on {self.pushed_to}" if self.pushed_to else ", only in this repository"
        yield f"  tag       {self.tag}{where}"
        if self.yanked:
            yield f"  yanked    as it was where it came from: dreg show {self.dataset}@{self.version}"


@dataclass(frozen=True)
class _Checked:
    """A bundle that is what its tag signs for."""

    about: About
    text: bytes
    manifest: Manifest
    objects: tuple[Needed, ...]


def bring(
    registry: Registry,
    file: Path,
    *,
    remote: str | None = None,
    signers: git.Signers | None = None,
) -> Imported:
    """Import the bundle `file`; the same again finishes or repairs what is not complete.

    Raises Refused, with nothing changed, for a bundle that is not what it says, a signature that
    is not one of the `signers`', or another tag of the release's name; Outside when a neighbour fails.
    """
    tidy(git.Repository(registry.root).git_folder)
    with BundleReader(file) as reader:
        about = About.parse(reader.get_bytes(ABOUT, ABOUT_LIMIT))
        with Scratch.made("sha256" if len(about.commit) == 64 else "sha1") as scratch:
            checked = _check(reader, about, scratch, signers)
            about = _without_others_yank(about, scratch, signers)
            tags = _tags(about)
            there = _refuse_other_tag(registry, tags)
            store = open_own(remote_of(registry.root, remote))
            new = [tag for tag in tags if tag.tag not in there]
            with announced(store, checked.manifest):
                pushed = _push(reader, checked, store, _before(registry, checked.manifest))
                _publish(registry, scratch, tags, new)
            _warn_of_another_remote(registry, scratch.read(about.commit, ".dvc/config"), store)
    return Imported(
        dataset=about.dataset,
        version=Version.parse(about.version),
        tag=about.tag,
        commit=about.commit,
        manifest=about.manifest,
        state="imported" if pushed or new else "unchanged",
        objects=about.objects,
        size=about.size,
        objects_pushed=pushed,
        yanked=about.yank is not None,
        pushed_to=git.Repository(registry.root).remote_url(GIT_REMOTE),
    )


def _warn_of_another_remote(registry: Registry, config: bytes | None, store: Store) -> None:
    """Consumers look where the release's own commit says, which is where it comes from."""
    remotes = remotes_at(str(registry.root), config)
    default = remotes.by_name.get(remotes.default or "")
    if default is None or default.url != store.remote.url:
        out.warn(
            f"the bytes are on {store.location}, and the release's own .dvc/config names "
            f"{f'`{default.name}`' if default else 'nothing'}: consumers need --remote or DREG_REMOTE"
        )


def _check(
    reader: BundleReader, about: About, scratch: Scratch, signers: git.Signers | None
) -> _Checked:
    """All of it, by the digests that lead from the tag to every byte. Raises Refused or Outside."""
    scratch.take(reader.read(GIT), about.references)
    text = reader.get_bytes(MANIFEST, MANIFEST_LIMIT)
    manifest = Manifest.parse(text, about.manifest)
    check_release(about, scratch.tag_text(about.tag_object), manifest)
    check_members(about, reader.objects, manifest)
    refuse_other_text(scratch, about, manifest)
    if signers is not None:
        revision = git.Revision(
            BareCache(scratch.store, ""), about.commit, tag_object=about.tag_object
        )
        out.note(f"{about.tag}: {git.refuse_unsigned(revision, about.tag, signers)}")
    objects = tuple(objects_of(about.tag, manifest))
    with out.progress("verifying", about.size, "bytes") as advance:
        for each in objects:
            if each.key.endswith(".dir"):
                data = reader.get_bytes(each.key, FOLDER_LIMIT)
                _read_through(each, iter((data,)), advance)
                check_folder(each.path, each.md5, data, manifest)
            else:
                _read_through(each, reader.read(each.key), advance)
    return _Checked(about, text, manifest, objects)


def _without_others_yank(about: About, scratch: Scratch, signers: git.Signers | None) -> About:
    """Without a yank that none of the `signers` signed: who may say what consumers get, may say so.

    Raises Refused for one that is not of this release.
    """
    if about.yank is None or about.yank_object is None:
        return about
    check_yank(about, scratch.tag_text(about.yank_object))
    if signers is None:
        return about
    yank = git.Revision(BareCache(scratch.store, ""), about.commit, tag_object=about.yank_object)
    try:
        git.refuse_unsigned(yank, about.yank, signers)
    except Refused as error:
        out.warn(f"{error.fact}, so that yank is not imported: {about.tag} was yanked elsewhere")
        return replace(about, yank=None, yank_object=None)
    return about


def _read_through(each: Needed, chunks: Iterator[bytes], advance: Advance) -> None:
    for _ in verified(each, chunks, "the bundle", advance):
        pass


def _tags(about: About) -> list[Published]:
    found = [Published(about.commit, about.tag, about.tag_object)]
    if about.yank and about.yank_object:
        found.append(Published(about.commit, about.yank, about.yank_object))
    return found


def _refuse_other_tag(registry: Registry, tags: list[Published]) -> set[str]:
    """Which of the tags are where releases go. Raises Refused for another of the release's name."""
    repository = git.Repository(registry.root)
    names = [tag.tag for tag in tags]
    here = {tag.name: tag.object for tag in repository.full_tags(*names)}
    if repository.remote_url(GIT_REMOTE) is None:
        refuse_other_remotes(repository)
        there = here
    else:
        found = git.remote_tags(GIT_REMOTE, *names, cwd=registry.root)
        there = {name: tag.object for name, tag in found.items()}
    release = tags[0]
    for where, known in ((f"on {GIT_REMOTE}", there), ("here", here)):
        if known.get(release.tag, release.tag_object) != release.tag_object:
            raise Refused(
                f"there is another `{release.tag}` {where} already",
                hint=f"releases never change; see what is there: dreg show {release.tag.rpartition('-v')[0]}",
            )
    return set(there) & set(names)


def _push(reader: BundleReader, checked: _Checked, store: Store, before: str | None) -> int:
    """Write what the remote lacks, prove all of it there, then the manifest. How many were written."""
    objects = checked.objects
    lacking = _lacking(store, objects)
    out.note(f"pushing {numbered(len(lacking), 'object')} to {store.location}")
    files = [each for each in lacking if not each.key.endswith(".dir")]
    with out.progress("pushing", sum(each.size or 0 for each in files), "bytes") as advance:

        def put(each: Needed) -> None:
            chunks = verified(each, reader.read(each.key), "the bundle", advance)
            store.put_chunks(each.key, chunks, reader.members[each.key].size)

        if files:
            many([functools.partial(put, each) for each in files], IN_FLIGHT)
        for each in lacking:  # a folder's object only once every file that it names is there
            if each.key.endswith(".dir"):
                put(each)
    if absent := _lacking(store, lacking):
        raise Outside(
            f"not on {store.location} as it was pushed: {numbered(len(absent), 'object')}",
            hint="check the remote: dreg remote check; then import again",
            details=[each.path for each in absent[:10]],
        )

    def here(md5: str) -> bytes:
        return b"".join(reader.read(object_key(md5)))

    pack_release(store, checked.manifest, here, before)
    write_manifest(store, checked.text)
    return len(lacking)


def _before(registry: Registry, manifest: Manifest) -> str | None:
    """The manifest of the newest release before this one, of those that are known here."""
    known = releases_of(registry.root, manifest.dataset)
    found = [r.manifest for r in known if r.manifest and r.version < manifest.version]
    return found[-1] if found else None


def _lacking(store: Store, objects: tuple[Needed, ...] | list[Needed]) -> list[Needed]:
    wanted = [Wanted(each.key, each.md5, each.size, each.sha256) for each in objects]
    states = inspect(store, wanted, read=True)
    return [each for each, state in zip(objects, states, strict=True) if state is not State.RIGHT]


def _publish(
    registry: Registry, scratch: Scratch, tags: list[Published], new: list[Published]
) -> None:
    """The tags with their commit: objects first, then on the git remote, then here."""
    repository, publisher = git.Repository(registry.root), Publisher(registry.root)
    if new:
        publisher.take(scratch.store, *(tag.tag for tag in tags))
    if new and repository.remote_url(GIT_REMOTE) is not None:
        out.note(f"tagging {tags[0].tag}")
        try:
            publisher.push_tag(GIT_REMOTE, *new)
        except LostRace:
            there = _refuse_other_tag(registry, tags)  # another import of the same release?
            if {tag.tag for tag in tags} - there:
                raise Refused(
                    f"`{tags[0].tag}` could not be pushed: somebody else was faster",
                    hint="import it again",
                ) from None
    here = repository.tags()
    for tag in tags:
        if tag.tag not in here:
            if not new:
                publisher.take(scratch.store, tag.tag)
            publisher.adopt_tag(tag)
