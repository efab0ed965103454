"""dreg submit: hand a run to Argo or Ray, and look after it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
import typer.core

from dreg.commands import answers
from dreg.commands.ci import BumpName, NamesArg, complete_compute
from dreg.output import out

USUAL = "run"


class Submitting(typer.core.TyperGroup):
    """`dreg submit NAME` is `dreg submit run NAME`: only what is no command can be a dataset."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [USUAL, *args]
        return super().parse_args(ctx, args)


class ToName(StrEnum):
    """Who runs it."""

    argo = "argo"
    ray = "ray"


class Template(StrEnum):
    """The WorkflowTemplates that `dreg ci render` makes."""

    data = "data-pipeline"
    embeddings = "embeddings-pipeline"


app = typer.Typer(
    name="submit",
    cls=Submitting,
    help="Have Argo Workflows or Ray run and release datasets: `dreg submit NAME... --to argo`.",
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    epilog="Example: dreg submit wine-quality --to argo --wait",
)

IdArg = Annotated[
    str, typer.Argument(metavar="ID", help="As `dreg submit` told it, such as workflow/NAME.")
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


@app.command()
@answers("dreg.submit.answer:Submitted")
def run(
    to: Annotated[ToName, typer.Option(help="Who runs it.")],
    names: NamesArg = None,
    bump: Annotated[
        BumpName,
        typer.Option(envvar="DREG_BUMP", show_envvar=False, help="Raise the computed bump."),
    ] = BumpName.auto,
    force: Annotated[
        bool,
        typer.Option(
            "--force", "-f", envvar="DREG_FORCE", show_envvar=False, help="Run every stage."
        ),
    ] = False,
    compute_type: Annotated[
        str,
        typer.Option(
            metavar="TYPE",
            envvar="DREG_COMPUTE_TYPE",
            show_envvar=False,
            autocompletion=complete_compute,
            help="What pipelines are given: cpu- or gpu-, small, medium or large.",
        ),
    ] = "cpu-small",
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            envvar="DREG_DRY_RUN",
            show_envvar=False,
            help="Only say there what would be released.",
        ),
    ] = False,
    wait: Annotated[
        bool, typer.Option("--wait", help="Until it is over; exits as its run does.")
    ] = False,
    follow: Annotated[
        bool, typer.Option("--follow", help="And tell meanwhile what it says.")
    ] = False,
    name: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="NAME",
            help="What to call it; submitted again by that name it is the same.",
            show_default=False,
        ),
    ] = None,
    template: Annotated[Template, typer.Option(help="Argo's WorkflowTemplate.")] = Template.data,
    image: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help="What a RayJob runs in; default: the ConfigMap's `ray-image`.",
            show_default=False,
        ),
    ] = None,
    repo: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="The registry, where a Ray cluster has no DREG_REPO.",
            show_default=False,
        ),
    ] = None,
    namespace: NamespaceOpt = None,
    context: ContextOpt = None,
    address: AddressOpt = None,
) -> None:
    """Have datasets run and released in a cluster: what `dreg ci run` does, there.

    As a Workflow of Argo's, a RayJob of KubeRay's, or a job of a Ray cluster. Nothing of this work tree
    goes along: the registry is cloned there.

    \b
    Example:
      dreg submit wine-quality --to argo --wait
      dreg submit run --to ray --compute-type gpu-small --follow
    """
    from dreg.core.submission import Asked
    from dreg.submit.submitting import Place, To, submit

    out.answer(
        submit(
            Asked(tuple(dict.fromkeys(names or ())), bump.value, force, compute_type, dry_run),
            To(to.value),
            Place(namespace, context, address),
            name=name,
            template=template.value,
            image=image,
            repo=repo,
            wait=wait,
            follow=follow,
        )
    )


@app.command()
@answers("dreg.submit.answer:Submitted")
def status(
    submission: IdArg,
    namespace: NamespaceOpt = None,
    context: ContextOpt = None,
    address: AddressOpt = None,
) -> None:
    """How a submission is going.

    \b
    Example:
      dreg submit status workflow/dreg-wine-quality-0a1b2c3d4e
    """
    from dreg.submit.submitting import Place, status

    out.answer(status(submission, Place(namespace, context, address)))


@app.command()
@answers("dreg.submit.answer:Log")
def logs(
    submission: IdArg,
    follow: Annotated[
        bool, typer.Option("--follow", help="As it comes, until the submission is over.")
    ] = False,
    namespace: NamespaceOpt = None,
    context: ContextOpt = None,
    address: AddressOpt = None,
) -> None:
    """What a submission has said.

    \b
    Example:
      dreg submit logs workflow/dreg-wine-quality-0a1b2c3d4e --follow
    """
    from dreg.submit.submitting import Place, logs

    answer = logs(submission, Place(namespace, context, address), follow=follow)
    out.answer(answer, lines=() if follow else None)


@app.command()
@answers("dreg.submit.answer:Submitted")
def cancel(
    submission: IdArg,
    namespace: NamespaceOpt = None,
    context: ContextOpt = None,
    address: AddressOpt = None,
) -> None:
    """End a submission; what it has released stays.

    \b
    Example:
      dreg submit cancel workflow/dreg-wine-quality-0a1b2c3d4e
    """
    from dreg.submit.submitting import Place, cancel

    out.answer(cancel(submission, Place(namespace, context, address)))
