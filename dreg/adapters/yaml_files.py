"""YAML files, read with the safe loader; errors name file, line and column."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from dreg.errors import BadRequest

DEEPEST = 100  # mappings and lists in each other; libyaml's own recursion ends the process at some
MOST = 1_000_000  # values, counted as often as aliases repeat them
NESTED = re.compile(r"^[ \-?:]{128}", re.MULTILINE)
BRACKETS = 64

CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)

_BASES = {"0x": 16, "0o": 8, "0b": 2}
_SCALARS = {
    "bool": (r"(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    "int": (
        r"(?:[-+]?0b[01_]+|[-+]?0o[0-7_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?[0-9][0-9_]*)$",
        "-+0123456789",
    ),
    "float": (
        r"(?:[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
        r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$",
        "-+0123456789.",
    ),
}

_Fastest: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_Fastest):  # type: ignore[misc]
    """Reads scalars by YAML 1.2, as DVC does: `1e-4` is a number, `no` and `12:30` are texts.

    PyYAML follows YAML 1.1; scripts would get other values than those DVC compares.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
        first: [(tag, form) for tag, form in forms if tag.split(":")[-1] not in _SCALARS]
        for first, forms in _Fastest.yaml_implicit_resolvers.items()
    }

    def whole_number(self, node: yaml.ScalarNode) -> int:
        text = str(node.value).replace("_", "").lower()
        digits = text.lstrip("+-")
        number = int(digits, _BASES[digits[:2]]) if digits[:2] in _BASES else int(digits)
        return -number if text.startswith("-") else number

    def mapping(self, node: yaml.MappingNode) -> Any:
        """A key written twice is an error, as it is to DVC."""
        seen = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if (key.tag, key.value) in seen:
                    text = f"the key `{key.value}` is there twice"
                    raise yaml.constructor.ConstructorError(None, None, text, key.start_mark)
                seen.add((key.tag, key.value))
        return self.construct_yaml_map(node)


_Loader.add_constructor("tag:yaml.org,2002:int", _Loader.whole_number)
_Loader.add_constructor("tag:yaml.org,2002:map", _Loader.mapping)
for _kind, (_form, _first) in _SCALARS.items():
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_kind}", re.compile(_form), list(_first))


def read_yaml(path: Path) -> Any:
    """The value in the file at `path`. Raises BadRequest when it is missing or not YAML."""
    return parse_yaml(read_text(path), shown(path))


def read_text(path: Path) -> str:
    """The text in the file at `path`. Raises BadRequest when it is missing or not UTF-8."""
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise BadRequest(
            f"there is no `{shown(path)}`", hint="create it, or run where it is: dreg -C DIR"
        ) from error
    except UnicodeDecodeError as error:
        raise BadRequest(f"`{shown(path)}` is not UTF-8 text", hint="save it as UTF-8") from error


def parse_yaml(text: str, where: str) -> Any:
    """The value of `text`. Raises BadRequest that names `where`, line and column."""
    try:
        _refuse_deep(text, where)
        value = yaml.load(text, Loader=_Loader)  # noqa: S506 - the C build of the safe loader
        if "*" in text and _values(value, {}) > MOST:
            raise BadRequest(
                f"{where} says more than {MOST:,} values through its aliases",
                hint=f"write out what is meant in {where}",
            )
        return value
    except yaml.MarkedYAMLError as error:
        if conflict := CONFLICT.search(text):
            line = text.count("\n", 0, conflict.start()) + 1
            raise BadRequest(
                f"{where}:{line} has the marks of a merge conflict",
                hint=f"keep one side: git checkout --ours {where} (where the marks were committed: "
                f"git log {where}, then git checkout COMMIT {where}); then run the command again",
            ) from error
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}:{mark.column + 1}" if mark else where
        raise BadRequest(
            f"{place} is not YAML: {error.problem or error.context}",
            hint=f"correct line {mark.line + 1 if mark else 1} of {where}",
        ) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a number of 5,000 digits, say
        raise BadRequest(f"{where} is not YAML: {error}", hint=f"correct {where}") from error


def _refuse_deep(text: str, where: str) -> None:
    if text.count("[") + text.count("{") < BRACKETS and not NESTED.search(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=_Fastest):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise BadRequest(
                f"{where}:{line} is nested more than {DEEPEST} deep",
                hint=f"correct {where}",
            )


def _values(value: Any, known: dict[int, int]) -> int:
    """How many values there are in `value`, those of an alias each time that it is used."""
    if not isinstance(value, dict | list):
        return 1
    if id(value) not in known:
        known[id(value)] = 1  # what contains itself counts once
        inside = value.values() if isinstance(value, dict) else value
        known[id(value)] = 1 + sum(_values(one, known) for one in inside)
    return known[id(value)]


def yaml_text(value: Any) -> str:
    """A value as YAML for people: a line each, the innermost in braces."""
    return yaml.safe_dump(
        value, sort_keys=False, allow_unicode=True, default_flow_style=None, width=88
    ).rstrip()


def shown(path: Path) -> str:
    """`path` as the user would write it: relative to where they are, if below."""
    text, here = path.as_posix(), f"{Path.cwd().as_posix()}/"
    if text.startswith(here) and ".." not in text:
        return text[len(here) :]  # asked of every file that is read: links need not be followed
    try:
        return path.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return path.as_posix()
