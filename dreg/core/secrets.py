"""What must not be written where others read it: keys, tokens, and passwords in addresses.

Told by the name that a text goes by, and by what it looks like. It is a last line: files in git, from
which such texts would come, should have none.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

WITHHELD = "(withheld)"
SHORTEST = 8  # of a text that is looked for in others; `dev` as a password would be everywhere

_KEYS = "access|account|api|auth|encryption|license|master|private|secret|service|session|signing|storage"
SECRET_NAME = re.compile(
    rf"(?:^|[._\-])(?:pass(?:word|wd|phrase)?|pwd|secrets?|(?:{_KEYS})[_\-]?keys?|tokens?|credentials?"
    r"|authorization|bearer|cookie|(?:connection|conn)[_\-]?str(?:ing)?|dsn)(?:$|[._\-])",
    re.IGNORECASE,
)
_IN_URL = re.compile(r"(?<=://)[^/\s@'\"]+@")
_QUERY = re.compile(
    r"([?&](?:[\w.\-]*(?:sig|signature|token|key|secret|credential|password|auth)[\w.\-]*)=)[^&\s'\"#]+",
    re.IGNORECASE,
)
_LOOKS_SECRET = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{16}\b"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|hf_|npm_|pypi-|sk-|sk_live_|xox[abprs]-)[0-9A-Za-z_\-]{16,}"
    r"|\bAIza[0-9A-Za-z_\-]{35}"
    r"|\beyJ[0-9A-Za-z_\-]+\.[0-9A-Za-z_\-]+\.[0-9A-Za-z_\-]+"
)


def without_secrets(value: Any, known: Collection[str] = ()) -> Any:
    """`value` in JSON's types, with what looks like a secret withheld.

    `known` are secrets by their text. Numbers that JSON doesn't have, and dates, become text.
    """
    secrets = [text for text in known if len(text) >= SHORTEST]
    return _clean(value, secrets)


def _clean(value: Any, secrets: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return {
            _text(str(key), secrets): WITHHELD
            if _is_secret(str(key), item)
            else _clean(item, secrets)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_clean(item, secrets) for item in value]
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _text(str(value), secrets)


def _is_secret(name: str, value: Any) -> bool:
    """Whether a value of that name is one: `max_tokens: 512` isn't."""
    return bool(SECRET_NAME.search(name)) and not isinstance(value, bool | int | float | None)


def _text(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        text = text.replace(secret, WITHHELD)
    text = _QUERY.sub(rf"\g<1>{WITHHELD}", _IN_URL.sub("", text))
    return _LOOKS_SECRET.sub(WITHHELD, text)
