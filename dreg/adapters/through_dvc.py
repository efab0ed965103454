"""Objects on remotes that only DVC reaches (ssh, gs, azure, hdfs, webdav ...), by its file systems.

DVC and its plugin for the kind of remote have to be installed. These remotes report sizes and no
checksums that count, so what was written is read back. Only for those who work in the registry: a
configuration can name commands for DVC to run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from dreg.adapters.objects import Store, open_store
from dreg.adapters.objects.place import CHUNK, Kept, Page, missing, unlistable
from dreg.core.remotes import Remote
from dreg.core.secrets import without_credentials
from dreg.core.stored import Stored
from dreg.errors import BadRequest, Outside

TIMES = ("mtime", "modified", "last_modified", "LastModified", "updated")
SECOND = 1_000_000_000  # nanoseconds
KINDS = ("gdrive", "gs", "hdfs", "oss", "ssh", "webdav", "webdavs", "webhdfs")


def open_own(remote: Remote) -> Store:
    """The store at a remote that the user's own configuration names. Raises as `open_store` does, and
    Outside without DVC where only that can open it; BadRequest for a cloud-versioned remote, which
    has another layout."""
    if any(
        remote.options.get(kind, "").lower() == "true" for kind in ("version_aware", "worktree")
    ):
        raise BadRequest(
            f"the remote `{remote.name}` is cloud-versioned, which keeps no object at its address",
            hint=f"use another, or: dvc remote modify --unset {remote.name} version_aware (and worktree)",
        )
    return open_store(remote) if remote.is_native else Store(remote, _through_dvc(remote))


def _through_dvc(remote: Remote) -> ThroughDvc:
    """The remote, with all that DVC's configuration says of it.

    Raises BadRequest for a kind that DVC doesn't know, Outside where DVC, its plugin or the server
    are not there.
    """
    location = f"the remote `{remote.name}` at {without_credentials(remote.url)}"
    try:
        from dvc.fs import get_cloud_fs
    except ImportError as error:
        raise Outside(
            f"only DVC can open {location}, and it is not installed",
            hint=f"pip install 'dreg[registry]' 'dvc[{remote.scheme}]', or choose another with --remote",
        ) from error
    if remote.scheme not in KINDS:
        raise BadRequest(
            f"neither dreg nor DVC can open {location}",
            hint=f"dreg opens s3://, azure://, http://, https:// and folders, DVC {', '.join(KINDS)}",
        )
    try:
        kind, config, path = get_cloud_fs({}, **{**remote.options, "url": remote.url})
        if lacking := kind.get_missing_deps():
            raise Outside(
                f"DVC needs {', '.join(lacking)} to open {location}",
                hint=f"pip install 'dvc[{remote.scheme}]'",
            )
        return ThroughDvc(kind(**config), path, location)
    except Outside:
        raise
    except ImportError as error:
        raise Outside(
            f"DVC lacks its plugin to open {location}: {error}",
            hint=f"pip install 'dvc[{remote.scheme}]'",
        ) from error
    except Exception as error:
        raise _failure(location, error) from error


class ThroughDvc:
    """Objects below the path `root` of one of DVC's file systems."""

    near = False
    identity = "what DVC's configuration names"

    def __init__(self, files: Any, root: str, location: str) -> None:
        self._files = files
        self._root = root
        self.location = location

    def stat(self, key: str) -> Stored | None:
        with self._speaking():
            try:
                found = self._files.info(self._path(key))
            except FileNotFoundError:
                return None
        if found.get("type") == "directory":
            return None
        at = _when(found)
        return Stored(int(found["size"]), touched=int(at.timestamp()) * SECOND if at else 0)

    def pages(self, prefix: str, after: str = "") -> Iterator[Page | None]:
        yield None  # a walk through folders, one request each, and slow where there are many

    def every(self, prefix: str) -> Iterator[Kept]:
        root = self._path(prefix.rstrip("/"))
        with self._speaking():
            try:
                found = self._files.fs.find(root, detail=True)
            except FileNotFoundError:
                return
        for path, about in found.items():
            at = _when(about)
            if at is None:
                raise unlistable(self.location)
            yield Kept(f"{prefix}{self._files.relpath(path, root)}", int(about["size"]), at)

    def read(self, key: str) -> Iterator[bytes]:
        with self._speaking():
            try:
                file = self._files.open(self._path(key), "rb")
            except FileNotFoundError as error:
                raise missing(key, self.location) from error
            with file:
                while chunk := file.read(CHUNK):
                    yield chunk

    def read_range(self, key: str, start: int, length: int, etag: str = "") -> None:
        return None

    def stream_range(self, key: str, start: int, length: int) -> None:
        return None

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> None:
        with self._speaking():
            self._files.put_file(_Stream(chunks), self._path(key), size=size)

    def delete(self, key: str) -> None:
        with self._speaking():
            try:
                self._files.rm_file(self._path(key))
            except FileNotFoundError:
                return

    def _path(self, key: str) -> str:
        return str(self._files.join(self._root, *key.split("/")))

    @contextmanager
    def _speaking(self) -> Iterator[None]:
        """What goes wrong is said in dreg's words."""
        try:
            yield
        except Outside:
            raise
        except Exception as error:
            raise _failure(self.location, error) from error


def _when(about: Mapping[str, Any]) -> datetime | None:
    """When it was written, as far as the file system tells."""
    return next((_time(about[word]) for word in TIMES if about.get(word)), None)


def _time(said: datetime | float) -> datetime:
    if isinstance(said, datetime):
        return said if said.tzinfo else said.replace(tzinfo=UTC)
    return datetime.fromtimestamp(said, UTC)


class _Stream:
    """Chunks as DVC reads a file: piece by piece, whatever size it asks for."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks

    def read(self, size: int = -1) -> bytes:
        return next(self._chunks, b"")


def _failure(location: str, error: Exception) -> Outside:
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return Outside(
        f"{location} failed: {reason}",
        hint="check what DVC's configuration says of it (dvc remote list), then run the command again",
    )
