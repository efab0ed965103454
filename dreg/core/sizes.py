"""Sizes as people write them."""

from __future__ import annotations

import re

from dreg.errors import BadRequest

SIZE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)\s*([kMGT]?)(i?)B?", re.IGNORECASE)
POWERS = " kmgt"


def parse_size(text: str) -> int:
    """Bytes of `50G`, `500 MB`, `1.5TiB`: powers of 1000, or of 1024 with an `i`. Raises BadRequest."""
    match = SIZE.fullmatch(text.strip())
    if match is None:
        raise BadRequest(f"`{text}` is no size", hint="write it as 50G, 500MB or 1.5TiB")
    number, unit, binary = match.groups()
    return int(float(number) * (1024 if binary else 1000) ** POWERS.index(unit.lower() or " "))
