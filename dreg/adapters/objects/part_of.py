"""Parts of one object, as far as it can be told without all of its bytes that it is the right one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dreg.adapters.objects.checksums import corrupt
from dreg.adapters.objects.patience import patiently
from dreg.adapters.objects.place import Advance, Buffer, missing
from dreg.errors import Outside

if TYPE_CHECKING:
    from dreg.adapters.objects.store import Store
    from dreg.adapters.objects.transfer import Wanted


class PartsOf:
    """The object, which is not read as a whole; every part comes from the same one.

    `protection` is `etag` where the store's own checksum of it is the released one, else `size`:
    objects that were uploaded in several parts, or encrypted with a key of the customer's, have none.
    Raises Missing, and Corrupt for an object of another size or checksum.
    """

    def __init__(self, store: Store, wanted: Wanted, advance: Advance) -> None:
        found = patiently(lambda: store.stat(wanted.key))
        if found is None:
            raise missing(wanted.key, store.location)
        if found.size != wanted.size:
            raise corrupt(wanted.called, store.location, "size", wanted.size, found.size)
        if found.md5 is not None and not wanted.unix and found.md5 != wanted.md5:
            raise corrupt(wanted.called, store.location, "md5", wanted.md5, found.md5)
        self.protection = "etag" if found.md5 == wanted.md5 else "size"
        self._store, self._wanted, self._etag = store, wanted, found.etag
        self._advance = advance

    def read(self, start: int, length: int) -> Buffer:
        """Some bytes. Raises Outside where there are no parts to be had, or the object was replaced."""
        store, wanted = self._store, self._wanted
        data = patiently(lambda: store.read_range(wanted.key, start, length, self._etag))
        if data is None:
            raise Outside(
                f"{store.location} gives objects only as a whole",
                hint="fetch whole files: leave out --columns",
            )
        if len(data) != length:
            raise corrupt(wanted.called, store.location, "size", wanted.size, start + len(data))
        self._advance(len(data))
        return data
