"""Which templates there are, and what is in one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dreg.adapters.templates import about_kind
from dreg.errors import BadRequest
from dreg.output import table
from dreg.scaffold.making import kinds, template_of


@dataclass(frozen=True)
class Kind:
    """A kind of dataset, and what it is for."""

    kind: str
    about: str


@dataclass(frozen=True)
class Listed:
    """All kinds."""

    kinds: tuple[Kind, ...]

    def lines(self) -> Iterator[str]:
        yield from table(["KIND", "FOR"], [[one.kind, one.about] for one in self.kinds])


@dataclass(frozen=True)
class File:
    """A file of a template: its path, and its text; None if it is no text."""

    path: str
    text: str | None


@dataclass(frozen=True)
class Shown:
    """A template's files. In paths `{{name}}` is the dataset's name; what ends in .jinja is rendered."""

    kind: str
    about: str
    files: tuple[File, ...]

    def lines(self) -> Iterator[str]:
        yield f"{self.kind}: {self.about}"
        for file in self.files:
            yield ""
            yield f"--- {file.path}"
            if file.text is None:
                yield "(no text)"
            else:
                yield from file.text.splitlines()


def listed() -> Listed:
    """Every kind, sorted."""
    return Listed(tuple(Kind(kind, about_kind(kind)) for kind in kinds()))


def shown(kind: str) -> Shown:
    """The template of that kind. Raises BadRequest for an unknown one."""
    if kind not in kinds():
        raise BadRequest(f"no kind of dataset is called `{kind}`", hint="dreg template list")
    template = template_of("NAME", kind, None)
    files = tuple(File(path, text(content)) for path, content in template.files.items())
    return Shown(kind, about_kind(kind), files)


def text(content: bytes) -> str | None:
    """The content as text, if it is."""
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None
