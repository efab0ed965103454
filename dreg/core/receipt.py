"""What `fetch` placed in a folder, as `.dreg.json` in it: how changes made since are noticed."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from dreg.core.json_text import parse_json
from dreg.core.snapshot import File
from dreg.errors import Refused

FORMAT = 1
RECEIPT = ".dreg.json"
LONGEST_NAME = 255  # bytes; what ext4, xfs, APFS and NTFS all take
# Windows opens a device where such a name is written, whatever follows its first dot.
DEVICE = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])(?:[ .].*)?", re.S
)
GIT_FOLDERS = {".git", "git~1"}  # a repository there would be run by the next `git status`


@dataclass(frozen=True, slots=True)
class Placed:
    """One file as it was placed; while size and time are the same, it is not read again."""

    size: int
    mtime_ns: int
    md5: str
    sha256: str

    def is_(self, file: File) -> bool:
        """Whether these are the bytes of `file`."""
        same = (self.size, self.md5) == (file.size, file.md5)
        return same and file.sha256 in (None, self.sha256)


@dataclass(frozen=True)
class Receipt:
    """A release as it lies in a folder; `raw` if with its raw files, `subset` as text if a part.

    `protection` is empty where every file was verified by its checksum.
    """

    dataset: str
    version: str
    tag: str
    commit: str
    manifest: str | None
    raw: bool
    files: Mapping[str, Placed]
    subset: str = ""
    protection: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(placed.size for placed in self.files.values())

    def to_text(self) -> str:
        """The JSON."""
        return (
            json.dumps(
                {
                    "format": FORMAT,
                    **vars(self),
                    "files": {path: asdict(placed) for path, placed in self.files.items()},
                },
                indent=1,
                sort_keys=True,
            )
            + "\n"
        )

    @classmethod
    def parse(cls, text: bytes) -> Receipt | None:
        """The receipt in `text`; None if it is not one, so that nothing counts as placed."""
        try:
            data = parse_json(text)
            if data.pop("format") != FORMAT:
                return None
            files = {path: Placed(**placed) for path, placed in data.pop("files").items()}
            return cls(files=files, **data)
        except (AttributeError, KeyError, TypeError, ValueError):
            return None


def check_placeable(files: Iterable[File]) -> None:
    """Raises Refused for paths that cannot lie side by side on every file system."""
    seen: dict[str, str] = {}
    for file in files:
        if file.path == RECEIPT:
            raise _unplaceable(f"a file called `{RECEIPT}`, which is where dreg keeps its receipt")
        if any(len(part.encode()) > LONGEST_NAME for part in file.path.split("/")):
            raise _unplaceable(f"a name of more than {LONGEST_NAME} bytes: {file.path[:80]!r}...")
        if why := _harmful(file.path):
            raise _unplaceable(f"{file.path[:200]!r}, {why}")
        folded = unicodedata.normalize("NFC", file.path).casefold()
        if folded in seen:
            raise _unplaceable(
                f"{seen[folded]!r} and {file.path!r}, which are one file where case does not count"
            )
        seen[folded] = file.path
    for folded, path in seen.items():
        parts = folded.split("/")
        for end in range(1, len(parts)):
            if (parent := "/".join(parts[:end])) in seen:
                raise _unplaceable(f"{seen[parent]!r} as a file and {path!r} below it")


def _harmful(path: str) -> str | None:
    """What a file of this name would do on some system, if not lie there as a file."""
    if any(unicodedata.category(sign) in ("Cc", "Cs") for sign in path):
        return "with signs in it that a terminal obeys"
    for part in path.split("/"):
        # HFS+ leaves out what cannot be seen, Windows what a name ends in.
        name = "".join(sign for sign in part if unicodedata.category(sign) != "Cf").casefold()
        if name.rstrip(". ") in GIT_FOLDERS:
            return "which git would take for a repository of its own"
        if DEVICE.fullmatch(name):
            return "which is a device on Windows"
        if part != part.rstrip(". "):
            return "which ends in a dot or a blank, and on Windows would lose it"
    return None


def _unplaceable(what: str) -> Refused:
    return Refused(
        f"the release lists {what}", hint="nothing was written; tell the registry's owner"
    )
