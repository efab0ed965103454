"""dreg ci: what automated runs do, and what they can be asked from a laptop just as well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dreg.commands import (
    BranchOpt,
    BumpName,
    BumpOpt,
    ComputeOpt,
    DryRunOpt,
    ForceOpt,
    RunNamesArg,
    WaitOpt,
    answers,
)
from dreg.output import out

app = typer.Typer(
    name="ci",
    help="What automated runs do: run and release as one step, plan a push, review a pull request.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    epilog="Example: dreg ci run wine-quality",
)


RepoOpt = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Clone this registry first, into a folder that goes with the run; DREG_REPO where none is here.",
        show_default=False,
    ),
]


@app.command()
@answers("dreg.ci.answer:Result")
def run(
    names: RunNamesArg = None,
    bump: BumpOpt = BumpName.auto,
    force: ForceOpt = False,
    compute_type: ComputeOpt = "cpu-small",
    results: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Write result.json there.", show_default=False),
    ] = None,
    dry_run: DryRunOpt = False,
    branch: BranchOpt = None,
    repo: RepoOpt = None,
    wait: WaitOpt = None,
) -> None:
    """Run, check and release datasets, as one step.

    Without a name: all; DREG_DATASETS has names, too. What is as it was released is not even fetched. One that
    fails stops only those made from it. The tag's message says which automated run made it.

    \b
    Example:
      dreg ci run
      dreg ci run wine-quality --force --out results
      dreg ci run --repo https://github.com/acme/data-registry
    """
    from dreg.ci.cloning import registry_at
    from dreg.ci.running import ci_run
    from dreg.core.choices import Choices

    out.answer(
        ci_run(
            registry_at(repo, branch=branch, logs=results),
            names,
            choices=Choices(bump=bump.wanted),
            compute=compute_type,
            force=force,
            dry_run=dry_run,
            branch=branch,
            results=results,
            wait=wait,
        )
    )


@app.command()
@answers("dreg.ci.planning:Planned")
def plan(
    names: RunNamesArg = None,
    changed_since: Annotated[
        str | None,
        typer.Option(
            metavar="REV",
            envvar="DREG_CHANGED_SINCE",
            show_envvar=False,
            help="Only what was touched since this commit (DREG_CHANGED_SINCE).",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option(min=1, max=256, metavar="N", help="So many jobs at most.")
    ] = 8,
    results: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write groups.json there: names, job by job.",
            show_default=False,
        ),
    ] = None,
    repo: RepoOpt = None,
) -> None:
    """Which datasets a push or a pull request touches, as the matrix of a workflow.

    By their pipelines, contracts and data, what their stages read, the packages that are
    installed, and the datasets they are made from. Without --changed-since: all, or the named ones.

    \b
    Example:
      dreg ci plan --changed-since origin/main
      dreg ci plan --json
    """
    from dreg.ci.cloning import registry_at
    from dreg.ci.planning import ci_plan

    with registry_at(repo) as registry:
        out.answer(ci_plan(registry, names, since=changed_since, at_most=jobs, results=results))


@app.command()
@answers("dreg.ci.review:Review")
def review(
    base: Annotated[
        str,
        typer.Option(
            metavar="REV",
            envvar="DREG_BASE",
            show_envvar=False,
            help="What it is to be merged into (DREG_BASE).",
        ),
    ],
    head: Annotated[
        str | None,
        typer.Option(
            metavar="SHA",
            envvar="DREG_HEAD",
            show_envvar=False,
            help="What to call the reviewed commit, if not HEAD (DREG_HEAD).",
            show_default=False,
        ),
    ] = None,
    pull: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            envvar="DREG_PULL",
            show_envvar=False,
            help="The pull request's number (DREG_PULL).",
            show_default=False,
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Write review.md, review.json and pictures/ there.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """What a pull request does to datasets, as Markdown.

    Next versions, findings, gates, samples, and who is made from it. Needs no keys: what cannot be
    had without is told as not seen.

    \b
    Example:
      dreg ci review --base origin/main
      dreg ci review --base origin/main --pull 7 --out review
    """
    from dreg.ci.review import ci_review
    from dreg.registry import Registry

    out.answer(ci_review(Registry.here(), base, head=head, pull=pull, results=results))


@app.command()
@answers("dreg.ci.posting:Posted")
def comment(
    results: Annotated[Path, typer.Argument(metavar="DIR", help="What `dreg ci review` wrote.")],
    head: Annotated[
        str,
        typer.Option(
            metavar="SHA",
            envvar="DREG_HEAD",
            show_envvar=False,
            help="The commit that was reviewed, from a source to be trusted (DREG_HEAD).",
        ),
    ],
    run: Annotated[
        int | None,
        typer.Option(
            "--run",
            metavar="NUMBER",
            envvar="DREG_REVIEW_RUN",
            show_envvar=False,
            help="The workflow's run that has the review's files (DREG_REVIEW_RUN).",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Post a review on its pull request, or bring the one that is there up to date.

    Needs GITHUB_TOKEN and GITHUB_REPOSITORY. The review may come from a job that ran anybody's code:
    nothing of it is taken for markup.

    \b
    Example:
      dreg ci comment review --head $SHA
    """
    from dreg.ci.posting import ci_comment

    out.answer(ci_comment(results, head=head, run=str(run or "")))


@app.command()
@answers("dreg.ci.rendering:Rendered")
def render(
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; refuse files that are otherwise.")
    ] = False,
    cluster: Annotated[
        bool,
        typer.Option(
            "--cluster", help="Also those for Argo and Ray, in deploy/; once there, they are kept."
        ),
    ] = False,
) -> None:
    """Write the files of GitHub's workflows, Argo and Ray, from one model of inputs and compute types.

    \b
    Example:
      dreg ci render
      dreg ci render --cluster
      dreg ci render --check
    """
    from dreg.ci.rendering import render as write
    from dreg.registry import Registry

    out.answer(write(Registry.here(), check=check, cluster=cluster))
