"""A manifest: the list of a release's files that its tag signs for.

Written to the remote last, under its own SHA-256, which the annotated tag carries as a trailer:
who has the tag can prove every byte. The text is canonical JSON (sorted keys, a file a line), so the
same release always has the same digest.
"""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semver import Version

from dreg.core.about import About, Upstream
from dreg.core.json_text import parse_json
from dreg.core.snapshot import DIGEST, MD5, File, Snapshot
from dreg.core.version import check_name
from dreg.errors import DregError, Outside, Refused

SCHEMA = "dreg.manifest/2"
FILES_ONLY = "dreg.manifest/1"  # of releases from before manifests said more
SIGNATURE = re.compile(
    r"^-----BEGIN (SSH SIGNATURE|PGP SIGNATURE|PGP MESSAGE|SIGNED MESSAGE)-----", re.MULTILINE
)
TRAILER = re.compile(r"(Dreg-[A-Za-z-]+): (.*)")
DIRECTORY = re.compile(r"[0-9a-f]{32}\.dir")


@dataclass(frozen=True)
class Manifest:
    """What a release consists of, and what it says `about` itself; None in one from before that.

    `directories` maps a DVC-tracked folder (relative to `data/<name>/`) to its `.dir` object,
    so that plain `dvc pull` works on the release too.
    """

    dataset: str
    version: Version
    snapshot: Snapshot
    directories: Mapping[str, str] = field(default_factory=dict)
    about: About | None = None

    @property
    def made_from(self) -> tuple[Upstream, ...]:
        """The releases that this one was made from; none where that was not recorded."""
        return self.about.upstream if self.about else ()

    def to_text(self) -> str:
        """The canonical JSON."""
        return self._text

    @property
    def digest(self) -> str:
        """SHA-256 of the text, in hex."""
        return self._digest

    @functools.cached_property
    def _text(self) -> str:
        head = {
            "schema": FILES_ONLY if self.about is None else SCHEMA,
            "dataset": self.dataset,
            "version": str(self.version),
            "directories": dict(self.directories),
            **(self.about.to_json() if self.about else {}),
        }
        # A line a file, by the encoder that is written in C: there may be a hundred thousand.
        files = ",\n".join(f"    {_line(_file(file))}" for file in self.snapshot.files)
        texts = {key: _pretty(value) for key, value in head.items()}
        texts["files"] = f"[\n{files}\n  ]" if files else "[]"
        lines = (f"  {_line(key)}: {texts[key]}" for key in sorted(texts))
        return "{\n" + ",\n".join(lines) + "\n}\n"

    @functools.cached_property
    def _digest(self) -> str:
        return hashlib.sha256(self._text.encode()).hexdigest()

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
            data = parse_json(text)
            if data["schema"] not in (SCHEMA, FILES_ONLY):
                raise Refused(
                    f"the manifest has the schema `{data['schema']}`, and this dreg reads up to `{SCHEMA}`",
                    hint="upgrade dreg: pip install --upgrade dreg",
                )
            files = [_parse_file(item) for item in data["files"]]
            directories = {str(k): str(v) for k, v in data["directories"].items()}
            if not all(DIRECTORY.fullmatch(value) for value in directories.values()):
                raise ValueError("a directory's object is not an md5 with `.dir`")
            if len({file.path for file in files}) != len(files):
                raise ValueError("a path is listed twice")
            parsed = cls(
                dataset=check_name(data["dataset"]),
                version=Version.parse(data["version"]),
                snapshot=Snapshot.of(files),
                directories=directories,
                about=About.parse(data) if data["schema"] == SCHEMA else None,
            )
            # What was signed for, not what this dreg would write of it.
            vars(parsed).update(_text=text.decode(), _digest=digest)
            return parsed
        except DregError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refused(
                f"the manifest {digest} is malformed ({type(error).__name__}: {error})",
                hint="nothing was written; tell the registry's owner",
            ) from error


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)


def _pretty(value: Any) -> str:
    """The value below a key: line feeds are only between the parts of it."""
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return text.replace("\n", "\n  ")


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
    signatures = [match.start() for match in SIGNATURE.finditer(message)]
    text = message[: signatures[-1]] if signatures else message  # as git: the last one counts
    last = text.rstrip().rsplit("\n\n", 1)[-1]
    found = (TRAILER.fullmatch(line.strip()) for line in last.split("\n"))
    return {match.group(1): match.group(2).strip() for match in found if match}


def manifest_digest(message: str) -> str | None:
    """The manifest's digest that a tag's message carries; None if it carries none.

    Raises Refused when the trailer is there and is no SHA-256.
    """
    return digest_in(trailers(message))


def digest_in(said: Mapping[str, str]) -> str | None:
    """As `manifest_digest`, in trailers that were read before."""
    value = said.get("Dreg-Manifest")
    if value is None:
        return None
    algorithm, _, digest = value.partition(":")
    if algorithm != "sha256" or not DIGEST.fullmatch(digest):
        raise Refused(
            f"the tag's manifest trailer {value!r} is not a sha256",
            hint="tell the registry's owner; nothing was written",
        )
    return digest
