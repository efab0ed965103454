"""A remote behind one `Store`, whatever its kind."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dreg.adapters.objects.place import Advance, Buffer, Kept, Page, Place, missing
from dreg.adapters.objects.sending import Sending
from dreg.adapters.objects.transfer import Downloads, Wanted, fetch_one
from dreg.core.remotes import SCHEMES, Remote
from dreg.core.secrets import without_credentials
from dreg.core.stored import Stored
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside


def open_store(remote: Remote, environment: Mapping[str, str] = os.environ) -> Store:
    """The store at `remote`; keys are those of `environment`, if it has any. Raises BadRequest for a URL dreg cannot open, Outside without credentials."""
    if remote.scheme in SCHEMES:
        from dreg.adapters.objects.opening import open_bucket

        return Store(remote, open_bucket(remote, environment))
    if remote.scheme:
        raise BadRequest(
            f"dreg cannot open the remote `{remote.name}` at {without_credentials(remote.url)}",
            hint="dreg opens s3://, gs://, azure://, http://, https:// and folders; choose one with --remote, "
            "or clone the registry at the tag: dvc pull",
        )
    from dreg.adapters.objects.folder import Folder

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


class Store(Downloads):
    """Objects by key. Every failure is an Outside that names the remote."""

    def __init__(self, remote: Remote, place: Place) -> None:
        self.remote = remote
        self._place = place

    @property
    def location(self) -> str:
        """The remote as messages name it: "the remote `local` at ..."."""
        return self._place.location

    @property
    def identity(self) -> str:
        """Whose credentials are used, and where they come from; empty where none are."""
        return self._place.identity

    def size(self, key: str) -> int | None:
        """Bytes of the object, None if it is not there."""
        found = self._place.stat(key)
        return found.size if found else None

    def known_size(self, key: str) -> int:
        """Bytes of the object. Raises Missing."""
        size = self.size(key)
        if size is None:
            raise missing(key, self.location)
        return size

    @property
    def near(self) -> bool:
        """Whether objects are read as quickly as they are asked for."""
        return self._place.near

    def stat(self, key: str) -> Stored | None:
        """What the store says of the object, None if it is not there."""
        return self._place.stat(key)

    def listed(self, prefix: str, after: str = "") -> Listing:
        """Every object whose key starts with `prefix` (ending in `/`), in the order of their keys
        if the store has one; behind the key `after`."""
        return Listing(self._place.pages(prefix, after))

    def every(self, prefix: str) -> Iterator[Kept]:
        """All objects whose key starts with `prefix` (ending in `/`). Raises Outside where the
        remote cannot list them all."""
        return self._place.every(prefix)

    def read(self, key: str) -> Iterator[bytes]:
        """The object's bytes as they come, not verified. Raises Missing."""
        return self._place.read(key)

    def read_range(self, key: str, start: int, length: int, etag: str = "") -> Buffer | None:
        """Bytes of a part, fewer at the object's end; None where the store has no ranges.

        With an `etag`, of that object only: Outside is raised for one that took its place.
        """
        return self._place.read_range(key, start, length, etag)

    def stream_range(self, key: str, start: int, length: int) -> Iterator[Buffer] | None:
        """Bytes of a part as they come: a large one needs no memory of its own."""
        return self._place.stream_range(key, start, length)

    def get_bytes(self, key: str, limit: int) -> bytes:
        """The whole object. Raises Missing, and Outside if it has more than `limit` bytes."""
        data = bytearray()
        for chunk in self._place.read(key):
            data += chunk
            if len(data) > limit:
                raise Outside(
                    f"the object `{key}` on {self.location} is larger than {numbered(limit, 'byte')}",
                    hint="it is not what it should be; tell the registry's owner",
                )
        return bytes(data)

    def put_bytes(self, key: str, data: bytes) -> None:
        """Write an object; readers see the old one or all of the new one."""
        self._place.write(key, iter((data,)), len(data))

    def put_file(
        self,
        key: str,
        path: Path,
        advance: Advance = lambda n: None,
        *,
        md5: str | None = None,
    ) -> Stored | None:
        """Write the file's bytes as an object. With `md5`, only if they have it: Outside is raised
        before readers could see any of them.

        Returns what the store says that it has if those are the very bytes, else None: not every
        store tells.
        """
        sending = Sending(path, md5, advance)
        said = self._place.write(key, sending.chunks(), sending.size)
        return said if sending.arrived(said) else None

    def put_chunks(self, key: str, chunks: Iterator[bytes], size: int) -> None:
        """Write `size` bytes as an object; none if `chunks` raises before its end."""
        self._place.write(key, chunks, size)

    def fetch(self, wanted: Wanted, advance: Advance, parts: Path | None = None) -> str:
        return fetch_one(self, wanted, advance, parts)

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is no error."""
        self._place.delete(key)
