"""A repository at a URL or path, read without a clone."""

from __future__ import annotations

import hashlib
import itertools
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from dreg.adapters.git.bare_cache import BareCache
from dreg.adapters.git.objects import Tag, blobs, contents, files, read, tags_of
from dreg.adapters.git.process import Unreachable, check_url, git, public_url, start
from dreg.errors import BadRequest, DregError, Refused

Told = TypeVar("Told")
COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
PEELED = "^{}"
TAGS = "refs/dreg/tags/"  # in a bare cache: tags that were read without the files they lead to


def remote_tags(
    repo: str, *patterns: str, cwd: Path | None = None, seconds: float | None = None
) -> dict[str, Tag]:
    """Tags of the repository at a URL or path whose names match a pattern, by one `ls-remote`.

    In a work tree (`cwd`) `repo` may also be the name of a git remote, asked with the
    credentials that the clone is configured with. `*` matches `/` too. Raises Outside when there
    is no answer after `seconds`.
    """
    wanted = [f"refs/tags/{pattern}" for pattern in patterns or ("*",)]
    arguments = ("ls-remote", "--tags", "--", check_url(repo), *wanted)
    listed = git(*arguments, cwd=cwd, seconds=seconds)
    objects: dict[str, str] = {}
    commits: dict[str, str] = {}
    for line in _lines(listed):
        oid, _, reference = line.partition("\t")
        name = reference.removeprefix("refs/tags/")
        (commits if name.endswith(PEELED) else objects)[name.removesuffix(PEELED)] = oid
    return {name: Tag(name, oid, commits.get(name, oid)) for name, oid in sorted(objects.items())}


def remote_references(repo: str, *patterns: str) -> dict[str, str]:
    """References of the repository at a URL or path that match a pattern: object by full name."""
    listed = git("ls-remote", "--", check_url(repo), *patterns)
    return {name: oid for oid, _, name in (line.partition("\t") for line in _lines(listed))}


def _lines(listed: bytes) -> list[str]:
    """What git lists, a reference a line: names are bytes, and may have other ends of lines in them."""
    return listed.decode(errors="replace").split("\n")[:-1]


@dataclass(frozen=True)
class Revision:
    """One commit of some repository, readable without a clone.

    `message`, `tagger`, `date` (ISO 8601) and `tag_object` are those of the annotated tag that it was
    asked for by, `asked` the name. A cache that was damaged meanwhile is made anew, once.
    """

    cache: BareCache
    commit: str
    message: str = ""
    tag_object: str | None = None
    tagger: str | None = None
    date: str | None = None
    asked: str = ""

    def read(self, path: str) -> bytes | None:
        """The file's bytes, or None if the commit has no such file."""
        return self._mended(lambda: self._read(path))

    def files(self, path: str) -> list[str]:
        """Paths of all files below the folder `path`."""
        return self._mended(
            lambda: files(self.cache.store, self.commit, path, self.cache.environment)
        )

    def blobs(self, path: str = "") -> dict[str, str]:
        """Path and object id of every file below the folder `path`, by default of all."""
        return self._mended(
            lambda: blobs(self.cache.store, self.commit, path, self.cache.environment)
        )

    def contents(self, oids: Sequence[str]) -> list[bytes]:
        """The bytes of many files by their object ids, which are fetched at once."""

        def get() -> list[bytes]:
            self.cache.bring(oids)
            return contents(self.cache.store, oids, self.cache.environment)

        return self._mended(get)

    def _read(self, path: str) -> bytes | None:
        store, environment = self.cache.store, self.cache.environment
        found = read(store, self.commit, path, environment)
        if found is None:  # git says the same of a folder that it cannot read: that, this tells
            git("ls-tree", self.commit, "--", path, cwd=store, environment=environment)
        return found

    def _mended(self, get: Callable[[], Told]) -> Told:
        if not self.cache.url:  # nobody could be asked again
            return get()
        return _mended(self.cache, get, self)

    def bring_again(self) -> None:
        """Have the commit in the cache again. Raises Refused if its name leads elsewhere by now."""
        for name in filter(None, (self.asked, self.commit)):
            with suppress(BadRequest):
                if revision(self.cache.url, name).commit == self.commit:
                    return
        raise Refused(f"`{self.asked or self.commit}` moved meanwhile", hint="fetch again")


def revision(repo: str, wanted: str, tag_object: str | None = None) -> Revision:
    """The commit that a tag, branch, full reference, commit id or annotated tag's own id names in `repo`.

    A shallow, blob-less fetch of that one commit into a bare cache; none if the `tag_object`, which
    the repository says the tag has now, is there already. Raises BadRequest when there is no such
    revision.
    """
    cache = BareCache.of(repo)
    found = _mended(cache, lambda: _revision(cache, repo, wanted, tag_object))
    return replace(found, asked=wanted)


def _revision(cache: BareCache, repo: str, wanted: str, tag_object: str | None) -> Revision:
    known = _known_tag(cache, tag_object) if tag_object else None
    if known is not None:
        return known
    sources: Iterable[str] = [wanted]
    if COMMIT.fullmatch(wanted):
        known = _known_tag(cache, wanted)
        if known is not None:
            return known
        if cache.has(wanted):
            return Revision(cache, wanted)
    elif wanted == "HEAD":  # what is checked out, or the default branch
        sources = itertools.chain([wanted], _likely_default(cache))  # asks only if need be
    else:
        spelled_out = wanted.startswith("refs/")
        sources = [wanted] if spelled_out else [f"refs/tags/{wanted}", f"refs/heads/{wanted}"]
    for source in sources:
        target = _kept(source)
        done = cache.fetch("--filter=blob:none", "origin", f"{source}:{target}")
        if done.returncode == 0:
            return _at(cache, target)
        stderr = done.stderr.decode(errors="replace")
        if "couldn't find remote ref" not in stderr and "not our ref" not in stderr:
            raise cache.failure(done)
    place = public_url(repo)
    raise BadRequest(
        f"`{place}` has no tag, branch or commit `{wanted}`",
        hint=f"see what there is: git ls-remote {shlex.quote(place)}",
    )


def fetch_tags(repo: str, tags: Sequence[str]) -> list[Tag]:
    """The tags with their messages, by one fetch of the tag objects (no files, no history)."""
    if not tags:
        return []
    cache, names = BareCache.of(repo), set(tags)
    wanted = b"".join(f"+refs/tags/{tag}:{TAGS}{tag}\n".encode() for tag in tags)

    def get() -> list[Tag]:
        done = cache.fetch("--filter=tree:0", "--stdin", "origin", stdin=wanted)
        if done.returncode != 0:
            raise cache.failure(done)
        return [tag for tag in tags_of(cache.store, TAGS) if tag.name in names]

    return _mended(cache, get)


def known_tags(repo: str) -> list[Tag]:
    """The annotated tags, with their messages, as they were when they were read last; nobody is asked.

    A name may be there twice, if the tag moved between. Raises Outside for a damaged cache.
    """
    cache = BareCache.of(repo)
    if not cache.has_whole_packs():
        raise cache.damage()
    try:
        return _known_tags(cache.store)
    except DregError as error:
        if cache.is_sound():
            raise
        raise cache.damage() from error


def refuse_damaged(repo: str, *, renew: bool) -> None:
    """Raises Outside if what is cached of the repository at a URL or path is damaged; with `renew` it no
    longer is."""
    cache = BareCache.of(repo)
    if cache.is_sound():
        return
    damage = cache.damage()
    if renew:
        damage.hint = f"it is {cache.renew()} now, and made anew; run the command again"
    raise damage


def _mended(cache: BareCache, get: Callable[[], Told], of: Revision | None = None) -> Told:
    """What `get` gives. Should it fail since the cache is damaged, or lost what it had `of`, once more
    with another one. Raises as `get` does."""
    sound = cache.has_whole_packs()
    try:
        if sound:
            return get()
    except Unreachable:
        raise
    except DregError:
        sound = cache.is_sound()
        if sound and (of is None or cache.has(of.commit)):
            raise
    try:
        if not sound:
            cache.renew()
        if of is not None:
            of.bring_again()
        return get()
    except Unreachable as error:
        damage = cache.damage()
        hint = f"{error.hint}; {damage.hint}"
        raise Unreachable(f"{damage.fact}, and {error.fact}", hint=hint) from error


def _known_tags(store: Path) -> list[Tag]:
    form = "--format=%(refname)%00%(tag)"
    listed = git("for-each-ref", form, "refs/dreg/", cwd=store)
    names = dict(line.split("\0") for line in _lines(listed))
    found = []
    for tag in tags_of(store, "refs/dreg/"):
        # A tag may call itself otherwise than it is called: only the name it was asked for by counts.
        name = names[f"refs/dreg/{tag.name}"]
        if name and f"refs/dreg/{tag.name}" in (_kept(f"refs/tags/{name}"), f"{TAGS}{name}"):
            found.append(replace(tag, name=name))
    return found


def _kept(source: str) -> str:
    """The reference in a bare cache for what `source` was when it was fetched last."""
    return f"refs/dreg/{hashlib.sha256(source.encode()).hexdigest()[:16]}"


def _known_tag(cache: BareCache, oid: str) -> Revision | None:
    """The revision of an annotated tag that was fetched before; None if it wasn't."""
    for reference in git(
        "for-each-ref", f"--points-at={oid}", "--format=%(refname)", "refs/dreg/", cwd=cache.store
    ).split():
        found = _at(cache, reference.decode())
        if found.tag_object == oid and cache.has(found.commit):
            return found
    return None


def _at(cache: BareCache, reference: str) -> Revision:
    """The commit and, of an annotated tag, the message."""
    fields = "objecttype", "objectname", "*objectname", "taggername", "taggerdate:iso-strict"
    form = "".join(f"%({field})%00" for field in fields)
    arguments = ("for-each-ref", f"--format={form}%(contents)", reference)
    found = git(*arguments, cwd=cache.store).decode(errors="replace")
    kind, oid, commit, tagger, date, message = found.split("\0", 5)
    if kind != "tag":
        return Revision(cache, oid)
    return Revision(cache, commit, message.removesuffix("\n"), oid, tagger, date)


def _likely_default(cache: BareCache) -> Iterator[str]:
    """Branches to take where HEAD names one that is not there: that of a bare repository often does."""
    listed = start(["ls-remote", "--heads", "origin"], cache.store, environment=cache.environment)
    heads = [line.partition("\t")[2] for line in _lines(listed.stdout)]
    usual = [head for head in ("refs/heads/main", "refs/heads/master") if head in heads]
    yield from usual or (heads if len(heads) == 1 else [])
