"""A manifest: the list of a release's files that its tag signs for.

Written to the remote last, under its own SHA-256, which the annotated tag carries as a trailer:
who has the tag can prove every byte. The text is canonical JSON (sorted keys, two spaces,
one newline at the end), so the same release always has the same digest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semver import Version

from dreg.core.snapshot import DIGEST, MD5, File, Snapshot
from dreg.core.version import check_name
from dreg.errors import DregError, Outside, Refused

SCHEMA = "dreg.manifest/1"
TRAILER = re.compile(r"(Dreg-[A-Za-z-]+): (.*)")
DIRECTORY = re.compile(r"[0-9a-f]{32}\.dir")


@dataclass(frozen=True)
class Manifest:
    """What a release consists of.

    `directories` maps a DVC-tracked folder (relative to `data/<name>/`) to its `.dir` object,
    so that plain `dvc pull` works on the release too.
    """

    dataset: str
    version: Version
    snapshot: Snapshot
    directories: Mapping[str, str] = field(default_factory=dict)

    def to_text(self) -> str:
        """The canonical JSON."""
        value = {
            "schema": SCHEMA,
            "dataset": self.dataset,
            "version": str(self.version),
            "files": [_file(file) for file in self.snapshot.files],
            "directories": dict(self.directories),
        }
        return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return hashlib.sha256(self.to_text().encode()).hexdigest()

    @classmethod
    def parse(cls, text: bytes, digest: str) -> Manifest:
        """The manifest in `text`, which must have the `digest`.

        Raises Outside when the bytes are not those the tag signs for, Refused when they are but
        can't be trusted (unknown schema, unsafe paths).
        """
        actual = hashlib.sha256(text).hexdigest()
        if actual != digest:
            raise Outside(
                f"the manifest on the remote is not the one the tag signs for (expected sha256 {digest}, got {actual})",
                hint="nothing was written; tell the registry's owner",
            )
        try:
            data = json.loads(text)
            if data["schema"] != SCHEMA:
                raise Refused(
                    f"the manifest has the schema `{data['schema']}`, and this dreg reads `{SCHEMA}`",
                    hint="upgrade dreg: pip install --upgrade dreg",
                )
            files = [_parse_file(item) for item in data["files"]]
            directories = {str(k): str(v) for k, v in data["directories"].items()}
            if not all(DIRECTORY.fullmatch(value) for value in directories.values()):
                raise ValueError("a directory's object is not an md5 with `.dir`")
            if len({file.path for file in files}) != len(files):
                raise ValueError("a path is listed twice")
            return cls(
                dataset=check_name(data["dataset"]),
                version=Version.parse(data["version"]),
                snapshot=Snapshot.of(files),
                directories=directories,
            )
        except DregError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refused(
                f"the manifest {digest} is malformed ({type(error).__name__}: {error})",
                hint="nothing was written; tell the registry's owner",
            ) from error


def _file(file: File) -> dict[str, Any]:
    listed: dict[str, Any] = {
        "path": file.path,
        "size": file.size,
        "md5": file.md5,
        "sha256": file.sha256,
    }
    if file.in_git:
        listed["in_git"] = True
    return listed


def _parse_file(item: Any) -> File:
    file = File(
        path=str(item["path"]),
        size=int(item["size"]),
        md5=str(item["md5"]),
        sha256=str(item["sha256"]),
        in_git=bool(item.get("in_git", False)),
    )
    if file.size < 0 or not MD5.fullmatch(file.md5) or not DIGEST.fullmatch(file.sha256 or ""):
        raise ValueError(f"size or checksums of {file.path!r}")
    return file


def manifest_key(digest: str) -> str:
    """Where the manifest lies on the remote, beside DVC's `files/`."""
    return f"dreg/manifests/sha256/{digest[:2]}/{digest[2:]}.json"


def trailers(message: str) -> dict[str, str]:
    """The `Dreg-*` trailers in the last paragraph of a tag's or commit's message.

    A signature may follow the message; trailers are git's (git-interpret-trailers).
    """
    text = message.split("-----BEGIN ", 1)[0].rstrip()
    last = text.rsplit("\n\n", 1)[-1]
    found = (TRAILER.fullmatch(line.strip()) for line in last.splitlines())
    return {match.group(1): match.group(2).strip() for match in found if match}


def manifest_digest(message: str) -> str | None:
    """The manifest's digest that a tag's message carries; None if it carries none.

    Raises Refused when the trailer is there and is no SHA-256.
    """
    value = trailers(message).get("Dreg-Manifest")
    if value is None:
        return None
    algorithm, _, digest = value.partition(":")
    if algorithm != "sha256" or not DIGEST.fullmatch(digest):
        raise Refused(
            f"the tag's manifest trailer {value!r} is not a sha256",
            hint="tell the registry's owner; nothing was written",
        )
    return digest
