"""Exporting: one release as one file, for where no network leads.

Tag, history, manifest and objects are verified while they are written; the same release gives
the same bytes. The file has its name only once it is complete.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from semver import Version

from dreg.adapters import git
from dreg.adapters.bundle_file import BundleReader, BundleWriter, in_order
from dreg.adapters.dvc_config import remote_of, wanted_remote
from dreg.adapters.git.whole import Scratch
from dreg.adapters.objects import Advance, Checksums, Store, open_store
from dreg.adapters.objects.place import CHUNK
from dreg.adapters.os_errors import naming
from dreg.adapters.scratch import scratch_folder
from dreg.adapters.through_dvc import open_own
from dreg.catalog import choose
from dreg.core.bundle import (
    ABOUT,
    ABOUT_LIMIT,
    GIT,
    MANIFEST,
    About,
    check_folder,
    check_release,
    file_name,
    objects_of,
)
from dreg.core.manifest import Manifest, manifest_digest, manifest_key
from dreg.core.release import Release, marked
from dreg.core.soundness import Needed
from dreg.core.version import Range, parse_request, parse_tag
from dreg.core.wording import numbered
from dreg.core.yank import tags_about
from dreg.errors import DregError, Outside, Refused
from dreg.manifests import MANIFEST_LIMIT, remotes_at
from dreg.output import out, size
from dreg.registry import Registry, unknown_dataset
from dreg.release.branch_tip import GIT_REMOTE, refuse_other_remotes
from dreg.release.unpushed import PREFIX as UNPUSHED


@dataclass(frozen=True)
class Exported:
    """A release as a file. `size` is the file's in bytes, `sha256` its checksum."""

    dataset: str
    version: Version
    tag: str
    manifest: str
    output: str
    objects: int
    size: int
    sha256: str
    yanked: bool

    def lines(self) -> Iterator[str]:
        yield f"exported {self.dataset} {self.version} to {self.output} ({numbered(self.objects, 'object')}, {size(self.size)})"
        yield f"  sha256    {self.sha256}"
        yield f"  import    dreg import {self.output}"


@dataclass(frozen=True)
class _Wanted:
    """The release's tag, and what yanks it, on the repository that git is given as `repo`."""

    repo: str
    root: Path | None
    release: Release
    tag: git.Tag
    yank: git.Tag | None


def export(
    request: str, *, repo: str | None = None, remote: str | None = None, output: str | None = None
) -> Exported:
    """Write a release of the registry around us, or of the one at `repo`, to a file.

    Raises BadRequest for a release that there is not, Refused for one that has no manifest or
    when the file is something else already, Outside when bytes are missing or corrupt.
    """
    wanted = _wanted(request, repo)
    release, about_yank = wanted.release, wanted.yank
    target = Path(output or file_name(release.dataset, release.version)).expanduser()
    _refuse_other_file(target, release)
    with Scratch.made("sha256" if len(wanted.tag.object) == 64 else "sha1") as scratch:
        tags = [wanted.tag, *([about_yank] if about_yank else [])]
        scratch.fetch(wanted.repo, [f"refs/tags/{tag.name}" for tag in tags], wanted.root)
        text = scratch.tag_text(wanted.tag.object)
        digest = manifest_digest(text.partition("\n\n")[2])
        if digest is None:
            raise Refused(
                f"`{release.tag}` names no manifest: dreg did not release it",
                hint=f"release it with dreg first: dreg release {release.dataset}",
            )
        store = _store(wanted, scratch, remote)
        listed = store.get_bytes(manifest_key(digest), MANIFEST_LIMIT)
        manifest = Manifest.parse(listed, digest)
        objects = objects_of(release.tag, manifest)
        about = About(
            dataset=release.dataset,
            version=str(release.version),
            tag=release.tag,
            tag_object=wanted.tag.object,
            commit=release.commit,
            manifest=digest,
            objects=len(objects),
            size=sum(each.size or 0 for each in objects),
            yank=about_yank.name if about_yank else None,
            yank_object=about_yank.object if about_yank else None,
        )
        check_release(about, text, manifest)
        with naming(target), _complete(target) as stream:
            _write(stream, about, listed, manifest, scratch, store)
        total, sha256 = _measured(target)
    if about_yank:
        out.warn(f"`{release.tag}` is yanked; the file carries that too")
    return Exported(
        release.dataset, release.version, release.tag, digest, str(target),
        len(objects), total, sha256, about_yank is not None,
    )  # fmt: skip


def _wanted(request: str, repo: str | None) -> _Wanted:
    parsed = parse_tag(request)
    name, within = (parsed[0], Range.parse(str(parsed[1]))) if parsed else parse_request(request)
    root: Path | None = None
    if repo is not None:
        tags = git.remote_tags(repo, *tags_about(name))
        place = str(Path(repo).expanduser().resolve()) if Path(repo).expanduser().exists() else repo
    else:
        root = Registry.here().root
        repository = git.Repository(root)
        url = repository.remote_url(GIT_REMOTE)
        if url is None:
            refuse_other_remotes(repository)
            tags = {tag.name: tag for tag in repository.full_tags(*tags_about(name))}
            root, place = None, str(root)
        else:
            tags = git.remote_tags(GIT_REMOTE, *tags_about(name), cwd=root)
            place = url
    found = (Release.of(tag.name, tag.commit) for tag in tags.values())
    own = [
        replace(release, light=not tags[release.tag].annotated)
        for release in found
        if release is not None and release.dataset == name
    ]
    if not own and (root is None or name not in Registry.here().names):
        raise unknown_dataset(name, ())
    release = choose(name, within, marked(own, tags))
    tag = tags[release.tag]
    if not tag.annotated:
        raise Refused(
            f"`{release.tag}` is a lightweight tag, and releases are annotated ones",
            hint="see what else there is: dreg list",
        )
    if repo is not None and git.remote_references(place, f"{UNPUSHED}{tag.name}"):
        out.warn(f"`{tag.name}` was made with --no-push, and was never published")
    return _Wanted(place, root, release, tag, tags[release.yanked] if release.yanked else None)


def _store(wanted: _Wanted, scratch: Scratch, remote: str | None) -> Store:
    if wanted.root is not None:
        return open_own(remote_of(wanted.root, remote))
    config = scratch.read(wanted.release.commit, ".dvc/config")
    return open_store(remotes_at(wanted.repo, config).choose(wanted_remote(remote)))


def _write(
    stream: BinaryIO,
    about: About,
    listed: bytes,
    manifest: Manifest,
    scratch: Scratch,
    store: Store,
) -> None:
    writer = BundleWriter(stream)
    text = about.to_bytes()
    writer.add(ABOUT, len(text), iter((text,)))
    with scratch_folder() as folder:
        history = folder / "git.bundle"
        scratch.bundle(about.references, history)
        with Scratch.made("sha256" if len(about.commit) == 64 else "sha1") as other:
            other.take(_chunks(history), about.references)  # what import will say of it
        writer.add(GIT, history.stat().st_size, _chunks(history))
    writer.add(MANIFEST, len(listed), iter((listed,)))
    refuse_other_text(scratch, about, manifest)
    objects = objects_of(about.tag, manifest)
    jobs = [(each.size, functools.partial(store.read, each.key)) for each in objects]
    with out.progress(f"exporting {about.dataset} {about.version}", about.size, "bytes") as advance:
        for each, chunks in zip(objects, in_order(jobs), strict=True):
            if each.size is None:
                _add_folder(writer, each, chunks, manifest, store)
            else:
                writer.add(each.key, each.size, verified(each, chunks, store.location, advance))
    writer.end()


def _add_folder(
    writer: BundleWriter, each: Needed, chunks: Iterator[bytes], manifest: Manifest, store: Store
) -> None:
    data = b"".join(chunks)
    b"".join(verified(each, iter((data,)), store.location, lambda n: None))
    check_folder(each.path, each.md5, data, manifest)
    writer.add(each.key, len(data), iter((data,)))


def verified(
    each: Needed, chunks: Iterator[bytes], where: str, advance: Advance
) -> Iterator[bytes]:
    """The object's bytes, the last of them only if all of them check out. Raises Outside."""
    sums, last = Checksums(), b""
    for chunk in chunks:
        sums.update(chunk)
        if last:
            yield last
        last = chunk
        advance(len(chunk))
    known = sums.size if each.size is None else each.size
    sums.check(each.path, size=known, md5=each.md5, sha256=each.sha256, where=where)
    if last:
        yield last


def refuse_other_text(scratch: Scratch, about: About, manifest: Manifest) -> None:
    """Raises Outside unless the commit has the files that the manifest says are in git."""
    for file in manifest.snapshot.files:
        if file.in_git:
            path = f"data/{about.dataset}/{file.path}"
            data = scratch.read(about.commit, path)
            if data is None or not file.has(data):
                raise Outside(
                    f"the commit of `{about.tag}` has not the `{path}` that its manifest lists",
                    hint="see what is wrong: dreg fsck --remote",
                )


def _refuse_other_file(target: Path, release: Release) -> None:
    """Raises Refused for a file that is not a bundle of this release: it would be lost."""
    if not target.exists() and not target.is_symlink():
        return
    try:
        with BundleReader(target) as reader:
            same = About.parse(reader.get_bytes(ABOUT, ABOUT_LIMIT)).tag == release.tag
    except DregError:
        same = False
    if not same:
        raise Refused(
            f"`{target}` is there already and is not a bundle of {release.dataset} {release.version}",
            hint="choose another name with -o FILE, or move it away",
        )


@contextlib.contextmanager
def _complete(target: Path) -> Iterator[BinaryIO]:
    """A stream that becomes the file `target` when the block ends.

    The name it has until then is always the same, so what a killed run left is overwritten.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.part")
    with part.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(
                f"another dreg is writing `{target}`", hint="wait for it, or choose another name"
            ) from error
        file.truncate(0)
        try:
            yield cast(BinaryIO, file)
            file.flush()
            part.replace(target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise


def _measured(path: Path) -> tuple[int, str]:
    sums = Checksums()
    for chunk in _chunks(path):
        sums.update(chunk)
    return sums.size, sums.sha256


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk
