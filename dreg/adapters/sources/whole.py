"""A file whose size and checksum nobody knows beforehand, read whole and in one go."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import requests

from dreg.adapters.sources.cache import CHUNK
from dreg.adapters.sources.http import (
    CONNECT_SECONDS,
    READ_SECONDS,
    declined,
    told_apart,
)


def whole(session: requests.Session, url: str) -> Iterator[bytes]:
    """The bytes at `url`, all that its server announced. Raises Unavailable or Interrupted saying why not."""
    with answered(session, url) as answer:
        yield from content(answer)


@contextmanager
def answered(session: requests.Session, url: str) -> Iterator[requests.Response]:
    """The answer's head, after redirects; its content is yet to come. Raises as `whole`."""
    headers = {"Accept-Encoding": "identity"}
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    with (
        told_apart(),
        session.get(url, headers=headers, timeout=timeout, stream=True) as answer,
    ):
        if answer.status_code != requests.codes.ok:
            raise declined(answer)
        yield answer


def content(answer: requests.Response) -> Iterator[bytes]:
    """Its bytes, within the block of `answered`."""
    while chunk := answer.raw.read(CHUNK, decode_content=False):  # which counts what was announced
        yield chunk
