"""New datasets and new registries from templates: plan what to write, then write it whole.

`plan_dataset` and `plan_registry` decide and refuse; `carry_out` writes. All files appear together
or none does, and nothing that is there already is ever written over.
"""

from __future__ import annotations

import difflib
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dreg import __version__
from dreg.adapters import new_folders
from dreg.adapters.git import Repository, git
from dreg.adapters.templates import dataset_kinds, read_template, render
from dreg.core.version import check_name
from dreg.errors import BadRequest, Outside, Refused
from dreg.registry import Dataset, Registry

BRANCH = "main"
LONGEST_NAME = 100  # file systems end at 255 bytes, and the name becomes part of longer names


@dataclass(frozen=True)
class Scaffolded:
    """What was made, or with --dry-run would be: its files, below `root`, and the next command."""

    name: str
    kind: str
    root: Path
    files: tuple[str, ...]
    written: bool
    commit: str | None
    next: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        yield f"{'wrote' if self.written else 'would write'} {len(self.files)} files in {self.root}"
        for path in self.files:
            yield f"  {path}"
        yield ""
        for command in self.next:
            yield f"next: {command}"


@dataclass(frozen=True)
class Plan:
    """Files to write below `root`, by path. `folders` are the new folders that they fill;
    without any, the files fill `root` itself.

    `first_commit` is the message of the first commit of a git repository that is made with them.
    """

    name: str
    kind: str
    root: Path
    files: Mapping[str, bytes]
    folders: tuple[str, ...]
    first_commit: str | None
    next: tuple[str, ...]

    def answer(self, *, written: bool, commit: str | None = None) -> Scaffolded:
        """The plan as a user is told it."""
        paths = tuple(sorted(self.files))
        return Scaffolded(self.name, self.kind, self.root, paths, written, commit, self.next)


def new_dataset(
    registry: Registry,
    name: str,
    kind: str | None,
    *,
    title: str | None = None,
    description: str | None = None,
    licence: str | None = None,
    owner: str | None = None,
    dry_run: bool = False,
) -> Scaffolded:
    """A dataset in `registry` that runs, checks and releases as it is, on a small sample."""
    answers = {"title": title, "description": description, "licence": licence, "owner": owner}
    plan = plan_dataset(registry, name, kind, answers)
    return plan.answer(written=False) if dry_run else carry_out(plan)


def new_registry(folder: Path, *, name: str | None = None, dry_run: bool = False) -> Scaffolded:
    """A registry in the new or empty `folder`, as a git repository with a first commit."""
    plan = plan_registry(folder, name)
    return plan.answer(written=False) if dry_run else carry_out(plan)


def plan_dataset(
    registry: Registry, name: str, kind: str | None, answers: Mapping[str, str | None]
) -> Plan:
    """Raises BadRequest for an unusable name or unknown kind, Refused where something is."""
    check_length(check_name(name))
    kind = check_kind(name, kind)
    for folder in Dataset(registry.root, name).folders:
        if new_folders.taken(registry.root / folder):
            known = name in registry.names
            raise Refused(
                f"`{folder}` is there already",
                hint=f"choose another name{'' if known else ', or move that away'}",
            )
    words = name.replace("-", " ")
    defaults = {
        "title": words[:1].upper() + words[1:],
        "description": "A small invented sample, to be replaced by the real data.",
        "licence": "CC0-1.0",
        "owner": "",
    }
    given = {key: check_text(key, text) for key, text in answers.items() if text and text.strip()}
    files = render(read_template(f"dataset/{kind}"), {**defaults, **given, "name": name})
    return Plan(
        name=name,
        kind=kind,
        root=registry.root,
        files=files,
        # The pipeline comes last: it is what makes the name a dataset.
        folders=(f"data/{name}", f"pipelines/{name}"),
        first_commit=None,
        next=(f"dreg run {name}",),
    )


def plan_registry(folder: Path, name: str | None) -> Plan:
    """Raises Refused for a folder that is not empty or lies in a git repository; Outside when git
    does not know who commits.
    """
    root = folder.expanduser().resolve()
    in_git = check_empty(root)
    if not in_git:
        check_identity()
    title = " ".join(check_text("name", name or "").split()) or root.name
    answers = {"title": title, "store": f"{as_file_name(root.name)}-store", "version": __version__}
    message = "Start the registry"
    enter = () if root == Path.cwd().resolve() else (f"cd {shlex.quote(str(folder))}",)
    commit = (f"git add --all && git commit -m '{message}'",) if in_git else ()
    return Plan(
        name=title,
        kind="registry",
        root=root,
        files=render(read_template("registry"), answers),
        folders=(),
        first_commit=None if in_git else message,
        next=(*enter, *commit, "dreg new my-dataset --kind tabular"),
    )


def carry_out(plan: Plan) -> Scaffolded:
    """Write what `plan` says: everything, or on any error nothing."""
    if not plan.folders:
        return plan.answer(written=True, commit=_write_root(plan))
    _write_folders(plan)
    return plan.answer(written=True)


def _write_folders(plan: Plan) -> None:
    with ExitStack() as stages:
        moves = []
        for folder in plan.folders:
            target = plan.root / folder
            target.parent.mkdir(exist_ok=True)
            made = stages.enter_context(new_folders.stage(target.parent)) / target.name
            inside = f"{folder}/"
            new_folders.fill(
                made,
                {
                    path.removeprefix(inside): content
                    for path, content in plan.files.items()
                    if path.startswith(inside)
                },
            )
            moves.append((made, target))
        new_folders.move(moves)


def _write_root(plan: Plan) -> str | None:
    existing = next(path for path in (plan.root, *plan.root.parents) if path.exists())
    with new_folders.stage(existing) as stage:
        made = stage / "registry"
        new_folders.fill(made, plan.files)
        commit = first_commit(made, plan.first_commit) if plan.first_commit else None
        if existing == plan.root:
            # `.dvc` comes last: it is what makes the folder a registry.
            entries = sorted(made.iterdir(), key=lambda entry: (entry.name == ".dvc", entry.name))
            new_folders.move([(entry, plan.root / entry.name) for entry in entries])
        else:
            plan.root.parent.mkdir(parents=True, exist_ok=True)
            new_folders.move([(made, plan.root)])
    return commit


def first_commit(folder: Path, message: str) -> str:
    """Make `folder` a git repository with all that is in it committed; returns the commit."""
    git("init", "--quiet", f"--initial-branch={BRANCH}", cwd=folder)
    # Forced: a user's own ignore rules (say, for `.env*`) do not decide what a registry is.
    git("add", "--all", "--force", cwd=folder)
    git("commit", "--quiet", f"--message={message}", cwd=folder)
    return Repository(folder).ask("rev-parse", "HEAD")


def check_identity() -> None:
    """Raises Outside when git would refuse to commit for want of a name or address."""
    for who in ("GIT_AUTHOR_IDENT", "GIT_COMMITTER_IDENT"):
        if Repository(Path.cwd()).try_("var", who) is None:
            raise Outside(
                "git does not know who you are, and a registry starts with a commit",
                hint='git config --global user.name "Your Name"; '
                "git config --global user.email you@example.com",
            )


def check_empty(root: Path) -> bool:
    """Whether the new or empty folder `root` is a git repository already. Raises Refused."""
    if (root / ".dvc").is_dir():
        raise Refused(
            f"`{root}` is a registry already",
            hint=f"make a dataset in it: dreg -C {shlex.quote(str(root))} new NAME --kind tabular",
        )
    if new_folders.taken(root) and not root.is_dir():
        raise Refused(f"`{root}` is a file", hint="name a new or an empty folder")
    inside = sorted(entry.name for entry in root.iterdir()) if root.is_dir() else []
    in_the_way = [name for name in inside if name != ".git"]
    if in_the_way:
        raise Refused(
            f"`{root}` is not empty: it has `{in_the_way[0]}`",
            hint="name a new or an empty folder: dreg init my-registry",
        )
    around = next((folder for folder in root.parents if (folder / ".git").exists()), None)
    if around:
        raise Refused(
            f"`{root}` lies in the git repository `{around}`, and a registry is one of its own",
            hint="name a folder outside it",
        )
    return ".git" in inside


def kinds() -> tuple[str, ...]:
    """Kinds of dataset that can be made, sorted."""
    return dataset_kinds()


def check_kind(name: str, kind: str | None) -> str:
    """`kind` if there is a template for it. Raises BadRequest, suggesting the closest."""
    if kind in kinds():
        return kind
    close = difflib.get_close_matches(kind or "", kinds(), n=1)
    raise BadRequest(
        f"no kind of dataset is called `{kind}`" if kind else f"what kind of dataset is `{name}`?",
        hint=f"dreg new {name} --kind {close[0] if close else '|'.join(kinds())}",
    )


def check_length(name: str) -> str:
    """`name` if files may be called that. Raises BadRequest."""
    if len(name) > LONGEST_NAME:
        raise BadRequest(
            f"a name of {len(name)} characters is too long",
            hint=f"use at most {LONGEST_NAME} characters",
        )
    return name


def check_text(what: str, text: str) -> str:
    """`text` if it can be written to a file. Raises BadRequest."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"the {what} is not UTF-8 text", hint="type it in UTF-8") from error
    return text


def as_file_name(name: str) -> str:
    """`name` with only what needs quoting nowhere: neither in a shell nor in DVC's configuration."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "registry"
