"""A dataset brought up to its template: what changed there, merged with what its owner changed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.git import Repository
from dreg.adapters.git.merging import merged
from dreg.adapters.written import unfinished, written
from dreg.core.template_merge import Step, steps
from dreg.core.template_record import Record, parse_record, record_path, renamed
from dreg.errors import BadRequest, Refused
from dreg.registry import Dataset, Registry
from dreg.scaffold.making import Template, made_from, own_template, same_template, with_record

NAMES = ("yours", "template before", "template now")


@dataclass(frozen=True)
class Changed:
    """A file and what became of it: written, merged, conflicts, removed or kept; and why."""

    path: str
    what: str
    why: str = ""


@dataclass(frozen=True)
class Updated:
    """What an update did, or with --dry-run would do. `conflicts` are marked in the files."""

    name: str
    template: str
    files: tuple[Changed, ...]
    conflicts: int
    written: bool

    def lines(self) -> Iterator[str]:
        if not self.files:
            yield f"{self.name} is as its template `{self.template}` has it"
            return
        would = "" if self.written else "would be "
        for file in self.files:
            why = f": {file.why}" if file.why else ""
            yield f"{would}{file.what:<9} {file.path}{why}"
        if self.written and not self.conflicts:
            yield ""
            yield f"next: git diff pipelines/{self.name}, then dreg run {self.name}"


@dataclass(frozen=True)
class Plan:
    """Files to write, by path (None removes one), and what to tell of them."""

    files: dict[str, bytes | None]
    changed: tuple[Changed, ...]
    conflicts: int


def update(
    registry: Registry, name: str, *, own: str | None = None, dry_run: bool = False
) -> Updated:
    """Merge the template of today into the dataset, and record it; from a folder or git URL `own`, if
    that is where its template is now.

    An update that broke off is finished. Raises BadRequest for a dataset without a record, Refused while its pipeline
    has other changes that no commit has, as git is what an update can be taken back with; and, having written what
    there is, where both changed the same lines.
    """
    dataset = registry.dataset(name)
    record = record_of(dataset)
    template = same_template(record, name) if own is None else own_template(own)
    now = made_from(template, {**record.answers, "name": name})
    paths = sorted({*record.sums, *now, record_path(name)})
    plan = plan_update(name, record, template, now, here(dataset, paths))
    changed = Repository(dataset.root).changed([dataset.folders[0]]) if plan.files else []
    if changed:
        whole = plan_update(name, record, template, now, committed(dataset, paths))
        if left_by(whole, dataset, changed):
            plan, changed = whole, []
    answer = Updated(name, template.name, plan.changed, plan.conflicts, written=not dry_run)
    if dry_run or not plan.files:
        return answer
    if changed:
        raise uncommitted(dataset, changed)
    carry_out(dataset.root, plan, record_path(name))
    if plan.conflicts:
        refusal = Refused(
            f"you and the template changed the same lines: {plan.conflicts} marked in the files",
            hint=f"settle what is between <<<<<<< and >>>>>>>, then: dreg run {name}",
        )
        refusal.answer = answer
        raise refusal
    return answer


def plan_update(
    name: str,
    record: Record,
    template: Template,
    now: Mapping[str, bytes],
    tree: Mapping[str, bytes],
) -> Plan:
    """What to write, where the template makes `now`, and `tree` is there. The record is among the files if anything is
    other in the template.
    """
    files: dict[str, bytes | None] = {}
    changed = []
    conflicts = 0
    for step in steps(record, now, tree):
        what, content, number = carried(step, tree)
        conflicts += number
        if what != "kept":
            files[step.path] = content
        changed.append(Changed(step.path, what, step.why or _times(number)))
    told = with_record(template, record.answers, now)[record_path(name)]
    same_place = (record.template, record.own) == (template.name, template.own)
    if same_place and same_content(record, now) and not changed:
        return Plan({}, (), 0)
    files[record_path(name)] = told
    return Plan(files, tuple(changed), conflicts)


def carried(step: Step, tree: Mapping[str, bytes]) -> tuple[str, bytes | None, int]:
    """What becomes of the file, its content, and how many conflicts are marked in it."""
    if step.what != "merged":
        return step.what, step.content, 0
    text, number = merged(tree[step.path], step.before or b"", step.content or b"", NAMES)
    return ("conflicts" if number else "merged"), text, number


def same_content(record: Record, now: Mapping[str, bytes]) -> bool:
    """Whether the template makes what it made."""
    return record.sums.keys() == now.keys() and all(
        record.is_as_made(path, content) for path, content in now.items()
    )


def here(dataset: Dataset, paths: Sequence[str]) -> dict[str, bytes]:
    """Those of the files that the tree has."""
    found = {}
    for path in paths:
        file = dataset.root / path
        if file.is_file() and not file.is_symlink():
            found[path] = file.read_bytes()
    return found


def committed(dataset: Dataset, paths: Sequence[str]) -> dict[str, bytes]:
    """Those of the files that HEAD has."""
    contents = Repository(dataset.root).read_all([("HEAD", path) for path in paths])
    return {path: data for path, data in zip(paths, contents, strict=True) if data is not None}


def left_by(plan: Plan, dataset: Dataset, changed: Sequence[str]) -> bool:
    """Whether an update by that plan, which broke off, left all that was changed."""
    half = {unfinished(Path(path)) for path, content in plan.files.items() if content is not None}
    there = here(dataset, changed)
    return all(
        Path(path) in half or (path in plan.files and plan.files[path] == there.get(path))
        for path in changed
    )


def record_of(dataset: Dataset) -> Record:
    """What the dataset was made from. Raises BadRequest when that is not recorded."""
    path = record_path(dataset.name)
    try:
        content = (dataset.root / path).read_bytes()
    except FileNotFoundError as error:
        raise BadRequest(
            f"`{path}` is not there: nobody recorded what `{dataset.name}` was made from",
            hint="dreg template show KIND tells what the template of a kind has",
        ) from error
    record = renamed(parse_record(content, path), dataset.name)
    odd = next(
        (p for p in record.sums if not p.startswith(tuple(f"{f}/" for f in dataset.folders))), None
    )
    if odd is not None or any(".." in p.split("/") for p in record.sums):
        raise BadRequest(
            f"`{path}` is no record of a template: it has files of another dataset",
            hint="get it back from git",
        )
    return record


def uncommitted(dataset: Dataset, changed: Sequence[str]) -> Refused:
    """The error for a pipeline that has changes that are in no commit."""
    folder = dataset.folders[0]
    return Refused(
        f"`{folder}` has changes that are not committed",
        hint=f"git add {folder} && git commit, so that the update can be taken back",
        details=changed[:5],
    )


def carry_out(root: Path, plan: Plan, record: str) -> None:
    """Write the files, each whole; the record last: until then the same update can be made again."""
    for path, content in sorted(plan.files.items(), key=lambda item: (item[0] == record, item[0])):
        target = root / path
        if content is None:
            target.unlink(missing_ok=True)
            continue
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else None
        with written(target) as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)


def _times(number: int) -> str:
    return "" if not number else f"{number} marked"
