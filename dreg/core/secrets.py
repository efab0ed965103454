"""What must not be shown, nor written where others read it: keys, tokens, passwords in addresses.

Told by the name that a text goes by, by its being in the environment under such a name, and, where it
would be written, by what it looks like. It is a last line: files in git, from which such texts would
come, should have none.
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
# The folders that every shell names, and names of files, whatever is in those.
_PLACE = re.compile(r"(?:old)?pwd|.*[._\-](?:file|path|dir)", re.IGNORECASE)
# Users and passwords in URLs; in those of other schemes than http a user alone is no secret.
_CREDENTIALS = re.compile(
    r"(https?://)[^/@?#\s\"'`]*@|([a-z][a-z0-9+.-]*://[^/:@?#\s\"'`]*):[^/@?#\s\"'`]*(?=@)"
)
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


def secrets_in(environment: Mapping[str, str]) -> frozenset[str]:
    """What an environment holds under a name that says it is a secret."""
    return frozenset(
        value
        for name, value in environment.items()
        if len(value) >= SHORTEST and SECRET_NAME.search(name) and not _PLACE.fullmatch(name)
    )


def without_known(text: str, known: Collection[str]) -> str:
    """The text without credentials in addresses, and with the secrets in `known` withheld."""
    for secret in known:
        text = text.replace(secret, WITHHELD)
    return without_credentials(text)


def without_credentials(text: str) -> str:
    """The text without users and passwords in addresses, as far as those are secrets."""
    return _CREDENTIALS.sub(lambda match: match[1] or match[2], text)


def without_secrets(value: Any, known: Collection[str] = ()) -> Any:
    """`value` in JSON's types, with what looks like a secret withheld.

    `known` are secrets by their text. Numbers that JSON doesn't have, and dates, become text.
    """
    return _clean(value, known)


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
    text = _QUERY.sub(rf"\g<1>{WITHHELD}", without_known(text, secrets))
    return _LOOKS_SECRET.sub(WITHHELD, text)
