"""What can be wrong with a release."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from dreg.core.manifest import Manifest
from dreg.core.odd_tags import version_meant
from dreg.core.release import Release
from dreg.core.remotes import object_key
from dreg.core.version import parse_tag
from dreg.errors import DregError

YANK = re.compile(r"\A(un)?yank/")
LIKE_A_RELEASE = re.compile(r"(?P<name>[a-z0-9][a-z0-9._-]*?)-v\d.*", re.IGNORECASE)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `kind` is for programs: lightweight-tag, moved-tag, no-manifest-digest,
    manifest-missing, manifest-wrong, missing, wrong-size, wrong-bytes,
    damaged-cache, lock-unreadable. `key` is the object's, on the remote. `releases` are the tags that need it."""

    kind: str
    releases: tuple[str, ...]
    text: str
    key: str | None = None
    repaired: bool = False

    def __str__(self) -> str:
        others = f" and {len(self.releases) - 1} more" if len(self.releases) > 1 else ""
        done = "repaired  " if self.repaired else ""
        return f"{done}{self.releases[0]}{others}: {self.text}"


@dataclass(frozen=True)
class Needed:
    """An object that releases need: what is known of it, and a path that shows what it is.

    Of a folder's object (md5 with `.dir` in the key) only the md5 is known.
    """

    key: str
    md5: str
    path: str
    releases: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None


def tag_problem(name: str, annotated: bool, message: str) -> Problem | None:
    """What is wrong with a tag that has the name of a release."""
    if not annotated:
        text = "the tag is lightweight: it says nothing, and anybody can move it"
        return Problem("lightweight-tag", (name,), text)
    try:
        found = Release.of(name, "", message)
    except DregError as error:
        return Problem("no-manifest-digest", (name,), error.fact)
    if found is None or found.manifest is None:
        return Problem("no-manifest-digest", (name,), "the tag's message names no manifest")
    return None


def of_dataset(tag: str, names: Sequence[str]) -> bool:
    """Whether a tag is, or looks like, a release of one of the datasets, or a yank of one."""
    tag = YANK.sub("", tag)
    parsed = parse_tag(tag)
    if parsed is not None:
        return parsed[0] in names
    match = LIKE_A_RELEASE.fullmatch(tag)
    if match is not None and match.group("name") in names:
        return True
    return version_meant(tag, names) is not None


def needed(manifests: Iterable[tuple[str, Manifest]]) -> list[Needed]:
    """Every object that the releases (tag and manifest) consist of, each once, sorted by key."""
    found: dict[str, Needed] = {}
    users: dict[str, dict[str, None]] = {}
    for tag, manifest in manifests:
        for file in manifest.snapshot.files:
            if not file.in_git:
                key = object_key(file.md5)
                users.setdefault(key, {})[tag] = None
                one = Needed(key, file.md5, file.path, (), file.size, file.sha256)
                found.setdefault(key, one)
        for path, md5 in manifest.directories.items():
            key = object_key(md5)
            users.setdefault(key, {})[tag] = None
            found.setdefault(key, Needed(key, md5[:32], f"{path}/", ()))
    return [
        Needed(key, one.md5, one.path, tuple(users[key]), one.size, one.sha256)
        for key, one in sorted(found.items())
    ]
