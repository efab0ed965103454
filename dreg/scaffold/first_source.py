"""The first source of a new dataset: a file at a URL, or one that is here; and what can be told from it."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dreg.adapters.github.repositories import git_hash
from dreg.adapters.inferring import (
    TABLES,
    captioned,
    captions_in,
    delimiter_of,
    images_in,
    seen,
    table_of,
    zipped,
)
from dreg.core.inferred import contract_lines, key_of, label_of, name_in_yaml
from dreg.errors import BadRequest

KINDS = ("tabular", "text", "image", "vlm", "documents")
DOCUMENTS = (".md", ".markdown")
LARGEST_IN_GIT = 1_000_000  # bytes; what is larger stays out of the registry's history
ODD = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class First:
    """A source: its name below `raw/`, where its bytes are now, and the mirror that has it."""

    name: str
    path: Path
    sha256: str
    size: int
    mirror: str

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()

    def lines(self) -> Iterator[str]:
        """Its entry in params.yaml."""
        yield f"  {name_in_yaml(self.name)}:"
        yield f"    sha256: {self.sha256}"
        yield f"    size: {self.size}"
        yield "    mirrors:"
        yield f"      - {self.mirror}"


@dataclass(frozen=True)
class Told:
    """Answers for the template, files to put into the pipeline's folder, and what to tell the user."""

    answers: dict[str, str | None]
    files: dict[str, bytes]
    notes: tuple[str, ...] = ()


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
    first = First(name, path, sha256, size, f"http: {name_in_yaml(url)}")
    return looked_at([first], kind)


def from_file(given: str, kind: str) -> Told:
    """Look at a file, or a folder of them, that is here. Raises BadRequest."""
    place = Path(given).expanduser()
    if not place.exists():
        raise BadRequest(f"there is no `{given}`", hint="name a file or a folder: --from FILE")
    refuse_kind(kind)
    with files_of(place, kind) as paths:
        files: dict[str, bytes] = {}
        firsts: list[First] = []
        notes: list[str] = []
        for path in paths:
            name, content = file_name(path.name), path.read_bytes()
            sha256 = hashlib.sha256(content).hexdigest()
            if name in {first.name for first in firsts}:
                raise BadRequest(f"two files would be called `{name}`", hint="rename one of them")
            if len(content) <= LARGEST_IN_GIT:
                mirror = f"file: source/{name}"
                files[f"source/{name}"] = content
            else:
                mirror = f"local: {name}"
                remember(sha256, content)
                notes.append(
                    f"{name} is too large for git: `dreg run` finds it in the download cache here, elsewhere "
                    f"below the folder that DREG_MIRROR names; add a mirror to params.yaml"
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
        found = sorted(path for path in place.iterdir() if path.suffix.lower() in suffixes)
        if not found:
            raise BadRequest(
                f"`{place}` has no {what}", hint=f"files of {', '.join(suffixes)} are read"
            )
        yield found
    else:
        yield [place]


def looked_at(firsts: list[First], kind: str) -> Told:
    """What the files say about the contract."""
    sources = "\n".join(line for first in firsts for line in first.lines()) + "\n"
    if kind == "image":
        [first] = firsts
        classes, shape = images_in(first.path)
        told = f"  image: {{ type: uint8, shape: {shape} }}\n"
        told += f"  label: {{ type: int64, classes: [{', '.join(map(name_in_yaml, classes))}] }}\n"
        return Told({"sources": sources, "columns": told}, {})
    if kind == "vlm":
        return captions(firsts[0], sources)
    if kind == "documents":
        return documents(firsts, sources)
    odd = next((first.name for first in firsts if first.suffix not in TABLES), None)
    if odd:
        raise BadRequest(f"`{odd}` is no table", hint=f"files of {', '.join(TABLES)} are read")
    return table(firsts, kind, sources)


def captions(first: First, sources: str) -> Told:
    """What an archive of images with captions says; a `subject` decides which are in one split."""
    names, left = captions_in(first.path)
    answers: dict[str, str | None] = {
        "sources": sources,
        "about": "".join(f'"{name}", ' for name in names).strip(),
        "columns": "".join(f"  {name}: string\n" for name in names),
        "key": "subject" if "subject" in names else "",
    }
    notes = [f"`{name}` is left out: not every caption has it, as a text" for name in left]
    return Told(answers, {}, tuple(notes))


def documents(firsts: list[First], sources: str) -> Told:
    """An index of documents of which is only known that somebody had them here."""
    listed = []
    for first in firsts:
        content = first.path.read_bytes()
        try:
            known = first.suffix in DOCUMENTS and content.decode().strip()
        except UnicodeDecodeError:
            known = ""
        if not known:
            raise BadRequest(
                f"`{first.name}` is no document", hint=f"texts in UTF-8 are: {', '.join(DOCUMENTS)}"
            )
        listed += [
            f"  {name_in_yaml(first.name)}:",
            f"    repository: {name_in_yaml(f'local/{Path(first.name).stem}')}",
            f"    path: {name_in_yaml(first.name)}",
            f"    blob: {git_hash(content)}",
            "    commit: null",
            "    licence: null",
        ]
    text = f"sources:\n{sources}documents:\n" + "".join(f"{line}\n" for line in listed)
    told = (
        "the documents' repositories are called local/NAME: say in sources.yaml where they are from"
    )
    return Told({"sources": text}, {}, (told,))


def table(firsts: list[First], kind: str, sources: str) -> Told:
    """What tables of the same columns say."""
    import pyarrow as pa

    signs = {delimiter_of(f.path, f.suffix) for f in firsts if f.suffix != ".parquet"} or {","}
    if len(signs) > 1:
        raise BadRequest("the files have different delimiters", hint="write them alike")
    [sign] = signs
    quotes = kind != "text" or sign != "\t"
    tables = [table_of(first.path, first.suffix, sign, quotes=quotes) for first in firsts]
    for first, one in zip(firsts, tables, strict=True):
        if one.column_names != tables[0].column_names:
            raise BadRequest(
                f"`{first.name}` has other columns than `{firsts[0].name}`",
                hint="tables of other columns are other datasets",
            )
    columns, nested = seen(pa.concat_tables(tables, promote_options="permissive"))
    label, key = label_of(columns), key_of(columns)
    answers: dict[str, str | None] = {"sources": sources, "delimiter": sign}
    if kind == "text":
        names = [column.name for column in columns]
        if not {"text", "label"} <= set(names):
            raise BadRequest(
                f"`{firsts[0].name}` has no columns `text` and `label`: {', '.join(names)}",
                hint="rename them, or take --kind tabular",
            )
        classes = next(column.values for column in columns if column.name == "label")
        if not classes:
            raise BadRequest("`label` has more than 30 classes, or is no text", hint="see the file")
        answers["classes"] = ", ".join(map(name_in_yaml, classes))
    else:
        answers["columns"] = "".join(f"{line}\n" for line in contract_lines(columns, label))
        answers["label"] = name_in_yaml(label.name) if label else ""
        answers["key"] = name_in_yaml(key.name) if key else ""
    notes = [f"column `{name}` has values of many parts and is left out" for name in nested]
    return Told(answers, {}, tuple(notes))


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
    return plain
