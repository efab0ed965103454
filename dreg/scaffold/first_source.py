"""The first source of a new dataset: a file at a URL, or one that is here; and what can be told from it."""

from __future__ import annotations

import hashlib
import re
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
from dreg.adapters.scratch import scratch_folder
from dreg.core.inferred import name_in_yaml
from dreg.core.receipt import harmful_name
from dreg.core.secrets import without_secrets
from dreg.core.sources.called import called
from dreg.core.wording import numbered
from dreg.errors import BadRequest
from dreg.scaffold.looking import DOCUMENTS, First, Told, looked_at

ENDINGS_OF = {
    "tabular": TABLES,
    "text": TABLES,
    "image": (".zip",),
    "vlm": (".zip",),
    "documents": DOCUMENTS,
}
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
    found = fetched(url, Cache.of_user())
    own = unquote(parts.path.rpartition("/")[2])
    name = called([url, found.url], found.headers, ENDINGS_OF[kind]) or file_name(own)
    with scratch_folder() as scratch:
        path = scratch / name  # in the cache it is called by its checksum
        path.symlink_to(found.path.absolute())
        first = First(name, path, found.sha256, found.size, f"http: {name_in_yaml(url)}")
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
        taken: set[str] = set()
        notes: list[str] = []
        notes += left_out(place, kind, paths)
        for path in paths:
            if path.name.startswith((".", "-")):
                raise BadRequest(f"`{path.name}` begins with a sign", hint="rename it")
            name = file_name(path.name)
            sha256, size = checksum(path)
            if name.lower() in taken:
                raise BadRequest(
                    f"two files would be called `{name}`, where case does not count",
                    hint="rename one of them",
                )
            taken.add(name.lower())
            if size <= LARGEST_IN_GIT:
                mirror = f"file: source/{name}"
                files[f"source/{name}"] = path.read_bytes()
            else:
                mirror = f"local: {name}"
                remember(path, sha256, size)
                notes.append(
                    f"{name} is too large for git: `dreg run` finds it in the download cache here, elsewhere "
                    f"below the folder that DREG_MIRROR names; add a mirror to "
                    f"{'sources' if kind == 'documents' else 'params'}.yaml"
                )
            firsts.append(First(name, path, sha256, size, mirror))
        told = looked_at(firsts, kind)
    return Told(told.answers, files, (*told.notes, *notes))


@contextmanager
def files_of(place: Path, kind: str) -> Iterator[list[Path]]:
    """The files that are meant; a folder of images as one archive."""
    if place.is_dir() and kind in ("image", "vlm"):
        with scratch_folder() as scratch:
            archive = scratch / f"{file_name(place.resolve().name)}.zip"
            with archive.open("xb") as file:
                (zipped if kind == "image" else captioned)(place, file)
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


def checksum(path: Path) -> tuple[str, int]:
    """Its SHA-256 and its bytes, however many they are."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest(), file.tell()


def remember(path: Path, sha256: str, size: int) -> None:
    """Keep a file in the download cache, as if it had been fetched. Raises BadRequest if it changes meanwhile."""
    from dreg.adapters.sources import Cache
    from dreg.adapters.sources.cache import chunks
    from dreg.adapters.sources.unavailable import Mismatch

    cache = Cache.of_user()
    try:
        with cache.locked(sha256), path.open("rb") as file:
            cache.keep(sha256, size, chunks(file))
    except Mismatch as error:
        raise BadRequest(
            f"`{path}` changed while it was read", hint="the same again, once it is written"
        ) from error


def refuse_kind(kind: str) -> None:
    """Raises BadRequest for a kind whose sources cannot be looked at."""
    if kind not in ENDINGS_OF:
        raise BadRequest(
            f"a dataset of kind {kind} starts with its sample",
            hint=f"without --source and --from; they are for {', '.join(ENDINGS_OF)}",
        )


def file_name(name: str) -> str:
    """`name` with only what is safe in a path and in YAML. Raises BadRequest when nothing is left."""
    plain = ODD.sub("-", name).strip("-.")
    if harmful := harmful_name(plain):
        raise BadRequest(f"the source is called `{plain}`, {harmful}", hint="rename the file")
    if not plain:
        raise BadRequest("the source has no file name", hint="name the file itself")
    if "." in name and "." not in plain:
        raise BadRequest(
            f"`{name}` has no letter or digit of ASCII before its ending", hint="rename the file"
        )
    return plain
