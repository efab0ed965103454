"""What is going to be written, and writing it whole: all files appear together, or none does.

Nothing that is there already is ever written over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters import new_folders
from dreg.adapters.git import Repository, git
from dreg.core.wording import numbered
from dreg.errors import BadRequest

BRANCH = "main"


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
        yield f"{'wrote' if self.written else 'would write'} {numbered(len(self.files), 'file')} in {self.root}"
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
            inside = f"{folder}/"
            if not any(path.startswith(inside) for path in plan.files):
                continue
            target = plan.root / folder
            target.parent.mkdir(exist_ok=True)
            made = stages.enter_context(new_folders.stage(target.parent)) / target.name
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


def check_text(what: str, text: str) -> str:
    """`text` if it can be written to a file. Raises BadRequest."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadRequest(f"the {what} is not UTF-8 text", hint="type it in UTF-8") from error
    return text
