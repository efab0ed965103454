"""dreg submit: hand a run to Argo or Ray, and look after it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer
import typer.core

from dreg.commands import (
    AddressOpt,
    BumpName,
    BumpOpt,
    ComputeOpt,
    ContextOpt,
    DryRunOpt,
    ForceOpt,
    NamespaceOpt,
    RunNamesArg,
    answers,
)
from dreg.output import out

USUAL = "run"


class Submitting(typer.core.TyperGroup):
    """`dreg submit NAME` is `dreg submit run NAME`: a dataset is what is no command, or goes `--to` somewhere."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        goes = any(word == "--to" or word.startswith("--to=") for word in args)
        commands = {USUAL} if goes else self.commands.keys()
        if args and args[0] not in (*commands, *ctx.help_option_names):
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


@app.command()
@answers("dreg.submit.answer:Submitted")
def run(
    to: Annotated[ToName, typer.Option(help="Who runs it.")],
    names: RunNamesArg = None,
    bump: BumpOpt = BumpName.auto,
    force: ForceOpt = False,
    compute_type: ComputeOpt = "cpu-small",
    dry_run: DryRunOpt = False,
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
    template: Annotated[
        Template | None,
        typer.Option(help="Argo's WorkflowTemplate; default: data-pipeline.", show_default=False),
    ] = None,
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

    asked = Asked(
        tuple(dict.fromkeys(names or ())),
        bump.value,
        force,
        compute_type,
        dry_run,
        template=template and template.value,
        image=image,
        repo=repo,
    )
    place = Place(namespace, context, address)
    out.answer(submit(asked, To(to.value), place, name=name, wait=wait, follow=follow))


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
