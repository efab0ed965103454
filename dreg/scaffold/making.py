"""What a template and answers make: files by path, all of them in the dataset's two folders."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from dreg import __version__
from dreg.adapters.own_templates import read_own
from dreg.adapters.templates import dataset_kinds, read_template, render
from dreg.core.template_record import Record, record_json, record_path, recorded
from dreg.errors import BadRequest

# What a template may ask for. Those that a file or URL tells, and the dataset that it is to be made
# from, are None where a sample is the source.
ANSWERS = ("name", "title", "description", "licence", "owner")
TOLD = (
    "sources", "columns", "classes", "label", "key", "about", "delimiter", "unquoted", "json_lines",
    "decimal", "upstream",
)  # fmt: skip


@dataclass(frozen=True)
class Template:
    """A kind of ours, or an own template by its folder or git URL, and its files."""

    name: str
    own: bool
    commit: str | None
    files: Mapping[str, bytes]


def kinds() -> tuple[str, ...]:
    """Kinds of dataset that can be made, sorted."""
    return dataset_kinds()


def template_of(name: str, kind: str | None, own: str | None) -> Template:
    """The template that the dataset `name` is to be made from. Raises BadRequest."""
    if own is not None:
        if kind is not None:
            raise BadRequest("--kind and --template exclude each other", hint="name one of them")
        return own_template(own)
    return Template(check_kind(name, kind), False, None, read_template(f"dataset/{kind}"))


def own_template(where: str) -> Template:
    """The template in a folder or at a git URL."""
    found = read_own(where)
    return Template(found.where, True, found.commit, found.files)


def same_template(record: Record, name: str) -> Template:
    """The template that was recorded, as it is today. Raises BadRequest where it is no more."""
    if record.own:
        return own_template(record.template)
    return template_of(name, record.template, None)


def made_from(template: Template, answers: Mapping[str, str | None]) -> dict[str, bytes]:
    """What the template makes with the answers, without its record; no sample, if they name a source.

    Raises BadRequest for a template that makes files elsewhere, or no pipeline.
    """
    name = answers["name"]
    rendered = render(template.files, {**dict.fromkeys(TOLD), **answers})
    pipeline, data = f"pipelines/{name}/", f"data/{name}/"
    for path in rendered:
        inside = path.startswith((pipeline, data)) and ".." not in path.split("/")
        if not inside or "\\" in path or "//" in path or path.endswith("/"):
            raise BadRequest(
                f"the template makes `{path}`, outside of the dataset's folders",
                hint="a template has the folders `pipelines/{{name}}/` and `data/{{name}}/`",
            )
    for needed in ("dataset.yaml", "dvc.yaml"):
        if f"{pipeline}{needed}" not in rendered:
            raise BadRequest(
                f"the template makes no `{pipeline}{needed}`, without which there is no dataset",
                hint="compare it with one that does: dreg template show tabular",
            )
    if answers.get("sources") or answers.get("upstream"):
        sample = f"{pipeline}sample/"
        rendered = {path: made for path, made in rendered.items() if not path.startswith(sample)}
    return rendered


def with_record(
    template: Template, answers: Mapping[str, str | None], made: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The files, with what they were made from."""
    record = recorded(template.name, template.own, template.commit, __version__, answers, made)
    return {**made, record_path(str(answers["name"])): record_json(record)}


def check_kind(name: str, kind: str | None) -> str:
    """`kind` if there is a template for it. Raises BadRequest, suggesting the closest."""
    if kind in kinds():
        return kind
    close = difflib.get_close_matches(kind or "", kinds(), n=1)
    raise BadRequest(
        f"no kind of dataset is called `{kind}`" if kind else f"what kind of dataset is `{name}`?",
        hint=f"dreg new {name} --kind {close[0] if close else '|'.join(kinds())}",
    )
