"""A bundle: one release as one file, to be carried where no network leads.

A tar with, in this order, `dreg-bundle.json` (what it is), `git.bundle` (the annotated tag and its
history, as git itself reads it), `manifest.json` and the objects under DVC's keys, sorted, each
folder's object after all files. Everything in it is verified by the digests above it: the tag
names the manifest, the manifest the objects.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from semver import Version

from dreg.core.dvc_files import Out, children
from dreg.core.json_text import parse_json
from dreg.core.manifest import Manifest, manifest_digest
from dreg.core.receipt import check_placeable
from dreg.core.remotes import OBJECTS
from dreg.core.snapshot import DIGEST
from dreg.core.soundness import Needed, needed
from dreg.core.tar import untrusted
from dreg.core.version import parse_tag, tag_of
from dreg.core.yank import yank_of_tag
from dreg.errors import Refused

SCHEMA = "dreg.bundle/1"
ABOUT, GIT, MANIFEST = "dreg-bundle.json", "git.bundle", "manifest.json"
ABOUT_LIMIT = 64 * 1024  # bytes
OBJECT = re.compile(rf"{OBJECTS}[0-9a-f]{{2}}/[0-9a-f]{{30}}(?:\.dir)?")
OID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


@dataclass(frozen=True)
class About:
    """What a bundle holds. `tag_object` and `commit` are git's ids, `manifest` a SHA-256, `size`
    the bytes of all `objects`. `yank` is the tag that yanks the release, if one does, with its
    object's id.
    """

    dataset: str
    version: str
    tag: str
    tag_object: str
    commit: str
    manifest: str
    objects: int
    size: int
    yank: str | None = None
    yank_object: str | None = None

    @property
    def references(self) -> dict[str, str]:
        """The only references that its git part may have."""
        found = {f"refs/tags/{self.tag}": self.tag_object}
        if self.yank and self.yank_object:
            found[f"refs/tags/{self.yank}"] = self.yank_object
        return found

    def to_bytes(self) -> bytes:
        """The canonical JSON."""
        value = {"schema": SCHEMA, **asdict(self)}
        return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> About:
        """Raises Refused for what is not the description of a release."""
        try:
            value = parse_json(data)
            schema = value.pop("schema")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise untrusted(f"`{ABOUT}` in it is not one of dreg's") from error
        if schema != SCHEMA:
            raise Refused(
                f"the bundle has the schema {str(schema)[:40]!r}, and this dreg reads `{SCHEMA}`",
                hint="upgrade dreg: pip install --upgrade dreg",
            )
        if value.keys() != {field.name for field in fields(cls)} or not _sound(value):
            raise untrusted(f"`{ABOUT}` in it does not describe a release")
        return cls(**value)


def _sound(value: dict[str, Any]) -> bool:
    texts = ("dataset", "version", "tag", "tag_object", "commit", "manifest")
    numbers = (value["objects"], value["size"])
    if not all(isinstance(value[name], str) for name in texts):
        return False
    if not all(type(number) is int and number >= 0 for number in numbers):
        return False
    parsed = parse_tag(value["tag"])
    if parsed is None or (parsed[0], str(parsed[1])) != (value["dataset"], value["version"]):
        return False
    oids = [value["tag_object"], value["commit"]]
    if value["yank"] is not None:
        if not isinstance(value["yank"], str) or yank_of_tag(value["yank"]) != value["tag"]:
            return False
        oids.append(value["yank_object"])
    elif value["yank_object"] is not None:
        return False
    return DIGEST.fullmatch(value["manifest"]) is not None and all(
        isinstance(oid, str) and OID.fullmatch(oid) for oid in oids
    )


def objects_of(tag: str, manifest: Manifest) -> list[Needed]:
    """The objects in the order in which they lie in a bundle."""
    return sorted(needed([(tag, manifest)]), key=lambda o: (o.key.endswith(".dir"), o.key))


def check_release(about: About, tag_text: str, manifest: Manifest) -> None:
    """Raises Refused unless the tag object is the release's, and signs for just this manifest."""
    head, _, message = tag_text.partition("\n\n")
    lines = head.split("\n")
    if lines[:3] != [f"object {about.commit}", "type commit", f"tag {about.tag}"]:
        raise untrusted(f"its tag object is not that of `{about.tag}`")
    if manifest_digest(message) != about.manifest:
        raise untrusted("its tag does not sign for its manifest")
    if tag_of(manifest.dataset, manifest.version) != about.tag:
        raise untrusted(f"its manifest is that of {manifest.dataset} {manifest.version}")
    check_placeable(manifest.snapshot.files)


def check_yank(about: About, tag_text: str) -> None:
    """Raises Refused unless the yank's tag object is on just this release, its commit or its tag."""
    lines = tag_text.partition("\n\n")[0].split("\n")
    on = ([f"object {about.commit}", "type commit"], [f"object {about.tag_object}", "type tag"])
    if lines[:2] not in on or lines[2:3] != [f"tag {about.yank}"]:
        raise untrusted(f"its tag object is not that of `{about.yank}`")


def check_members(about: About, names: Sequence[str], manifest: Manifest) -> None:
    """Raises Refused unless the objects in the bundle are just those of the manifest."""
    expected = [each.key for each in objects_of(about.tag, manifest)]
    if list(names) == expected:
        return
    absent = sorted(set(expected) - set(names))
    extra = sorted(set(names) - set(expected))
    if absent:
        why = f"it lacks {len(absent)} of the objects of its manifest: {absent[0]}"
    elif extra:
        why = f"an object in it is not in its manifest: {extra[0]}"
    else:
        why = "its members are there twice, or not in order"
    raise untrusted(why)


def check_folder(path: str, md5: str, text: bytes, manifest: Manifest) -> None:
    """Raises Refused unless a folder's object lists just what the manifest has below `path`."""
    files = {file.path: file.md5 for file in manifest.snapshot.files}
    folder = path.rstrip("/")
    listed = {f"{folder}{out.path}".lstrip("/"): out.md5 for out in children(Out("", md5), text)}
    if any(files.get(name) != value for name, value in listed.items()):
        raise untrusted(f"the object of its folder {path!r} lists what its manifest does not")


def file_name(dataset: str, version: Version) -> str:
    """What a bundle is called unless the user says otherwise."""
    return f"{tag_of(dataset, version)}.tar"
