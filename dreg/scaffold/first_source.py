"""The first source of a new dataset: a file at a URL, or one that is here; and what can be told from it."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dreg.adapters.image_files import CAPTIONS, ENDINGS, is_image
from dreg.adapters.inferring.images import (
    captioned,
    captioned_below,
    files_below,
    images_below,
    members_of,
    zipped,
)
from dreg.adapters.inferring.tables import TABLES
from dreg.core.inferred import name_in_yaml
from dreg.core.secrets import without_secrets
from dreg.core.wording import numbered
from dreg.errors import BadRequest
from dreg.scaffold.looking import DOCUMENTS, First, Told, looked_at

KINDS = ("tabular", "text", "image", "vlm", "documents")
READ = {
    "image": f"files in CLASS/NAME of {', '.join(ENDINGS)}",
    "vlm": "captions.json and files in images/",
    "documents": f"files in the folder itself, of {', '.join(DOCUMENTS)}",
    **dict.fromkeys(("tabular", "text"), f"files in the folder itself, of {', '.join(TABLES)}"),
}
LARGEST_IN_GIT = 1_000_000  # bytes; what is larger stays out of the registry's history
ODD = re.compile(r"[^A-Za-z0-9._-]+")


def from_url(url: str, kind: str) -> Told:
    """Fetch what is at `url`, once, and look at it. Raises BadRequest, Outside."""
    from dreg.adapters.sources import Cache
    from dreg.adapters.sources.first import fetched

    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.password:
        raise BadRequest(
            f"`{parts.scheme}://{parts.hostname or ''}` is no address for a source",
            hint="use http:// or https://, without a password; a file: --from FILE",
        )
    refuse_kind(kind)
    name = file_name(unquote(parts.path.rpartition("/")[2]))
    path, sha256, size = fetched(url, Cache.of_user())
    with tempfile.TemporaryDirectory(prefix="dreg-source-") as scratch:
        called = Path(scratch) / name  # in the cache it is called by its checksum
        called.symlink_to(path.absolute())
        first = First(name, called, sha256, size, f"http: {name_in_yaml(url)}")
        told = looked_at([first], kind)
    if without_secrets(url) == url:
        return told
    key = (
        "the address has what looks like a key, and is going to be in git with params.yaml: take it out "
        "there, or download the file and use --from FILE"
    )
    return Told(told.answers, told.files, (*told.notes, key))


def from_file(given: str, kind: str) -> Told:
    """Look at a file, or a folder of them, that is here. Raises BadRequest."""
    place = Path(given).expanduser()
    if not place.exists():
        raise BadRequest(f"there is no `{given}`", hint="name a file or a folder: --from FILE")
    if not place.is_dir() and not place.is_file():  # what never ends is read for ever
        raise BadRequest(
            f"`{given}` is neither a file nor a folder", hint="write it to a file: --from FILE"
        )
    refuse_kind(kind)
    with files_of(place, kind) as paths:
        files: dict[str, bytes] = {}
        firsts: list[First] = []
        notes: list[str] = []
        notes += left_out(place, kind, paths)
        for path in paths:
            if path.name.startswith((".", "-")):
                raise BadRequest(f"`{path.name}` begins with a sign", hint="rename it")
            name, content = file_name(path.name), path.read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            if name.lower() in {first.name.lower() for first in firsts}:
                raise BadRequest(
                    f"two files would be called `{name}`, where case does not count",
                    hint="rename one of them",
                )
            if len(content) <= LARGEST_IN_GIT:
                mirror = f"file: source/{name}"
                files[f"source/{name}"] = content
            else:
                mirror = f"local: {name}"
                remember(sha256, content)
                notes.append(
                    f"{name} is too large for git: `dreg run` finds it in the download cache here, elsewhere "
                    f"below the folder that DREG_MIRROR names; add a mirror to "
                    f"{'sources' if kind == 'documents' else 'params'}.yaml"
                )
            firsts.append(First(name, path, sha256, len(content), mirror))
        told = looked_at(firsts, kind)
    return Told(told.answers, files, (*told.notes, *notes))


@contextmanager
def files_of(place: Path, kind: str) -> Iterator[list[Path]]:
    """The files that are meant; a folder of images as one archive."""
    if place.is_dir() and kind in ("image", "vlm"):
        with tempfile.TemporaryDirectory(prefix="dreg-images-") as scratch:
            archive = Path(scratch) / f"{file_name(place.resolve().name)}.zip"
            archive.write_bytes(zipped(place) if kind == "image" else captioned(place))
            yield [archive]
    elif place.is_dir():
        what, suffixes = ("document", DOCUMENTS) if kind == "documents" else ("table", TABLES)
        files = (path for path in place.iterdir() if path.is_file())
        found = sorted(path for path in files if path.suffix.lower() in suffixes)
        if not found:
            raise BadRequest(
                f"`{place}` has no {what}", hint=f"files of {', '.join(suffixes)} are read"
            )
        yield found
    else:
        yield [place]


def left_out(place: Path, kind: str, taken: list[Path]) -> Iterator[str]:
    """What is told of files in a folder or an archive that nobody reads, if there are any."""
    if place.is_dir():
        below = {"image": images_below, "vlm": captioned_below}
        read = set(below[kind](place) if kind in below else taken)
        others = [p.relative_to(place).as_posix() for p in files_below(place) if p not in read]
    elif kind == "image":
        others = [name for name in members_of(place) if not is_image(name)]
    elif kind == "vlm":
        others = [n for n in members_of(place) if n != CAPTIONS and not n.startswith("images/")]
    else:
        return
    if others:
        some = ", ".join(others[:3])
        more = ", ..." if len(others) > 3 else ""
        yield f"{numbered(len(others), 'file')} left out: {some}{more} (read are {READ[kind]})"


def remember(sha256: str, content: bytes) -> None:
    """Keep a file in the download cache, as if it had been fetched."""
    from dreg.adapters.sources import Cache

    cache = Cache.of_user()
    with cache.locked(sha256):
        cache.keep(sha256, len(content), [content])


def refuse_kind(kind: str) -> None:
    """Raises BadRequest for a kind whose sources cannot be looked at."""
    if kind not in KINDS:
        raise BadRequest(
            f"a dataset of kind {kind} starts with its sample",
            hint=f"without --source and --from; they are for {', '.join(KINDS)}",
        )


def file_name(name: str) -> str:
    """`name` with only what is safe in a path and in YAML. Raises BadRequest when nothing is left."""
    plain = ODD.sub("-", name).strip("-.")
    if not plain:
        raise BadRequest("the source has no file name", hint="name the file itself")
    if "." in name and "." not in plain:
        raise BadRequest(
            f"`{name}` has no letter or digit of ASCII before its ending", hint="rename the file"
        )
    return plain
