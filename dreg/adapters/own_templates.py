"""Templates of one's own: a folder, or a git repository at a URL."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.git import public_url, revision
from dreg.errors import BadRequest

MOST_FILES, MOST_BYTES = 1000, 50_000_000
LOOKS_LIKE_URL = re.compile(r"[a-z][a-z0-9+.-]*://|[\w.-]+@[\w.-]+:|.*\.git$")
LAYOUT = "a template has the folders `pipelines/{{name}}/` and `data/{{name}}/`: dreg template show tabular"


@dataclass(frozen=True)
class OwnTemplate:
    """Its files by path, where it is, and of which commit, if it is in git."""

    files: dict[str, bytes]
    where: str
    commit: str | None


def read_own(where: str) -> OwnTemplate:
    """The template in a folder or at a git URL (its default branch, or what follows a `#`; nothing is
    checked out).

    Raises BadRequest for one that is not there, has links, or is far too large.
    """
    folder = Path(where).expanduser()
    if folder.is_dir() and not where.endswith(".git"):
        return OwnTemplate(_of_folder(folder), str(folder.absolute()), None)
    url, _, wanted = where.partition("#")
    if not LOOKS_LIKE_URL.match(url):
        raise BadRequest(
            f"there is no folder `{where}`", hint="name a folder or a git URL: --template DIR|URL"
        )
    at = revision(url, wanted or "HEAD")
    listed = at.blobs()
    if len(listed) > MOST_FILES:
        raise _too_large(public_url(where))
    paths = sorted(path for path in listed if _is_part(path))
    contents = at.contents([listed[path] for path in paths])
    return OwnTemplate(_checked(dict(zip(paths, contents, strict=True)), where), where, at.commit)


def _of_folder(folder: Path) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    size = 0
    for part in ("data", "pipelines"):
        for path in sorted((folder / part).rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.is_symlink():
                raise BadRequest(
                    f"the template has the link `{name}`", hint="put the file itself there"
                )
            if path.is_file() and _is_part(name):
                size += path.stat().st_size
                if len(files) == MOST_FILES or size > MOST_BYTES:
                    raise _too_large(str(folder))
                files[name] = path.read_bytes()
    return _checked(files, str(folder))


def _is_part(path: str) -> bool:
    parts = path.split("/")
    return parts[0] in ("data", "pipelines") and "__pycache__" not in parts


def _checked(files: dict[str, bytes], where: str) -> dict[str, bytes]:
    if not files:
        raise BadRequest(f"there is no template in `{where}`", hint=LAYOUT)
    return files


def _too_large(where: str) -> BadRequest:
    return BadRequest(
        f"`{where}` has more than {MOST_FILES:,} files or {MOST_BYTES // 1_000_000} MB",
        hint="name the template's own folder or repository",
    )
