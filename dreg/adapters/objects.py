"""Objects on a remote: S3, http(s) or a folder, behind one `Store`.

Every checksum is verified where bytes arrive, and a file gets its name only when all of it is
there and checks out. A store may be used from many threads at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Protocol, TypeVar

from dreg.core.remotes import SCHEMES, Remote
from dreg.core.stored import Stored
from dreg.errors import BadRequest, Outside

CHUNK = 4 * 1024 * 1024
IN_FLIGHT = 64

Advance = Callable[[int], None]
T = TypeVar("T")
Page = list[tuple[str, Stored]]


class Missing(Outside):
    """The remote can be reached and does not have the object (exit code 3)."""


class Place(Protocol):
    """What a kind of remote must be able to do; `location` says in messages which it is.

    `near`: reading an object costs no more than asking for it. `pages` yields None
    where the remote cannot list (further).
    """

    location: str
    near: bool

    def stat(self, key: str) -> Stored | None: ...
    def pages(self, prefix: str) -> Iterator[Page | None]: ...
    def read(self, key: str) -> Iterator[bytes]: ...
    def write(self, key: str, chunks: Iterator[bytes], size: int) -> None: ...
    def delete(self, key: str) -> None: ...


def open_store(remote: Remote) -> Store:
    """The store at `remote`. Raises BadRequest for a URL dreg cannot open, Outside without credentials."""
    if remote.scheme in SCHEMES:
        from dreg.adapters.bucket import open_bucket

        return Store(remote, open_bucket(remote))
    if remote.scheme:
        raise BadRequest(
            f"dreg cannot open the remote `{remote.name}` at {remote.url}",
            hint="dreg opens s3://, http://, https:// and folders; choose one with --remote",
        )
    folder = Path(remote.url).expanduser()
    if not remote.url or not folder.is_absolute():
        raise BadRequest(
            f"the remote `{remote.name}` is the folder `{remote.url}` beside the registry, "
            "which a URL does not lead to",
            hint="name one that can be reached from here: --remote NAME|URL|PATH or DREG_REMOTE",
        )
    return Store(remote, Folder(remote.name, folder))


class Listing(Iterator[Page]):
    """A store's objects below a folder, page by page. `complete` once all of them have been had."""

    def __init__(self, pages: Iterator[Page | None]) -> None:
        self._pages = pages
        self.complete = False

    def __next__(self) -> Page:
        try:
            page = next(self._pages)
        except StopIteration:
            self.complete = True
            raise
        if page is None:
            raise StopIteration
        return page


class Store:
    """Objects by key. Every failure is an Outside that names the remote."""

    def __init__(self, remote: Remote, place: Place) -> None:
        self.remote = remote
        self._place = place

    @property
    def location(self) -> str:
        """The remote as messages name it: "the remote `local` at ..."."""
        return self._place.location

    def size(self, key: str) -> int | None:
        """Bytes of the object, None if it is not there."""
        found = self._place.stat(key)
        return found.size if found else None

    @property
    def near(self) -> bool:
        """Whether objects are read as quickly as they are asked for."""
        return self._place.near

    def stat(self, key: str) -> Stored | None:
        """What the store says of the object, None if it is not there."""
        return self._place.stat(key)

    def listed(self, prefix: str) -> Listing:
        """Every object whose key starts with `prefix` (ending in `/`)."""
        return Listing(self._place.pages(prefix))

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes as they come, not verified. Raises Missing."""
        return self._place.read(key)

    def get_bytes(self, key: str, limit: int) -> bytes:
        """The whole object. Raises Missing, and Outside if it has more than `limit` bytes."""
        data = bytearray()
        for chunk in self._place.read(key):
            data += chunk
            if len(data) > limit:
                raise Outside(
                    f"the object `{key}` on {self.location} is larger than {limit} bytes",
                    hint="it is not what it should be; tell the registry's owner",
                )
        return bytes(data)

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write an object; readers see the old one or all of the new one."""
        self._place.write(key, iter((data,)), len(data))

    def put_file(self, key: str, path: Path, advance: Advance = lambda n: None) -> None:
        """Write the file's bytes as an object."""
        with path.open("rb") as file:
            self._place.write(key, _chunks(file.read, advance), path.stat().st_size)

    def download(
        self,
        key: str,
        into: Path,
        *,
        size: int,
        md5: str,
        sha256: str | None = None,
        advance: Advance = lambda n: None,
        called: str = "",
    ) -> str:
        """The object as the file `into`, placed only if size and checksums are as given.

        Returns the SHA-256 of the bytes. `called` is the file's name in messages. Raises Outside
        naming expected and actual checksum; nothing is placed then.
        """
        into.parent.mkdir(parents=True, exist_ok=True)
        part = into.with_name(f".dreg-{os.getpid()}-{threading.get_ident()}")
        checksums = Checksums()
        try:
            with part.open("wb") as file:
                for chunk in self._place.read(key):
                    checksums.update(chunk)
                    file.write(chunk)
                    advance(len(chunk))
            checksums.check(
                called or into.name, size=size, md5=md5, sha256=sha256, where=self.location
            )
            part.rename(into)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        return checksums.sha256

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is no error."""
        self._place.delete(key)


class Checksums:
    """Size, md5 and sha256 of bytes as they pass."""

    def __init__(self) -> None:
        self.size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)  # DVC's address, not a protection
        self._sha256 = hashlib.sha256()

    def update(self, chunk: bytes) -> None:
        self.size += len(chunk)
        self._md5.update(chunk)
        self._sha256.update(chunk)

    @property
    def md5(self) -> str:
        return self._md5.hexdigest()

    @property
    def sha256(self) -> str:
        return self._sha256.hexdigest()

    def check(self, path: str, *, size: int, md5: str, sha256: str | None, where: str) -> None:
        """Raises Outside unless the bytes are the expected ones; `sha256` None is not compared."""
        expected = [("sha256", sha256, self.sha256)] if sha256 else []
        expected += [("md5", md5, self.md5), ("size", str(size), str(self.size))]
        for kind, wanted, actual in expected:
            if wanted != actual:
                raise Outside(
                    f"`{path}` arrived corrupt from {where}: "
                    f"expected {kind} {wanted}, got {actual}",
                    hint="nothing was placed; try again, and if it stays, tell the registry's owner",
                )


class Folder:
    """A remote that is a folder, local or mounted; made when the first object is written."""

    near = True

    def __init__(self, name: str, root: Path) -> None:
        self.root = root
        self.location = f"the remote `{name}` at {root}"

    def stat(self, key: str) -> Stored | None:
        try:
            return Stored((self.root / key).stat().st_size)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def pages(self, prefix: str) -> Iterator[Page | None]:
        yield None  # asking for single files is as quick

    def read(self, key: str) -> Iterator[bytes]:
        try:
            file = (self.root / key).open("rb")
        except (FileNotFoundError, NotADirectoryError) as error:
            if not self.root.is_dir():
                raise Outside(
                    f"{self.location} is not there",
                    hint="check the path, or choose another: --remote NAME|URL|PATH or DREG_REMOTE",
                ) from error
            raise missing(key, self.location) from error
        with file:
            yield from _chunks(file.read)

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> None:
        path = self.root / key
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_name(f".dreg-{os.getpid()}-{threading.get_ident()}")
        try:
            with part.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
            part.rename(path)
        except BaseException:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise

    def delete(self, key: str) -> None:
        (self.root / key).unlink(missing_ok=True)


def missing(key: str, location: str) -> Missing:
    """The error for an object that should be there."""
    return Missing(
        f"{location} lacks the object `{key}`",
        hint="choose the remote that has it (--remote), or ask the registry's owner to push it",
    )


def many(jobs: Sequence[Callable[[], T]], in_flight: int = IN_FLIGHT) -> list[T]:
    """Results of all jobs, in order, up to `in_flight` at once; the first failure ends the rest."""
    if len(jobs) == 1:
        return [jobs[0]()]
    pool = ThreadPoolExecutor(max(1, min(in_flight, len(jobs))), thread_name_prefix="objects")
    try:
        futures: list[Future[T]] = [pool.submit(job) for job in jobs]
        finished, _ = wait(futures, return_when=FIRST_EXCEPTION)
        failed = next((f for f in futures if f in finished and f.exception()), None)
        if failed is not None:
            failed.result()
        return [future.result() for future in futures]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _chunks(read: Callable[[int], bytes], advance: Advance = lambda n: None) -> Iterator[bytes]:
    while chunk := read(CHUNK):
        yield chunk
        advance(len(chunk))
