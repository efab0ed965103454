"""Where a dataset breaks its contract once its pipeline has run: told, and no reason to fail."""

from __future__ import annotations

from dreg.core.gates import breaches
from dreg.core.profile import Profile
from dreg.core.violations import violations
from dreg.errors import DregError
from dreg.registry import Dataset, Registry


def told_by(dataset: Dataset, profile: Profile) -> tuple[str, ...]:
    """As far as the profile alone tells."""
    contract = dataset.contract()
    gates = breaches(contract.gates, contract.classes, profile)
    return tuple(map(str, (*violations(contract, profile), *gates)))


def found_now(registry: Registry, name: str) -> tuple[str, ...]:
    """By the data as well, which was just measured."""
    from dreg.inspection import breached, violated

    dataset = registry.dataset(name)
    if (profile := dataset.profile()) is None:
        return ()
    contract = dataset.contract()
    try:
        broken = violated(dataset, contract, profile), breached(dataset, contract, profile, None)
    except DregError as error:  # the data is made; that it can't be checked is no failed run
        return (error.fact,)
    return tuple(str(problem) for problems in broken for problem in problems)
