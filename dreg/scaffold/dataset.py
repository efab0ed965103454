"""A new dataset that runs, checks and releases as it is."""

from __future__ import annotations

from collections.abc import Mapping

from dreg.adapters import new_folders
from dreg.core.version import check_name, parse_request
from dreg.errors import BadRequest, Refused
from dreg.output import out
from dreg.registry import Dataset, Registry
from dreg.scaffold.making import Template, made_from, template_of, with_record
from dreg.scaffold.plan import Plan, Scaffolded, carry_out, check_text

LONGEST_NAME = 100  # file systems end at 255 bytes, and the name becomes part of longer names


def new_dataset(
    registry: Registry,
    name: str,
    kind: str | None,
    *,
    title: str | None = None,
    description: str | None = None,
    licence: str | None = None,
    owner: str | None = None,
    template: str | None = None,
    source: str | None = None,
    file: str | None = None,
    upstream: str | None = None,
    dry_run: bool = False,
) -> Scaffolded:
    """A dataset in `registry` that runs, checks and releases as it is.

    Its data are a small sample, or what is at the URL `source`, or the `file` or folder that is here,
    or made from the dataset `upstream`, `name@range`.
    """
    answers = {"title": title, "description": description, "licence": licence, "owner": owner}
    plan = plan_dataset(registry, name, kind, answers, template, source, file, upstream)
    return plan.answer(written=False) if dry_run else carry_out(plan)


def plan_dataset(
    registry: Registry,
    name: str,
    kind: str | None,
    answers: Mapping[str, str | None],
    template: str | None = None,
    source: str | None = None,
    file: str | None = None,
    upstream: str | None = None,
) -> Plan:
    """Raises BadRequest for an unusable name or unknown kind, Refused where something is."""
    check_length(check_name(name))
    chosen = template_of(name, kind, template)
    for folder in Dataset(registry.root, name).folders:
        if new_folders.taken(registry.root / folder):
            known = name in registry.names
            raise Refused(
                f"`{folder}` is there already",
                hint=f"choose another name{'' if known else ', or move that away'}",
            )
    words = name.replace("-", " ")
    real = not (source is None and file is None and upstream is None)
    defaults = {
        "title": words[:1].upper() + words[1:],
        "description": "What it is has yet to be told."
        if real
        else "A small invented sample, to be replaced by the real data.",
        "licence": "LicenseRef-unknown" if real else "CC0-1.0",
        "owner": "",
    }
    given = {key: check_text(key, text) for key, text in answers.items() if text and text.strip()}
    told, files = look(chosen.name if not chosen.own else "", source, file)
    if upstream is not None:
        told = {**told, "upstream": made_from_other(registry, chosen, upstream)}
    all_answers: dict[str, str | None] = {**defaults, **given, **told, "name": name}
    made = made_from(chosen, all_answers)
    first = {f"pipelines/{name}/{path}": content for path, content in files.items()}
    return Plan(
        name=name,
        kind=chosen.name,
        root=registry.root,
        files=with_record(chosen, all_answers, made) | first,
        # The pipeline comes last: it is what makes the name a dataset.
        folders=(f"data/{name}", f"pipelines/{name}"),
        first_commit=None,
        next=(f"dreg run {name}",),
    )


def made_from_other(registry: Registry, template: Template, upstream: str) -> str:
    """`upstream` as the contract has it. Raises BadRequest for a dataset that is none, and for a
    template that makes nothing of one."""
    asked = (text for path, text in template.files.items() if path.endswith(".jinja"))
    if not any(b"{{ upstream" in text for text in asked):
        raise BadRequest(
            f"a dataset of kind {template.name} is not made from another one",
            hint="without --upstream; it is for embeddings",
        )
    other, wanted = parse_request(upstream)
    registry.dataset(other)
    return upstream if wanted.bounds else other


def look(
    kind: str, source: str | None, file: str | None
) -> tuple[Mapping[str, str | None], Mapping[str, bytes]]:
    """Answers that the first source gives, and files that come with it; nothing without one."""
    if source is None and file is None:
        return {}, {}
    if source is not None and file is not None:
        raise BadRequest("--source and --from exclude each other", hint="name one of them")
    if not kind:
        raise BadRequest(
            "--source and --from are for the kinds that dreg has", hint="without --template"
        )
    from dreg.scaffold.first_source import from_file, from_url

    told = from_url(source, kind) if source is not None else from_file(str(file), kind)
    for note in told.notes:
        out.note(note)
    return told.answers, told.files


def check_length(name: str) -> str:
    """`name` if files may be called that. Raises BadRequest."""
    if len(name) > LONGEST_NAME:
        raise BadRequest(
            f"a name of {len(name)} characters is too long",
            hint=f"use at most {LONGEST_NAME} characters",
        )
    return name
