"""Writing to a bucket."""

from __future__ import annotations

from collections.abc import Iterator

import obstore
from obstore.exceptions import BaseError
from obstore.store import AzureStore, GCSStore, HTTPStore, S3Store

from dreg.adapters.objects.failures import Failures
from dreg.core.stored import PART, part_size

PARTS_IN_FLIGHT = 4  # of one object, each in memory


def upload(
    store: S3Store | GCSStore | AzureStore | HTTPStore,
    key: str,
    chunks: Iterator[bytes],
    size: int,
    failures: Failures,
) -> str:
    """Write the object; readers see the old one or all of the new one. Returns its ETag.

    What `chunks` raises ends the upload, and leaves nothing.
    """
    try:
        if size <= PART:
            said = obstore.put(store, key, b"".join(chunks), use_multipart=False)
        else:
            said = obstore.put(
                store, key, chunks, chunk_size=part_size(size), max_concurrency=PARTS_IN_FLIGHT
            )
    except FileNotFoundError as error:
        raise failures.no_bucket() from error
    except BaseError as error:
        raise failures.of(error) from error
    return (said["e_tag"] or "").strip('"')
