"""Which version the tree's data earns, and whether it may be released at all."""

from __future__ import annotations

from dataclasses import dataclass

from dreg.core.choices import Choices, as_prerelease, chosen, exceptions
from dreg.core.decision import Decision, above, decide
from dreg.core.evidence import told
from dreg.core.gates import Breach
from dreg.core.profile import Profile
from dreg.core.release import Release, first_version, highest_final, last_final
from dreg.core.rules import USUAL, Pricing
from dreg.core.version import Bump
from dreg.diff.samples import samples_since
from dreg.errors import Refused
from dreg.history import (
    fetched,
    pricing_of,
    profile_of,
    promised_otherwise,
    published,
    published_tags,
    refuse_yanked,
    tell_of_new_prices,
    unless_repeated,
)
from dreg.inspection import breached, violated
from dreg.output import out
from dreg.registry import Dataset, Registry
from dreg.run.running import refuse_unfinished
from dreg.upstream import out_of_range


@dataclass(frozen=True)
class Decided:
    """The decision, and what it was made by: the `last` release and its profile (`old`), among all
    `releases`; gates that are `broken`, and the `exceptions` that a person made, with reasons.
    `light` are tags that have the names of releases and are none."""

    decision: Decision
    last: Release | None
    old: Profile | None
    releases: list[Release]
    broken: tuple[Breach, ...]
    exceptions: tuple[str, ...]
    light: frozenset[str]


def decide_on(dataset: Dataset, choices: Choices, profile: Profile) -> Decided:
    """What the tree's profile comes to against what was released, by a person's choices.

    Raises Refused for data of a yanked release, a gate not passed, a bump lowered without a reason.
    """
    there = published_tags(dataset)
    releases = there.releases
    last, old, pricing = _before(dataset, releases)
    initial = choices.initial or first_version(releases)
    compared = samples_since(dataset, last, old, None, profile) if last and old else None
    changes = compared.changes if compared else None
    promised = promised_otherwise(dataset, last) if last else ()
    version = last.version if last else None
    decision = decide(old, profile, version, initial, pricing, changes, promised)
    if decision.bump is not Bump.NONE or (last and last.yanked):
        refuse_yanked(dataset, profile, releases, promises=decision.only_promises)
    decision = chosen(above(decision, highest_final(releases)), choices, dataset.name)
    if choices.prerelease and decision.bump is not Bump.NONE:
        versions = [release.version for release in releases]
        decision = as_prerelease(decision, choices, versions, dataset.name)
        decision = unless_repeated(dataset, decision, releases, profile)
    broken = _breaches(dataset, decision, profile, old)
    for gate in set(choices.allow) - {breach.gate for breach in broken}:
        out.note(f"`{dataset.name}` passes its gate `{gate}`: there is nothing to allow")
    excepted = exceptions(decision, broken, choices, dataset.name)
    return Decided(decision, last, old, releases, broken, excepted, there.light)


def ready(dataset: Dataset) -> Profile:
    """The tree's profile. Raises Refused for a pipeline that is not up to date, or a contract broken."""
    refuse_unfinished(dataset)
    profile = dataset.profile()
    if profile is None:
        raise Refused(f"`{dataset.name}` was never run", hint=f"dreg run {dataset.name}")
    broken = (
        *violated(dataset, dataset.contract(), profile),
        *out_of_range(Registry(dataset.root), dataset, published),
    )
    if broken:
        raise Refused(
            f"`{dataset.name}` does not keep its contract",
            hint=f"correct the data or pipelines/{dataset.name}/dataset.yaml, then: dreg check {dataset.name}",
            details=told(broken),
        )
    return profile


def _before(
    dataset: Dataset, releases: list[Release]
) -> tuple[Release | None, Profile | None, Pricing]:
    """The release that this one is compared with, its profile, and its prices."""
    last = last_final(releases)
    if last is None:
        return None, None, USUAL
    last = fetched(dataset, last)
    pricing = pricing_of(dataset, last)
    tell_of_new_prices(dataset, pricing)
    return last, profile_of(dataset, last), pricing


def _breaches(
    dataset: Dataset, decision: Decision, profile: Profile, old: Profile | None
) -> tuple[Breach, ...]:
    if decision.bump is Bump.NONE:
        return ()
    contract = dataset.contract()
    return breached(dataset, contract, profile, old)
