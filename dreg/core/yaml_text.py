"""Texts as YAML has them."""

from __future__ import annotations

import json

# Legal as they are in JSON, but not in YAML: control characters, line separators, the byte order
# mark, and what Unicode keeps for itself.
_UNPRINTABLE = (*range(0x7F, 0xA0), 0x2028, 0x2029, 0xFEFF, 0xFFFE, 0xFFFF)
_ESCAPES = {code: f"\\u{code:04x}" for code in _UNPRINTABLE}


def quoted(text: str) -> str:
    """`text` as a double-quoted YAML scalar on one line, whatever is in it."""
    return json.dumps(text, ensure_ascii=False).translate(_ESCAPES)
