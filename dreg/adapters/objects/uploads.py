"""Writing to a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import obstore
from obstore.exceptions import BaseError
from obstore.store import HTTPStore, S3Store

from dreg.adapters.objects.failures import Failures

SMALL = 8 * 1024 * 1024


def upload(
    store: S3Store | HTTPStore, key: str, chunks: Iterator[bytes], size: int, failures: Failures
) -> None:
    """Write the object; readers see the old one or all of the new one."""
    try:
        if size <= SMALL:
            obstore.put(store, key, b"".join(chunks), use_multipart=False)
        else:
            obstore.put(store, key, chunks, chunk_size=SMALL)
    except FileNotFoundError as error:
        raise failures.no_bucket() from error
    except BaseError as error:
        raise failures.of(error) from error
