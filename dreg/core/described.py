"""What readers of data need of a contract, as a release's profile tells it.

A consumer has the profile; the contract stays in the registry.
"""

from __future__ import annotations

from dreg.core.contract import Column, Contract, ContractSplit
from dreg.core.profile import Profile

UNKNOWN = Contract(title="", description="", licence="", splits={}, columns={})


def described(profile: Profile | None) -> Contract:
    """Types, shapes, classes and label of the columns, and the splits' files; empty if not known."""
    if profile is None:
        return UNKNOWN
    columns = {
        name: Column(
            type=feature.type,
            nullable=feature.nullable,
            shape=feature.shape,
            unit=feature.unit,
            classes=feature.classes,
            model=feature.model,
        )
        for name, feature in profile.features.items()
    }
    splits = {
        name: ContractSplit(split.role or "train", split.files)
        for name, split in profile.splits.items()
    }
    return Contract(
        title=profile.dataset.get("title", ""),
        description=profile.dataset.get("description", ""),
        licence=profile.dataset.get("licence", ""),
        kind=profile.dataset.get("kind", ""),
        splits=splits,
        columns=columns,
        label=profile.label or None,
        key=profile.key or (),
    )
