"""Files and tags of a repository, whichever it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.git.process import failure, git, start


@dataclass(frozen=True)
class Tag:
    """A tag on some repository: its own object and the commit it points to.

    `message` is None where only references were asked for; a lightweight tag has none either.
    """

    name: str
    object: str
    commit: str
    message: str | None = None

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


def tags_of(store: Path, prefix: str = "refs/tags/", pattern: str = "") -> Iterator[Tag]:
    form = "%(refname)%00%(objectname)%00%(*objectname)%00%(contents)%01"
    listed = git("for-each-ref", f"--format={form}", f"{prefix}{pattern}", cwd=store).decode(
        errors="replace"
    )
    for record in listed.split("\x01\n"):
        if record:
            reference, oid, commit, message = record.split("\0", 3)
            yield Tag(
                reference.removeprefix(prefix), oid, commit or oid, message if commit else None
            )
