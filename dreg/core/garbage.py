"""What nobody needs on a remote, and since when: marked first, deleted only later.

Objects that a garbage collection finds unneeded are written down on the remote with the moment. One that is
needed again is no longer marked; one that was marked long enough ago, and still is not needed, may go.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field

from dreg.core.json_text import parse_json
from dreg.core.remotes import object_key
from dreg.errors import BadRequest, Refused

FORMAT = 1
HOUR = 3600  # seconds
QUARANTINE = "dreg/quarantine.json"
QUARANTINE_LIMIT = 1 << 30  # bytes of its text
MANIFESTS = "dreg/manifests/sha256/"
ANNOUNCED = "dreg/announced/"  # manifests of releases that are just being made
SWEEPS = "dreg/sweeps/"  # garbage collections that are just deleting
MAKING = 7 * 24 * HOUR  # a release that was announced so long ago is not being made any more
MANIFEST = re.compile(rf"{MANIFESTS}([0-9a-f]{{2}})/([0-9a-f]{{62}})\.json")
ANNOUNCEMENT = re.compile(rf"{ANNOUNCED}([0-9a-f]{{64}})-[0-9a-f]+\.json")
MD5 = re.compile(rb"(?<![0-9a-f])([0-9a-f]{32})(\.dir)?(?![0-9a-f])")
AGE = re.compile(r"(\d{1,5})([dh]?)")


@dataclass(frozen=True)
class Quarantine:
    """Since when (seconds since 1970, UTC) objects are known to be unneeded, by key."""

    marks: Mapping[str, int] = field(default_factory=dict)

    @property
    def newest(self) -> int | None:
        return max(self.marks.values(), default=None)

    def to_bytes(self) -> bytes:
        """The JSON; equal quarantines have equal text."""
        value = {"format": FORMAT, "since": dict(sorted(self.marks.items()))}
        return (json.dumps(value, indent=0) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> Quarantine:
        """Raises Refused for what is not one: nothing may be deleted by it."""
        try:
            value = parse_json(data)
            if value["format"] != FORMAT:
                raise ValueError(f"format {value['format']!r}")
            marks = {str(key): at for key, at in value["since"].items()}
            if not all(type(at) is int for at in marks.values()):
                raise ValueError("a time that is no number of seconds")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Refused(
                f"`{QUARANTINE}` on the remote cannot be read ({type(error).__name__}: {error})",
                hint="nothing was deleted; remove it, and all that is unneeded is marked anew",
            ) from error
        return cls(marks)


@dataclass(frozen=True)
class Sorted:
    """The objects on a remote, by what is to become of them; sizes in bytes by key.

    `fresh` are to be marked, `waiting` are marked and not long enough, `due` may be deleted.
    `rescued` were marked and are needed again, or are gone.
    """

    needed: Mapping[str, int]
    fresh: Mapping[str, int]
    waiting: Mapping[str, int]
    due: Mapping[str, int]
    rescued: frozenset[str]


def sort(
    there: Mapping[str, int],
    needed: Set[str],
    quarantine: Quarantine,
    *,
    written: Mapping[str, int],
    now: int,
    older_than: int,
) -> Sorted:
    """What is to become of the objects that are `there`; only what was marked before may be due.

    `written` is when they were: what is there again since it was marked starts anew.
    All times are in seconds.
    """
    fresh, waiting, due = {}, {}, {}
    for key, size in there.items():
        if key in needed:
            continue
        since = quarantine.marks.get(key)
        if since is None:
            fresh[key] = size
        elif now - max(since, written.get(key, since)) >= older_than >= 0:
            due[key] = size
        else:
            waiting[key] = size
    unneeded = {*fresh, *waiting, *due}
    return Sorted(
        {key: size for key, size in there.items() if key not in unneeded},
        fresh,
        waiting,
        due,
        frozenset(quarantine.marks.keys() - waiting.keys() - due.keys()),
    )


def in_order(keys: Iterable[str]) -> list[str]:
    """In which order to delete: what names others goes before what it names."""
    return sorted(keys, key=lambda key: (not key.endswith(".dir"), key))


def md5s_in(text: bytes) -> Iterator[str]:
    """Every MD5 that is written in a text, of a folder's object with `.dir`.

    Whatever it is the MD5 of: a lock that no parser can read still keeps what it names.
    """
    for match in MD5.finditer(text):
        yield (match[1] + (match[2] or b"")).decode()


def keys_of(md5s: Iterable[str]) -> set[str]:
    """Where objects with these MD5s lie."""
    return {object_key(md5) for md5 in md5s}


def parse_age(text: str) -> int:
    """Seconds of `14d`, `36h` or `14` (days). Raises BadRequest."""
    match = AGE.fullmatch(text.strip())
    if match is None:
        raise BadRequest(f"`{text}` is not an age", hint="days or hours: --older-than 14d")
    number = int(match[1])
    return number * (HOUR if match[2] == "h" else 24 * HOUR)


def is_lock(path: str) -> bool:
    """Whether the file at `path` says which objects are needed."""
    name = path.rsplit("/", 1)[-1]
    return name in ("dvc.lock", "dreg.lock") or name.endswith(".dvc")
