"""Writes the pages of docs/ that are made of the program itself: `python -m dreg.reference`.

With `--check` it writes nothing and exits 1 when a page is stale, so that no page can be wrong.
"""

from __future__ import annotations

import dataclasses
import enum
import inspect
import json
import re
import sys
import types
import typing
from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import typer.main

from dreg import cli
from dreg.core.ci.result_schema import result_schema
from dreg.core.contract_schema import contract_schema
from dreg.core.manifest_schema import manifest_schema
from dreg.core.profile_schema import profile_schema
from dreg.errors import BadRequest, DregError
from dreg.output import out
from dreg.reference.contract import contract_page
from dreg.reference.manifest import manifest_page
from dreg.reference.result import result_page
from dreg.reference.rules import rule_page

DOCS = Path(__file__).resolve().parents[2] / "docs"
PEER = DOCS / "datasemver.json"  # written by bench/decisions.py
WIDTH = 88
WRITTEN_BY = "<!-- Written by `python -m dreg.reference`; edit the program, not this page. -->"

ENVIRONMENT = (
    (
        "`DREG_REPO`, `DVC_REPO`",
        "The registry that `dreg fetch` and `dreg.load` ask without `--repo`; what is locked is asked of its own, and only if "
        "that does not answer of this one. The first is also what `dreg ci run` and `dreg ci plan` clone where no registry is "
        "around them.",
    ),
    ("`DREG_REMOTE`, `DVC_REMOTE`", "Where the bytes are: a remote's name, a URL or a path."),
    ("`DVC_DATA_VERSION`", "A tag; `dreg fetch` brings it when no other version is asked for."),
    (
        "`DREG_DATASETS`, `DREG_BUMP`, `DREG_FORCE`, `DREG_COMPUTE_TYPE`, `DREG_DRY_RUN`",
        "What `dreg ci run` is asked for, where a job's inputs must not become part of a command.",
    ),
    (
        "`DREG_CHANGED_SINCE`, `DREG_BASE`, `DREG_HEAD`, `DREG_PULL`",
        "The same, of `dreg ci plan`, `review` and `comment`.",
    ),
    ("`DREG_REQUEST`", "The same, of `dreg vectors load`."),
    (
        "`KUBECONFIG`",
        "The clusters that `dreg submit` knows; in a pod its own account is enough.",
    ),
    (
        "`RAY_API_SERVER_ADDRESS`, `RAY_AUTH_TOKEN`, `RAY_AUTH_TOKEN_PATH`",
        "A Ray cluster's job API, for `dreg submit --to ray`, and its token.",
    ),
    ("`DREG_MIRROR`", "The folder in which the mirrors called `local` lie."),
    ("`DREG_WAIT`", "Seconds to wait for another dreg at the same dataset; 600 if not set."),
    (
        "`DREG_CACHE`",
        "Where downloads and git objects are kept, if not in `~/.cache/dreg`; may be emptied any time.",
    ),
    (
        "`DREG_TIMEOUT`",
        "Seconds without a byte after which a transfer is tried again, if not 30.",
    ),
    (
        "`DREG_LINK`",
        "How placed files share bytes with that: `auto` (clone, else a link of one file), "
        "`hardlink` (one read-only file for all), `copy`, `off` (keep nothing).",
    ),
    ("`AWS_*`", "Keys, profile, region and endpoint of S3, as for every AWS client."),
    ("`MLFLOW_TRACKING_URI`", "The server or store that `dreg trace` asks without `--tracking`."),
    (
        "`PGVECTOR_HOST`, `_PORT`, `_USER`, `_PASSWORD`, `_DATABASE`",
        "The Postgres for `dreg vectors` and `dreg search`. What is not set is left to libpq (`PGSSLMODE`, `~/.pgpass`).",
    ),
    (
        "`PGVECTOR_TABLE_NAME`",
        "The view that readers use, `name` or `schema.name`, if not the dataset's name with `_` for `-`.",
    ),
    (
        "`DOCKER_IMAGE_TAG`, `ARGO_WORKFLOW_UID`",
        "What `dreg vectors load` writes as `docker_image` and `workflow_uid`.",
    ),
    ("`XDG_DATA_HOME`", "Where the embedded Postgres has its data, if not in `~/.local/share`."),
    ("`NO_COLOR`", "No colours."),
)


def pages() -> dict[str, str]:
    """Every generated page: its name below docs/, and its text."""
    return {
        "cli.md": "\n".join(command_line()) + "\n",
        "contract.md": "\n".join(("# The contract", "", WRITTEN_BY, "", *contract_page())) + "\n",
        "contract.schema.json": json.dumps(contract_schema(), indent=2) + "\n",
        "manifest.md": "\n".join(("# The manifest", "", WRITTEN_BY, "", *manifest_page())) + "\n",
        "manifest.schema.json": json.dumps(manifest_schema(), indent=2) + "\n",
        "profile.schema.json": json.dumps(profile_schema(), indent=2) + "\n",
        "result.md": "\n".join(("# The result of a run", "", WRITTEN_BY, "", *result_page()))
        + "\n",
        "result.schema.json": json.dumps(result_schema(), indent=2) + "\n",
        "rules.md": "\n".join(("# Rules", "", WRITTEN_BY, "", *rule_page(peer()))) + "\n",
    }


def peer() -> Any:
    """What the peer decides on the rules' tables: its version, and a word by rule."""
    return json.loads(PEER.read_text(encoding="utf-8"))


def command_line() -> Iterator[str]:
    """The lines of docs/cli.md: every command's help and the object that `--json` gives."""
    yield from ("# The command line", "", WRITTEN_BY, "")
    yield from _block("text", _help(_Root.command, _Root.context))
    yield from (
        "An answer goes to stdout, notes and errors go to stderr. An error is one sentence and, "
        "after a blank",
        "line, a hint with the next move.",
        "",
        "| exit code | meaning |",
        "|---|---|",
        "| 0 | Done. |",
    )
    for kind in sorted(DregError.__subclasses__(), key=lambda kind: kind.exit_code):
        yield f"| {kind.exit_code} | {_meaning(kind)} |"
    yield from (
        "",
        "With `--json`, stdout is one object: the command's, as below, or when it failed",
        '`{"error": {"fact": ..., "details": [...], "hint": ..., "exit_code": ...}}`.',
        "Versions are strings; sizes are in bytes.",
        "",
        "`dreg --install-completion` sets up the shell: commands, options, datasets, versions.",
        "",
        "| variable | says |",
        "|---|---|",
        *(f"| {names} | {meaning} |" for names, meaning in ENVIRONMENT),
        "",
    )
    for path, command, context in commands():
        yield from (f"## {path}", "")
        yield from _block("text", _help(command, context))
        for answer in answers(command):
            yield from _described(answer)
            yield from _block("text", _shape(answer))


class _Root:
    """The program as Typer sees it."""

    command: Any = typer.main.get_command(cli.app)
    context: Any = command.context_class(command, info_name="dreg", terminal_width=WIDTH)


def commands() -> Iterator[tuple[str, Any, Any]]:
    """Path (`dreg remote use`), command and context of every command, in the order of the help."""
    yield from _below("dreg", _Root.command, _Root.context)


def _below(path: str, group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        inner = command.context_class(command, info_name=name, parent=context, terminal_width=WIDTH)
        if hasattr(command, "list_commands"):
            yield from _below(f"{path} {name}", command, inner)
        else:
            yield f"{path} {name}", command, inner


def answers(command: Any) -> list[type]:
    """The classes of which a command answers one, as it declared them with `@answers`."""
    declared = getattr(inspect.unwrap(command.callback), "answers", "")
    named = (name.strip().split(":") for name in declared.split("|") if name.strip())
    return [getattr(import_module(module), name) for module, name in named]


def _meaning(kind: type[DregError]) -> str:
    return _paragraph(kind).replace(f" (exit code {kind.exit_code})", "")


def _help(command: Any, context: Any) -> str:
    return str(command.get_help(context)).strip()


def _block(language: str, text: str) -> Iterator[str]:
    yield from (f"```{language}", text, "```", "")


def _paragraph(documented: type) -> str:
    """A class's docstring on one line, in JSON's words."""
    text = " ".join((inspect.getdoc(documented) or "").split())
    words = {"None": "null", "True": "true", "False": "false"}
    return re.sub(r"\b(None|True|False)\b", lambda match: words[match[0]], text)


def _described(answer: type) -> Iterator[str]:
    """What an answer is, then what the objects within it are."""
    yield from (_paragraph(answer), "")
    inner = [f"- `{name}`: {_paragraph(kind)}" for name, kind in _inner(answer)]
    if inner:
        yield from (*inner, "")


def _inner(answer: type, above: tuple[type, ...] = ()) -> Iterator[tuple[str, type]]:
    for name, kind in typing.get_type_hints(answer).items():
        for part in (kind, *typing.get_args(kind)):
            known = part in (*above, answer)  # a type that has itself within is told once
            if isinstance(part, type) and dataclasses.is_dataclass(part) and not known:
                yield name, part
                below = _inner(part, (*above, answer))
                yield from ((f"{name}.{inside}", deeper) for inside, deeper in below)


def _shape(kind: Any, indent: str = "", above: tuple[Any, ...] = ()) -> str:
    """The JSON of a type, with the names of types in the places of values."""
    if kind in above:
        return "{...}"
    inside = indent + "  "
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind):
        hints = typing.get_type_hints(kind)
        entries = [
            f'{inside}"{field.name}": {_shape(hints[field.name], inside, (*above, kind))}'
            for field in dataclasses.fields(kind)
        ]
        return "{\n" + ",\n".join(entries) + f"\n{indent}}}"
    if origin in (types.UnionType, typing.Union):
        return " or ".join(_shape(part, indent, above) for part in parts)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"{{NAME: {_shape(parts[1], indent, above)}, ...}}"
    if parts:
        return f"[{_shape(parts[0], indent, above)}, ...]"
    return _word(kind)


_WORDS = {str: "string", int: "integer", float: "number", bool: "boolean", type(None): "null"}


def _word(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return " or ".join(f'"{member.name.lower()}"' for member in kind)
    return _WORDS.get(kind, "string")


def main(arguments: list[str]) -> None:
    """Write the pages; with `--check`, exit 1 naming those that are stale."""
    if not DOCS.is_dir():
        raise BadRequest(f"there is no `{DOCS}`", hint="run this in a clone of dreg")
    stale = [
        name
        for name, text in pages().items()
        if not (DOCS / name).is_file() or (DOCS / name).read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for name in stale:
            out.warn(f"docs/{name} is stale: python -m dreg.reference")
        sys.exit(1 if stale else 0)
    for name in stale:
        (DOCS / name).write_text(pages()[name], encoding="utf-8")
        out.note(f"wrote docs/{name}")
