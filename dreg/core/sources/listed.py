"""The list of sources as params.yaml or sources.yaml has it, every mistake told where it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from dreg.core.sources.mirrors import (
    Deb,
    GitHubBlob,
    GzipHeader,
    Http,
    Local,
    Mirror,
    PipelineFile,
    Script,
    Source,
    Wheel,
)
from dreg.errors import BadRequest

SHA256 = re.compile(r"[0-9a-f]{64}")
MTIME = re.compile(r"[0-9a-f]{8}")
# Both become part of a command line: nothing that could be read as an option or a path.
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:!_-]*")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+")
BLOB = re.compile(r"[0-9a-f]{40}")


def parse_sources(data: Any, where: str = "params.yaml") -> tuple[Source, ...]:
    """The sources that `sources:` in `where` lists. Raises BadRequest naming the file and the key."""
    if not isinstance(data, Mapping) or not data:
        raise BadRequest(
            f"`{where}`: `sources` lists no file",
            hint="add `sources: {FILE: {sha256: ..., size: ..., mirrors: [{http: URL}]}}`",
        )
    return tuple(_Reader(where, str(path)).source(value) for path, value in data.items())


class _Reader:
    """Reads one file's entry; every error names that file."""

    def __init__(self, where: str, path: str) -> None:
        self.where = where
        self.path = path

    def fail(self, fact: str, hint: str) -> BadRequest:
        return BadRequest(f"`{self.where}`: source `{self.path}` {fact}", hint=hint)

    def source(self, value: Any) -> Source:
        self.relative(self.path, "its name")
        given = self.keys(value, "the source", ("sha256", "size", "mirrors"), ())
        size = given["size"]
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise self.fail(f"has the size `{size}`", "`size` is the number of bytes: wc -c FILE")
        mirrors = given["mirrors"]
        if not isinstance(mirrors, list) or not mirrors:
            raise self.fail("has no mirrors", "list at least one: `- http: URL`")
        return Source(
            path=self.path,
            sha256=self.checksum(given["sha256"]),
            size=size,
            mirrors=tuple(self.mirror(item) for item in mirrors),
        )

    def mirror(self, value: Any) -> Mirror:
        kinds: dict[str, Callable[[Any], Mirror]] = {
            "http": self.http,
            "wheel": self.wheel,
            "deb": self.deb,
            "github": self.github,
            "script": self.script,
            "local": self.local,
            "file": self.file,
        }
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in kinds:
            raise self.fail(
                f"has a mirror that is none of {', '.join(kinds)}: {value!r}",
                "write each mirror as `- http: URL`, `- wheel: {...}`, `- deb: {...}`, "
                "`- github: {...}`, `- script: {...}`, `- local: PATH` or `- file: PATH`",
            )
        [(kind, given)] = value.items()
        return kinds[kind](given)

    def http(self, value: Any) -> Http:
        url = str(value)
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise self.fail(f"has the http mirror `{url}`", "use a http:// or https:// address")
        if parts.username or parts.password:
            raise self.fail(
                "has an http mirror with a password in its address",
                "params.yaml is in git: take the password out, and change it",
            )
        return Http(url)

    def wheel(self, value: Any) -> Wheel:
        needed = ("package", "version", "sha256", "member")
        given = self.keys(value, "a wheel mirror", needed, ("inside",))
        inside = given.get("inside")
        within = "" if inside is None else self.relative(inside, "a file inside of the member")
        return Wheel(*self.package(given), within)

    def deb(self, value: Any) -> Deb:
        needed = ("package", "version", "sha256", "member")
        given = self.keys(value, "a deb mirror", needed, ("gzip_header",))
        header = given.get("gzip_header")
        return Deb(*self.package(given), None if header is None else self.gzip_header(header))

    def github(self, value: Any) -> GitHubBlob:
        given = self.keys(value, "a github mirror", ("repository", "blob"), ())
        repository, blob = given["repository"], given["blob"]
        if not isinstance(repository, str) or not REPOSITORY.fullmatch(repository):
            raise self.fail(f"names the repository `{repository}`", "write it as OWNER/NAME")
        if not isinstance(blob, str) or not BLOB.fullmatch(blob):
            raise self.fail(f"names the blob `{blob}`", "write 40 hex digits: git hash-object FILE")
        return GitHubBlob(repository, blob)

    def script(self, value: Any) -> Script:
        given = self.keys(value, "a script mirror", ("path", "url"), ())
        return Script(self.relative(given["path"], "a script"), self.http(given["url"]).url)

    def local(self, value: Any) -> Local:
        return Local(self.relative(value, "a local mirror"))

    def file(self, value: Any) -> PipelineFile:
        return PipelineFile(self.relative(value, "a file mirror"))

    def package(self, given: Mapping[str, Any]) -> tuple[str, str, str, str]:
        package, version = given["package"], given["version"]
        if not isinstance(package, str) or not PACKAGE.fullmatch(package):
            raise self.fail(f"names the package `{package}`", "write the package's plain name")
        if not isinstance(version, str) or not VERSION.fullmatch(version):
            raise self.fail(
                f"names version `{version}` of `{package}`",
                'write the exact version in quotes: version: "1.0"',
            )
        member = self.relative(given["member"], f"the member of `{package}`")
        return package, version, self.checksum(given["sha256"]), member

    def gzip_header(self, value: Any) -> GzipHeader:
        given = self.keys(value, "gzip_header", ("mtime", "name"), ())
        mtime, name = given["mtime"], given["name"]
        if not isinstance(mtime, str) or not MTIME.fullmatch(mtime):
            raise self.fail(
                f"has the gzip mtime `{mtime}`", 'write 8 hex digits in quotes: "dee9a759"'
            )
        if not isinstance(name, str) or not name.isascii() or "\0" in name:
            raise self.fail(f"has the gzip name `{name}`", "write the file's name in ASCII")
        return GzipHeader(mtime, name)

    def checksum(self, value: Any) -> str:
        if not isinstance(value, str) or not SHA256.fullmatch(value):
            raise self.fail(f"has the sha256 `{value}`", "write 64 hex digits: sha256sum FILE")
        return value

    def relative(self, value: Any, what: str) -> str:
        """A path that stays below the folder it is used in."""
        parts = value.split("/") if isinstance(value, str) else [""]
        if any(part in ("", ".", "..") for part in parts) or "\\" in value or "\0" in value:
            raise self.fail(
                f"has an unusable path for {what}: {value!r}", "use a relative path without `..`"
            )
        return str(value)

    def keys(
        self, value: Any, what: str, needed: tuple[str, ...], optional: tuple[str, ...]
    ) -> Mapping[str, Any]:
        if not isinstance(value, Mapping):
            raise self.fail(
                f"has something else than keys for {what}", f"keys: {', '.join(needed)}"
            )
        for key in value:
            if key not in (*needed, *optional):
                raise self.fail(
                    f"has the unknown key `{key}` for {what}",
                    f"known keys: {', '.join((*needed, *optional))}",
                )
        for key in needed:
            if key not in value:
                raise self.fail(f"lacks `{key}` for {what}", f"add `{key}:`")
        return value
