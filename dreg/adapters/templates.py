"""Templates: folders in the package that mirror what they make, rendered with Jinja.

A file whose name ends in `.jinja` is rendered and loses the ending; any other file is copied byte
for byte. Names of files and folders are rendered too: `pipelines/{{ name }}/dvc.yaml.jinja`.
The ending also keeps git and DVC from taking a template's `.gitignore` or `dvc.yaml` for their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING

from dreg.core.yaml_text import quoted
from dreg.errors import BadRequest, Outside

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

RENDERED = ".jinja"
ABOUT = "about.txt"


def dataset_kinds() -> tuple[str, ...]:
    """Kinds of dataset there is a template for, sorted."""
    return tuple(sorted(entry.name for entry in _folder("dataset").iterdir() if entry.is_dir()))


def about_kind(kind: str) -> str:
    """What a kind is for, in a line."""
    return _folder("dataset", kind, "about.txt").read_text(encoding="utf-8").strip()


def read_template(name: str) -> dict[str, bytes]:
    """The files of the template `dataset/<kind>` or `registry`, by path, as they are packaged."""
    files = dict(sorted(_files(_folder(*name.split("/")), "")))
    return {path: content for path, content in files.items() if path != ABOUT}


def render(template: Mapping[str, bytes], answers: Mapping[str, str | None]) -> dict[str, bytes]:
    """What `template` makes with `answers`, by path.

    Answers are values, never templates: what looks like Jinja in them stays as it is.
    Raises Outside when Jinja is not installed, BadRequest naming a file that is no template.
    """
    jinja = _environment()
    made = {}
    for path, content in template.items():
        try:
            to = jinja.from_string(path).render(answers)
            if to.endswith(RENDERED):
                text = jinja.from_string(content.decode()).render(answers)
                made[to.removesuffix(RENDERED)] = text.encode()
            else:
                made[to] = content
        except MemoryError:
            raise
        except Exception as error:  # a sandboxed template may fail in any way that Python does
            raise BadRequest(
                f"the template's `{path}` cannot be rendered: {error}", hint="correct it there"
            ) from error
    return made


def _environment() -> SandboxedEnvironment:
    try:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import SandboxedEnvironment
    except ModuleNotFoundError as error:
        raise Outside(
            "templates need Jinja, which is not installed here",
            hint="pip install 'dreg[registry]'",
        ) from error
    jinja = SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # makes YAML, where `quoted` is what escapes
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["quoted"] = quoted
    return jinja


def _folder(*parts: str) -> Traversable:
    return resources.files("dreg").joinpath("templates", *parts)


def _files(folder: Traversable, below: str) -> list[tuple[str, bytes]]:
    found = []
    for entry in folder.iterdir():
        path = f"{below}{entry.name}"
        if entry.is_dir():
            if entry.name != "__pycache__":
                found += _files(entry, f"{path}/")
        else:
            found.append((path, entry.read_bytes()))
    return found
