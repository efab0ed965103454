"""A value of a sample in words, as a person can look for it."""

from __future__ import annotations

import json

import pyarrow as pa

from dreg.core.wording import numbered

LONGEST = 60


def value_texts(array: pa.Array) -> list[str]:
    """Each value on one short line; texts in quotes."""
    if pa.types.is_temporal(array.type) and not pa.types.is_duration(array.type):
        # Not through Python, which has no nanoseconds; times with a zone in UTC.
        zone = "Z" if getattr(array.type, "tz", None) else ""
        plain = array.cast(pa.timestamp(array.type.unit)) if zone else array
        texts = plain.cast(pa.string()).to_pylist()
        return ["null" if text is None else f"{text}{zone}" for text in texts]
    return [_told(value) for value in array.to_pylist()]


def _told(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str):
        return json.dumps(_short(value), ensure_ascii=False)
    if isinstance(value, bytes):
        return numbered(len(value), "byte")
    return _short(str(value))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
