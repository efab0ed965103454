"""What became of single samples between two snapshots, as their sample indexes tell it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dreg.core.profile import Profile
from dreg.core.types import spelled, widens


@dataclass(frozen=True)
class SplitChanges:
    """Samples of one split that came, went, have another content under their key, or are as before.

    Those that moved to or from another split are not among the ones that came or went.
    """

    added: int = 0
    removed: int = 0
    changed: int = 0
    kept: int = 0

    @property
    def touched(self) -> int:
        """How many samples are not as before."""
        return self.added + self.removed + self.changed


@dataclass(frozen=True)
class SampleChanges:
    """What became of the samples, by split; `moved` counts by (split before, split now).

    `keyed`: samples are told apart by the contract's key, else by their content alone: then none
    has `changed`, it went and another came. `contents` is false where only keys could be compared,
    because there are other columns than before, and so every content is another.
    """

    splits: Mapping[str, SplitChanges] = field(default_factory=dict)
    moved: Mapping[tuple[str, str], int] = field(default_factory=dict)
    keyed: bool = False
    contents: bool = True

    @property
    def total(self) -> SplitChanges:
        """All splits together."""
        every = self.splits.values()
        return SplitChanges(
            added=sum(split.added for split in every),
            removed=sum(split.removed for split in every),
            changed=sum(split.changed for split in every),
            kept=sum(split.kept for split in every),
        )

    def of(self, split: str) -> SplitChanges:
        """The changes of a split; none for one that neither side has."""
        return self.splits.get(split, SplitChanges())

    def came(self, split: str) -> int:
        """Samples that moved into the split."""
        return sum(number for (_, to), number in self.moved.items() if to == split)

    def went(self, split: str) -> int:
        """Samples that moved out of the split."""
        return sum(number for (out, _), number in self.moved.items() if out == split)

    def renamed(self, names: Mapping[str, str]) -> SampleChanges:
        """The changes where splits are called otherwise: what is in `names[a]` now did not leave `a`.

        Under a key that stayed may be another content, so contents are not known then.
        """
        if not names:
            return self
        splits: dict[str, SplitChanges] = {}
        for name, split in self.splits.items():
            called = names.get(name, name)
            known = splits.get(called, SplitChanges())
            stayed = self.moved.get((name, called), 0) if name in names else 0
            splits[called] = SplitChanges(
                added=known.added + split.added,
                removed=known.removed + split.removed,
                changed=known.changed + split.changed,
                kept=known.kept + split.kept + stayed,
            )
        moved = {
            (names.get(out, out), to): number
            for (out, to), number in self.moved.items()
            if names.get(out) != to
        }
        return replace(self, splits=splits, moved=moved, contents=self.contents and not self.keyed)

    def before(self) -> dict[str, int]:
        """How many samples each split had."""
        return {
            name: split.kept + split.changed + split.removed + self.went(name)
            for name, split in self.splits.items()
        }

    def after(self) -> dict[str, int]:
        """How many samples each split has."""
        return {
            name: split.kept + split.changed + split.added + self.came(name)
            for name, split in self.splits.items()
        }

    def told(self) -> str:
        """One phrase: `120 added, 3 removed`; `none changed` if so."""
        total = self.total
        numbers = {
            "added": total.added,
            "removed": total.removed,
            "changed": total.changed,
            "moved": sum(self.moved.values()),
        }
        parts = [f"{number:,} {word}" for word, number in numbers.items() if number]
        return ", ".join(parts) or "none changed"

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads."""
        return {
            "splits": {name: vars(split) for name, split in self.splits.items()},
            "moved": [
                {"from": out, "to": to, "samples": number}
                for (out, to), number in sorted(self.moved.items())
            ],
            "keyed": self.keyed,
            "contents": self.contents,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SampleChanges:
        """The changes that `to_json` gave; what is left out is as in none."""
        return cls(
            splits={name: SplitChanges(**split) for name, split in data.get("splits", {}).items()},
            moved={(m["from"], m["to"]): m["samples"] for m in data.get("moved", ())},
            keyed=data.get("keyed", False),
            contents=data.get("contents", True),
        )


def other_keys(old: Profile, new: Profile) -> bool:
    """Whether samples have other keys only because the contract names other columns as key."""
    return old.key is not None and new.key is not None and old.key != new.key


def same_contents(old: Profile, new: Profile) -> bool:
    """Whether a sample that nobody touched has the same hash in both.

    It is made of all columns: with one more or less, of another shape, or of another type that does
    not just hold more values, every sample has another.
    """
    if old.features.keys() != new.features.keys():
        return False
    pairs = [(feature, new.features[name]) for name, feature in old.features.items()]
    return all(
        before.shape == after.shape
        and (
            spelled(before.type) == spelled(after.type)
            or widens(spelled(before.type), spelled(after.type))
        )
        for before, after in pairs
    )


KINDS = ("added", "removed", "changed", "moved")


@dataclass(frozen=True, slots=True)
class Entry:
    """One sample that is not as before: `added`, `removed`, `changed` or `moved`, and its key.

    `split` is where it is now, of a removed one where it was; `before` where a moved one was.
    """

    kind: str
    split: str
    key: str
    before: str = ""
