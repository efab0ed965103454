"""Looking at CSV and TSV before Arrow reads them: what separates fields, and what would be misread."""

from __future__ import annotations

import csv
import re
import shlex
from pathlib import Path

from dreg.errors import BadRequest

DELIMITERS = ",;\t|"
QUOTED = re.compile(rb'"[^"]*"?')
PAGE = re.compile(rb"\s*<(!doctype html|html|head|body|\?xml)\b", re.IGNORECASE)
COMPRESSED = (b"\x1f\x8b", b"PK\x03\x04", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd")
UTF8_MARK = b"\xef\xbb\xbf"


def delimiter_of(path: Path, suffix: str) -> str:
    """What separates the fields: what the first line has the most of, outside of quotes."""
    if suffix == ".tsv":
        return "\t"
    head = QUOTED.sub(b"", beginning(path).lstrip().partition(b"\n")[0])
    return max(DELIMITERS, key=lambda sign: head.count(sign.encode()))


def beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(1 << 16)


def refuse_other_texts(path: Path) -> None:
    """Raises BadRequest for a page of the web, what is compressed, and texts whose letters have two bytes."""
    head = beginning(path)
    if PAGE.match(head.removeprefix(UTF8_MARK)):
        raise BadRequest(
            f"`{path.name}` is a page of the web, whatever its name says",
            hint="see in a browser what is there; if it wants a login, download the file: --from FILE",
        )
    if head.startswith(COMPRESSED):
        raise BadRequest(
            f"`{path.name}` is compressed, whatever its name says",
            hint="unpack it, and take what comes out: --from FILE",
        )
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise BadRequest(
            f"`{path.name}` is in UTF-16",
            hint=converted(path.name, "utf-16"),
        )


def converted(name: str, encoding: str) -> str:
    """A command that writes a text anew in UTF-8. What is neither that nor UTF-16 mostly comes from Windows,
    whose letters are those of Latin-1 and some more: quotes, dashes and the sign of the euro."""
    return f"convert it: iconv -f {encoding} -t utf-8 {shlex.quote(name)} > {shlex.quote(f'utf8-{name}')}"


def are_quoted(path: Path) -> bool:
    """Whether who wrote a TSV meant quotes as CSV does, which is seldom: its header has some, or there are two
    in a row, which stand for one, and none of them is odd."""
    if not beginning(path).removeprefix(UTF8_MARK).startswith(b'"'):
        with path.open("rb") as file:
            if not any(b'""' in line for line in file):
                return False
    return odd_quote(path, "\t") is None


def odd_quote(path: Path, delimiter: str) -> int | None:
    """The line of the first row in which a quote opens a value that does not end with one; None if
    all are as CSV has them. Readers take all up to some later quote for one value.
    """
    before = csv.field_size_limit(path.stat().st_size + 1)
    start = 1
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            try:
                for _ in rows:
                    start = rows.line_num + 1
            except csv.Error:
                return start
    finally:
        csv.field_size_limit(before)
    return None
