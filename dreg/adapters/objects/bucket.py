"""Objects in one bucket, or below one URL, through obstore."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import (
    BaseError,
    NotSupportedError,
    PreconditionError,
)
from obstore.store import AzureStore, GCSStore, HTTPStore, S3Store

from dreg.adapters.objects.failures import Failures, is_forbidden, is_without_bucket
from dreg.adapters.objects.place import CHUNK, PAGE, Buffer, Kept, Page, missing, unlistable
from dreg.adapters.objects.uploads import upload
from dreg.core.stored import Stored
from dreg.errors import DregError, Outside

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult, ObjectMeta


SECOND = 1_000_000_000  # nanoseconds
SOME = 256 * 1024  # bytes; smaller ones cost more calls, larger ones a copy more


class Bucket:
    """Objects in one bucket, or below one URL."""

    near = False

    def __init__(
        self, store: S3Store | GCSStore | AzureStore | HTTPStore, failures: Failures
    ) -> None:
        self.location = failures.location
        self.identity = failures.identity
        self._store = store
        self._failures = failures

    def stat(self, key: str) -> Stored | None:
        try:
            return self._stored(obstore.head(self._store, key))
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise self._failures.of(error) from error

    def pages(self, prefix: str, after: str = "") -> Iterator[Page | None]:
        if isinstance(self._store, HTTPStore):
            yield None
            return
        try:
            for page in obstore.list(self._store, prefix, offset=after or None, chunk_size=PAGE):
                yield [(one["path"], self._stored(one)) for one in page]
        except FileNotFoundError as error:
            raise self._failures.no_bucket() from error
        except BaseError as error:
            if is_forbidden(error):
                yield None  # who may read and write single objects need not be allowed to list
            else:
                raise self._failures.of(error) from error

    def every(self, prefix: str) -> Iterator[Kept]:
        if isinstance(self._store, HTTPStore):
            raise unlistable(self.location)
        try:
            for page in obstore.list(self._store, prefix, chunk_size=PAGE):
                for one in page:
                    yield Kept(one["path"], one["size"], one["last_modified"])
        except FileNotFoundError as error:
            raise self._failures.no_bucket() from error
        except BaseError as error:
            if is_forbidden(error):
                raise unlistable(self.location) from error
            raise self._failures.of(error) from error

    def _stored(self, meta: ObjectMeta) -> Stored:
        """Only S3 says what an ETag is; a web server's may be anything."""
        etag = "" if isinstance(self._store, HTTPStore) else meta["e_tag"] or ""
        at = (
            int(meta["last_modified"].timestamp()) * SECOND
        )  # a listing may have fractions, a HEAD not
        return Stored(meta["size"], etag.strip('"'), at)

    def read(self, key: str) -> Iterator[bytes]:
        try:
            found = obstore.get(self._store, key)
            if found.meta["size"] <= CHUNK:
                yield found.bytes().to_bytes()
            else:
                yield from found.stream(min_chunk_size=CHUNK)
        except (FileNotFoundError, BaseError) as error:
            raise self._unread(key, error) from error

    def read_range(self, key: str, start: int, length: int, etag: str = "") -> Buffer | None:
        if length == 0:
            return b""  # there is no way to ask for nothing
        try:
            if etag:
                only: GetOptions = {"range": (start, start + length), "if_match": f'"{etag}"'}
                return memoryview(obstore.get(self._store, key, options=only).bytes().to_bytes())
            return memoryview(obstore.get_range(self._store, key, start=start, length=length))
        except NotSupportedError:
            return None
        except PreconditionError as error:
            raise Outside(
                f"the object `{key}` on {self.location} was replaced while it was read",
                hint="objects of releases never change; tell the registry's owner",
            ) from error
        except (FileNotFoundError, BaseError) as error:
            raise self._unread(key, error) from error

    def stream_range(self, key: str, start: int, length: int) -> Iterator[Buffer] | None:
        asked: GetOptions = {"range": (start, start + length)}
        try:
            return self._chunks(key, obstore.get(self._store, key, options=asked))
        except NotSupportedError:
            return None
        except (FileNotFoundError, BaseError) as error:
            raise self._unread(key, error) from error

    def _chunks(self, key: str, found: GetResult) -> Iterator[Buffer]:
        """As they came from the network, so that large ones need no memory of their own."""
        try:
            for chunk in found.stream(min_chunk_size=SOME):
                yield memoryview(chunk)
        except (FileNotFoundError, BaseError) as error:
            raise self._unread(key, error) from error

    def _unread(self, key: str, error: FileNotFoundError | BaseError) -> DregError:
        if isinstance(error, BaseError):
            return self._failures.of(error)
        if is_without_bucket(str(error)):
            return self._failures.no_bucket()
        return missing(key, self.location)

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> Stored | None:
        etag = upload(self._store, key, chunks, size, self._failures)
        return Stored(size, etag) if isinstance(self._store, S3Store) else None

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise self._failures.of(error) from error
