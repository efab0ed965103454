"""Documents as files, with an index that tells where each is from."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.written import written
from dreg.adapters.yaml_files import shown
from dreg.errors import Outside

INDEX = "index.jsonl"


@dataclass(frozen=True)
class Document:
    """A document, where it is from (the file `path` in `repo`, at `commit` where known), and its text."""

    repo: str
    path: str
    commit: str | None
    text: str


def write_documents(
    documents: Iterable[tuple[str, bytes, Mapping[str, object]]], folder: Path
) -> int:
    """Write documents below `folder` and an index of them beside; returns how many.

    A document is its path below `folder`, its bytes, and what is known of it. A line of the index has
    `document`, the path, and all that, sorted by path. Raises Outside for two of one path, and for
    one that is no UTF-8 or has nothing in it.
    """
    lines: dict[str, str] = {}
    for path, content, about in documents:
        if path in lines:
            raise Outside(f"two documents are called `{path}`", hint="rename one of them")
        try:
            is_empty = not content.decode().strip()
        except UnicodeDecodeError as error:
            raise Outside(f"`{path}` is not UTF-8", hint="leave it out, or convert it") from error
        if is_empty:
            raise Outside(f"`{path}` has no text", hint="leave it out")
        with written(folder / path) as file:
            file.write(content)
        lines[path] = json.dumps({"document": path, **about}, ensure_ascii=False)
    with written(folder / INDEX) as file:
        file.write("".join(f"{lines[path]}\n" for path in sorted(lines)).encode())
    return len(lines)


def document_in(path: Path) -> bytes:
    """The bytes of a document. Raises Outside when there is none."""
    try:
        return path.read_bytes()
    except FileNotFoundError as error:
        raise Outside(
            f"there is no `{shown(path)}`", hint="run the download stage again"
        ) from error


def read_documents(folder: Path) -> Iterator[Document]:
    """The documents that the index in `folder` lists, in its order; without one, all `.md` files there.

    What has no index is from the repository `local`. Raises Outside for an index that is none, and for
    a document that is not there or no UTF-8.
    """
    index = folder / INDEX
    if not index.is_file():
        for path in sorted(folder.rglob("*.md")):
            yield Document("local", path.relative_to(folder).as_posix(), None, text_of(path))
        return
    for number, line in enumerate(index.read_text(encoding="utf-8").splitlines(), 1):
        try:
            told = json.loads(line)
            file, repo, name = (str(told[key]) for key in ("document", "repository", "path"))
            commit = told.get("commit")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Outside(
                f"`{shown(index)}` line {number} tells of no document",
                hint="run the download stage again",
            ) from error
        yield Document(repo, name, commit, text_of(folder / file))


def text_of(path: Path) -> str:
    """The document's text. Raises Outside when there is none, or it is no UTF-8."""
    try:
        return document_in(path).decode()
    except UnicodeDecodeError as error:
        raise Outside(
            f"`{shown(path)}` is not UTF-8", hint="leave it out, or convert it"
        ) from error
