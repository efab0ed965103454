"""YAML files, read with the safe loader; errors name file, line and column."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from dreg.errors import BadRequest

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """The value in the file at `path`. Raises BadRequest when it is missing or not YAML."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadRequest(
            f"there is no `{shown(path)}`", hint="create it, or run where it is: dreg -C DIR"
        ) from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"`{shown(path)}` is not UTF-8 text", hint="save it as UTF-8") from error
    return parse_yaml(text, shown(path))


def parse_yaml(text: str, where: str) -> Any:
    """The value of `text`. Raises BadRequest that names `where`, line and column."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506 - the C build of the safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise BadRequest(
            f"{place} is not YAML: {error.problem or error.context}",
            hint=f"correct line {mark.line + 1 if mark else 1} of {where}",
        ) from error
    except yaml.YAMLError as error:
        raise BadRequest(f"{where} is not YAML: {error}", hint=f"correct {where}") from error


def shown(path: Path) -> str:
    """`path` as the user would write it: relative to where they are, if below."""
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
