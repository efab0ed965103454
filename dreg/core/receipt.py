"""What `fetch` placed in a folder, as `.dreg.json` in it: how changes made since are noticed."""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dreg.core.json_text import parse_json
from dreg.core.snapshot import File, Snapshot
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

    `protection` is empty where every file was verified by its checksum. `digest` is that of all that
    the release publishes, as dreg.lock has it; empty in what was placed before it was noted.
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
    digest: str = ""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(placed.size for placed in self.files.values())

    @property
    def published_digest(self) -> str | None:
        """`digest`; where it was not noted, that of the files; None if they don't tell it."""
        if self.digest or self.subset or not self.manifest:
            return self.digest or None
        listed = (File(path, p.size, p.md5, p.sha256) for path, p in self.files.items())
        return Snapshot.of(listed).published.digest()

    def to_text(self) -> str:
        """The JSON."""
        about = {"format": FORMAT, **vars(self), "files": None}
        # A line a file, by hand: json's indented form of 10,000 files takes a second.
        files = ",\n".join(
            f'  {json.dumps(path)}: {{"md5": "{placed.md5}", "mtime_ns": {placed.mtime_ns},'
            f' "sha256": "{placed.sha256}", "size": {placed.size}}}'
            for path, placed in sorted(self.files.items())
        )
        text = json.dumps(about, indent=1, sort_keys=True)
        return text.replace('"files": null', f'"files": {{\n{files}\n }}', 1) + "\n"

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
        if len(file.path) * 4 > LONGEST_NAME and any(
            len(part.encode()) > LONGEST_NAME for part in file.path.split("/")
        ):
            raise _unplaceable(f"a name of more than {LONGEST_NAME} bytes: {file.path[:80]!r}...")
        if why := _harmful(file.path):
            raise _unplaceable(f"{file.path[:200]!r}, {why}")
        folded = unicodedata.normalize("NFC", file.path).casefold()
        if folded in seen:
            one, other = seen[folded], file.path
            if unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other):
                raise _unplaceable(
                    f"{one!a} and {other!a}, which are one name in Unicode, written in two ways"
                )
            raise _unplaceable(
                f"{one!r} and {other!r}, which are one file where case does not count"
            )
        seen[folded] = file.path
    folders: dict[str, str] = {}
    for folded, path in seen.items():
        folder = folded.rpartition("/")[0]
        while folder and folder not in folders:
            folders[folder] = path
            folder = folder.rpartition("/")[0]
    for folder, path in folders.items():
        if folder in seen:
            raise _unplaceable(f"{seen[folder]!r} as a file and {path!r} below it")


def _harmful(path: str) -> str | None:
    """What a file of this name would do on some system, if not lie there as a file."""
    plain = path.isascii() and path.isprintable()
    if not plain and any(unicodedata.category(sign) in ("Cc", "Cs") for sign in path):
        return "with signs in it that a terminal obeys"
    folder, _, name = path.rpartition("/")
    return (_harmful_folder(folder) if folder else None) or harmful_name(name)


@functools.lru_cache(4096)
def _harmful_folder(path: str) -> str | None:
    return next((why for part in path.split("/") if (why := harmful_name(part))), None)


def harmful_name(part: str) -> str | None:
    """The same of a name without folders, by its letters."""
    # HFS+ leaves out what cannot be seen, Windows what a name ends in.
    name = part if part.isascii() else "".join(filter(_is_seen, part))
    name = name.casefold()
    if name.rstrip(". ") in GIT_FOLDERS:
        return "which git would take for a repository of its own"
    if DEVICE.fullmatch(name):
        return "which is a device on Windows"
    if part != part.rstrip(". "):
        return "which ends in a dot or a blank, and on Windows would lose it"
    return None


def _is_seen(sign: str) -> bool:
    return unicodedata.category(sign) != "Cf"


def _unplaceable(what: str) -> Refused:
    return Refused(
        f"the release lists {what}", hint="nothing was written; tell the registry's owner"
    )
