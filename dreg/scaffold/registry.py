"""A new registry: a git repository with a first commit."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from dreg import __version__
from dreg.adapters import new_folders
from dreg.adapters.git import Repository
from dreg.adapters.templates import read_template, render
from dreg.ci.rendering import workflows
from dreg.errors import Outside, Refused
from dreg.scaffold.plan import Plan, Scaffolded, carry_out, check_text


def new_registry(folder: Path, *, name: str | None = None, dry_run: bool = False) -> Scaffolded:
    """A registry in the new or empty `folder`, as a git repository with a first commit."""
    plan = plan_registry(folder, name)
    return plan.answer(written=False) if dry_run else carry_out(plan)


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
    for_automation = {path: text.encode() for path, text in workflows(own=False).items()}
    message = "Start the registry"
    enter = () if root == Path.cwd().resolve() else (f"cd {shlex.quote(str(folder))}",)
    commit = (f"git add --all && git commit -m '{message}'",) if in_git else ()
    return Plan(
        name=title,
        kind="registry",
        root=root,
        files=render(read_template("registry"), answers) | for_automation,
        folders=(),
        first_commit=None if in_git else message,
        next=(*enter, *commit, "dreg new my-dataset --kind tabular"),
    )


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


def as_file_name(name: str) -> str:
    """`name` with only what needs quoting nowhere: neither in a shell nor in DVC's configuration."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "registry"
