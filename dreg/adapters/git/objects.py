"""Files and tags of a repository, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.git.process import failure, git, start


@dataclass(frozen=True)
class Tag:
    """A tag on some repository: its own object and the commit it points to.

    `message`, `tagger` and `date` (ISO 8601) are None where only references were asked for; a
    lightweight tag has none either.
    """

    name: str
    object: str
    commit: str
    message: str | None = None
    tagger: str | None = None
    date: str | None = None

    @property
    def annotated(self) -> bool:
        return self.object != self.commit


def read(
    store: Path, commit: str, path: str, environment: Mapping[str, str] | None = None
) -> bytes | None:
    done = start(["cat-file", "blob", f"{commit}:{path}"], store, environment=environment)
    if done.returncode == 0:
        return done.stdout
    stderr = done.stderr.decode(errors="replace")
    if (
        "does not exist" in stderr
        or "exists on disk, but not in" in stderr
        or "not a valid object name" in stderr.lower()
        or "bad file" in stderr.lower()
    ):
        return None
    raise failure(["cat-file"], stderr)


def files(
    store: Path, commit: str, path: str, environment: Mapping[str, str] | None = None
) -> list[str]:
    arguments = ("ls-tree", "-r", "-z", "--name-only", commit, "--", path)
    listed = git(*arguments, cwd=store, environment=environment)
    return [name.decode() for name in listed.split(b"\0") if name]


def tags_of(
    store: Path, prefix: str = "refs/tags/", patterns: Sequence[str] = ("",)
) -> Iterator[Tag]:
    fields = (  # none of them can have a NUL in it, whoever wrote the message
        "refname",
        "objectname",
        "*objectname",
        "taggername",
        "taggerdate:iso-strict",
        "contents",
    )
    form = "".join(f"%({field})%00" for field in fields)
    wanted = [f"{prefix}{pattern}" for pattern in patterns]
    listed = git("for-each-ref", f"--format={form}", *wanted, cwd=store).decode(errors="replace")
    values = iter(listed.split("\0")[:-1])
    for reference, oid, commit, tagger, date, message in zip(*[values] * len(fields), strict=True):
        name = reference.removeprefix("\n").removeprefix(prefix)
        yield Tag(name, oid, commit, message, tagger, date) if commit else Tag(name, oid, oid)


def blobs(
    store: Path, commit: str, path: str = "", environment: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Path and object id of every file below the folder `path`, links and submodules left out."""
    arguments = ["ls-tree", "-r", "-z", commit, *(["--", path] if path else [])]
    found = {}
    for line in git(*arguments, cwd=store, environment=environment).split(b"\0"):
        about, _, name = line.decode(errors="surrogateescape").partition("\t")
        if about.startswith("100"):
            found[name] = about.split(" ")[2]
    return found


def contents(store: Path, oids: Sequence[str], environment: Mapping[str, str]) -> list[bytes]:
    """The bytes of blobs, by one process."""
    if not oids:
        return []
    asked = "".join(f"{oid}\n" for oid in oids).encode()
    said = git("cat-file", "--batch", cwd=store, stdin=asked, environment=environment)
    found, at = [], 0
    for _ in oids:
        end = said.index(b"\n", at)
        size = int(said[at:end].split(b" ")[2])
        found.append(said[end + 1 : end + 1 + size])
        at = end + 1 + size + 1
    return found
