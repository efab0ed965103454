"""Reading the files that are samples, or that samples name; whatever is wrong names file and row."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path, PurePosixPath

from dreg.adapters.formats.file_types import IMAGE
from dreg.adapters.yaml_files import shown
from dreg.errors import Outside

BOM = b"\xef\xbb\xbf"


def image_bytes(path: Path) -> bytes:
    """The file as it is. Whether it can be decoded shows when it is measured."""
    return _read(path)


def document_bytes(path: Path) -> bytes:
    """The document's text as UTF-8, without the mark that some editors put in front of it."""
    content = _read(path).removeprefix(BOM)
    try:
        content.decode()
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise Outside(
            f"`{shown(path)}` line {line} is not UTF-8",
            hint="have the pipeline write its documents as UTF-8",
        ) from error
    return content


def named(folder: Path, name: str, kind: str, place: Callable[[], str], column: str) -> bytes:
    """What is in the file `name` of `folder`, which the annotation at `place` names: asked only of one that is
    wrong, as there may be many thousands."""

    def about() -> str:
        return f"{place()}: column `{column}` names `{name}`"

    inside = PurePosixPath(name)
    if inside.is_absolute() or ".." in inside.parts or "\\" in name or "\0" in name:
        raise Outside(
            f"{about()}, which is outside of `{shown(folder)}`",
            hint="have the pipeline write paths relative to the folder of the annotations",
        )
    path = folder / inside
    try:
        there = bool(name) and path.is_file()
    except OSError:  # a name too long for any file
        there = False
    if not there:
        raise Outside(
            f"{about()}, which is no file in `{shown(folder)}`",
            hint="have the pipeline write the file, or leave its annotation out",
        )
    try:
        return image_bytes(path) if kind == IMAGE else document_bytes(path)
    except Outside as error:
        raise Outside(f"{about()}: {error.fact}", hint=error.hint) from error


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Outside(
            f"`{shown(path)}` cannot be read: {error.strerror}",
            hint="see how the pipeline writes it, then run it again",
        ) from error
