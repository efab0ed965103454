"""One file per command: parse, ask the library, answer. Shared argument types live here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from dreg.core.version import Bump

Command = TypeVar("Command", bound=Callable[..., None])


def answers(kind: str) -> Callable[[Command], Command]:
    """Name the answer a command gives, as `module:Class`, for the reference in docs/cli.md.

    A string, so that a command's module still imports nothing until it runs.
    """

    def declare(command: Command) -> Command:
        command.answers = kind  # type: ignore[attr-defined]
        return command

    return declare


# Typer evaluates the hints of these functions late, when the module `dreg.commands.list` has
# taken the name `list` in this package.
def complete_dataset(incomplete: str) -> Sequence[str]:
    """Dataset names for shell completion; an unusable registry completes nothing."""
    from dreg.errors import DregError
    from dreg.registry import Registry

    try:
        return [name for name in Registry.here().names if name.startswith(incomplete)]
    except DregError:
        return []


DatasetArg = Annotated[
    str, typer.Argument(metavar="NAME", autocompletion=complete_dataset, help="A dataset.")
]
DatasetsArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...", autocompletion=complete_dataset, show_default=False, hidden=True
    ),
]


def complete_request(incomplete: str) -> Sequence[str]:
    """`name`, and behind an `@` the versions that a range may resolve to, for shell completion."""
    return _complete_version(incomplete, yanked=False)


def complete_yanked(incomplete: str) -> Sequence[str]:
    """`name`, and behind an `@` the versions that are yanked, for shell completion."""
    return _complete_version(incomplete, yanked=True)


def _complete_version(incomplete: str, *, yanked: bool) -> Sequence[str]:
    from dreg.catalog import releases_of
    from dreg.errors import DregError
    from dreg.registry import Registry

    name, at, wanted = incomplete.partition("@")
    if not at:
        return complete_dataset(incomplete)
    try:
        found = releases_of(Registry.here().root, name)
    except DregError:
        return []
    versions = [str(release.version) for release in found if bool(release.yanked) is yanked]
    return [f"{name}@{version}" for version in reversed(versions) if version.startswith(wanted)]


RequestArg = Annotated[
    str,
    typer.Argument(
        metavar="NAME[@VERSION]",
        help="A dataset; of its releases this one, or the latest.",
        autocompletion=complete_request,
    ),
]
RequestsArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME[@VERSION]]...",
        help="Datasets or releases; all by default.",
        autocompletion=complete_request,
        show_default=False,
    ),
]
RepoOpt = Annotated[
    str | None,
    typer.Option("--repo", metavar="URL", help="A registry elsewhere, by URL or path; no clone."),
]
RemoteOpt = Annotated[
    str | None,
    typer.Option(metavar="NAME|URL", help="Where the bytes are; or DREG_REMOTE."),
]
BranchOpt = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Release on this branch; default: the one checked out."),
]
AsideOpt = Annotated[
    bool, typer.Option("--force", help="Move a folder with local changes aside first.")
]
SignedOpt = Annotated[
    bool, typer.Option("--require-signed", help="Refuse a release without a good signature.")
]
FilesDryRunOpt = Annotated[
    bool, typer.Option("--dry-run", help="Only list the files it would write.")
]
JobsOpt = Annotated[
    int | None,
    typer.Option(
        min=1, metavar="N", help="How many datasets at once; default: the cores, at most 4."
    ),
]
WaitOpt = Annotated[
    float | None,
    typer.Option(
        min=0,
        metavar="SECONDS",
        help="How long to wait for another dreg at the dataset; default: DREG_WAIT, else 600.",
        show_default=False,
    ),
]
EmbeddedOpt = Annotated[
    bool,
    typer.Option(
        "--embedded", help="In a Postgres of your own, started when needed; no PGVECTOR_*."
    ),
]


class BumpName(StrEnum):
    """The bumps one can ask for; `auto` takes the computed one."""

    auto = "auto"
    patch = "patch"
    minor = "minor"
    major = "major"

    @property
    def wanted(self) -> Bump | None:
        """The bump that is asked for instead of the computed one."""
        from dreg.core.version import Bump

        return None if self is BumpName.auto else Bump[self.name.upper()]


def complete_compute(incomplete: str) -> Sequence[str]:
    """Compute types for shell completion."""
    from dreg.core.ci.compute import COMPUTE_TYPES

    return [name for name in COMPUTE_TYPES if name.startswith(incomplete)]


# What a run is told, here or where it is submitted to; a workflow's inputs have these names.
RunNamesArg = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAME]...",
        envvar="DREG_DATASETS",
        show_envvar=False,
        autocompletion=complete_dataset,
        show_default=False,
        hidden=True,
    ),
]
BumpOpt = Annotated[
    BumpName,
    typer.Option(
        envvar="DREG_BUMP", show_envvar=False, help="Raise the computed bump (DREG_BUMP)."
    ),
]
ForceOpt = Annotated[
    bool,
    typer.Option(
        "--force",
        "-f",
        envvar="DREG_FORCE",
        show_envvar=False,
        help="Run every stage, changed or not (DREG_FORCE).",
    ),
]
ComputeOpt = Annotated[
    str,
    typer.Option(
        metavar="TYPE",
        envvar="DREG_COMPUTE_TYPE",
        show_envvar=False,
        autocompletion=complete_compute,
        help="What pipelines are given: cpu- or gpu-, small, medium or large (DREG_COMPUTE_TYPE).",
    ),
]
DryRunOpt = Annotated[
    bool,
    typer.Option(
        "--dry-run",
        envvar="DREG_DRY_RUN",
        show_envvar=False,
        help="Run and check, and say what would be released (DREG_DRY_RUN).",
    ),
]
NamespaceOpt = Annotated[
    str | None,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAME",
        help="The namespace; default: the kubeconfig's.",
        show_default=False,
    ),
]
ContextOpt = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The kubeconfig's context.", show_default=False),
]
AddressOpt = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="A Ray cluster's own job API (RAY_API_SERVER_ADDRESS); without, RayJobs in Kubernetes.",
        show_default=False,
    ),
]
