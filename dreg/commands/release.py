"""`dreg release`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from dreg.commands import BranchOpt, BumpName, DatasetsArg, WaitOpt, answers
from dreg.output import out

if TYPE_CHECKING:
    from dreg.release.answer import Released


def complete_gate(incomplete: str) -> list[str]:
    """Names of gates for shell completion."""
    from dreg.core.gates import GATES

    return [gate for gate in GATES if gate.startswith(incomplete)]


def agreed(plan: Released) -> bool:
    """Whether the person at the terminal wants what is planned."""
    for line in plan.lines():
        out.note(line)
    return out.ask(f"release {plan.dataset} {plan.version}?")


@answers("dreg.release.answer:Releases")
def release(
    names: DatasetsArg = None,
    bump: Annotated[
        BumpName,
        typer.Option(help="Raise the computed bump, or lower it for a --reason; major leaves 0.x."),
    ] = BumpName.auto,
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="GATE",
            help="Let the release pass this gate, for a --reason; repeatable.",
            autocompletion=complete_gate,
            show_default=False,
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Why; the tag and the changelog keep it."),
    ] = None,
    initial: Annotated[
        str | None,
        typer.Option(metavar="VERSION", help="Version of a first release; default: 1.0.0."),
    ] = None,
    prerelease: Annotated[
        str | None,
        typer.Option(metavar="LABEL", help="Release X.Y.Z-LABEL.1, then LABEL.2, before X.Y.Z."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the plan, do nothing.")] = False,
    branch: BranchOpt = None,
    sign: Annotated[
        bool | None,
        typer.Option(
            "--sign/--no-sign",
            help="Sign commit and tag with git's key; default: commit.gpgSign, tag.gpgSign.",
            show_default=False,
        ),
    ] = None,
    push: Annotated[
        bool,
        typer.Option(
            "--push/--no-push",
            help="Push commit and tag; without, the next dreg release does. Bytes always go.",
            show_default=False,
        ),
    ] = True,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Don't ask; on a terminal each plan is shown first.")
    ] = False,
    wait: WaitOpt = None,
) -> None:
    """Release datasets: next version, bytes, proof, tag.

    The version is computed from what changed; the tag comes last, when every byte is there.
    Without a name: every dataset that changed since its last release.

    \b
    Example:
      dreg release wine-quality --dry-run
      dreg release wine-quality --initial 0.1.0
      dreg release wine-quality --prerelease rc
      dreg release wine-quality --allow max_drift --reason "new vintage"
      dreg release --bump minor
    """
    from dreg.core.choices import Choices
    from dreg.registry import Registry
    from dreg.release.manner import Manner
    from dreg.release.releasing import release

    choices = Choices.of(
        bump=bump.wanted,
        initial=initial,
        prerelease=prerelease,
        allow=allow or (),
        reason=reason,
    )
    out.answer(
        release(
            Registry.here(),
            names,
            choices=choices,
            manner=Manner(dry_run, branch, sign, push, None if yes or not out.can_ask else agreed),
            wait=wait,
        )
    )
