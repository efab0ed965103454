"""What the file at an address is called: by its address, or else by what its server says of it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from email.message import Message
from urllib.parse import unquote, urlsplit

from dreg.core.receipt import harmful_name

LONGEST = 100  # signs before the ending; a server may send as many as it likes
ODD = re.compile(r"[^A-Za-z0-9._-]+")
TYPES = {
    "application/csv": ".csv",
    "application/jsonl": ".jsonl",
    "application/ndjson": ".ndjson",
    "application/parquet": ".parquet",
    "application/vnd.apache.parquet": ".parquet",
    "application/x-ndjson": ".ndjson",
    "application/x-parquet": ".parquet",
    "application/x-zip-compressed": ".zip",
    "application/zip": ".zip",
    "text/csv": ".csv",
    "text/markdown": ".md",
    "text/tab-separated-values": ".tsv",
}


def called(urls: Sequence[str], headers: Mapping[str, str], read: Sequence[str]) -> str:
    """The file's name, plain enough for a path on any system and for YAML.

    `urls` are the address that was asked and the one that answered, `headers` of its answer, `read` the
    endings of what can be read. The first name with one of those counts, in the order address,
    Content-Disposition, address that answered; else Content-Type gives an ending. Empty if nothing names it.
    """
    first, *others = [unquote(urlsplit(url).path.rpartition("/")[2]) for url in urls]
    names = [_plain(name) for name in (first, *_announced(headers), *others)]
    for name in names:
        if name.lower().endswith(tuple(read)):
            return name
    ending = TYPES.get(headers.get("Content-Type", "").partition(";")[0].strip().lower(), "")
    name = next(filter(None, names), "")
    return f"{name or 'data'}{ending}" if ending in read else name


def _announced(headers: Mapping[str, str]) -> Iterator[str]:
    """The names in Content-Disposition, that in any script before its replacement in ASCII; of a path its end."""
    message = Message()
    message["Content-Disposition"] = re.sub(r"[\r\n]+", " ", headers.get("Content-Disposition", ""))
    given = message.get_params(failobj=[], header="Content-Disposition")
    names = [value for key, value in given[1:] if key.lower() == "filename"]
    for name in sorted(names, key=lambda name: isinstance(name, str)):
        text = name if isinstance(name, str) else _decoded(*name)
        yield re.split(r"[/\\]", text)[-1]


def _decoded(charset: str | None, _: str | None, text: str) -> str:
    try:
        return text.encode("latin-1").decode(charset or "utf-8", "replace")
    except (LookupError, UnicodeError):
        return ""


def _plain(name: str) -> str:
    """With only what is safe anywhere; empty if nothing is left before its ending."""
    plain = ODD.sub("-", name).strip("-.")
    stem, dot, ending = plain.rpartition(".")
    if ("." in name and not dot) or (dot and not stem.strip("-.")):
        return ""
    plain = f"{stem[:LONGEST]}{dot}{ending[:LONGEST]}"
    return f"data-{plain}" if harmful_name(plain) else plain
