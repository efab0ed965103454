"""Every rule on real tables: written, measured by the stage that pipelines run, compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.decisions import PAGE, page
from bench.rule_tables import NAME, PAIRS
from dreg.adapters.index.comparing import IndexDiff
from dreg.core.profile import Profile
from dreg.core.rules import RULES, Finding, assess
from dreg.core.samples import SampleChanges, other_keys, same_contents


def compared(name: str, folder: Path) -> tuple[Finding, ...]:
    """What dreg finds between both sides of a pair."""
    sides = PAIRS[name].sides()
    old, new = (
        Profile.from_json(side.measure(folder / which))
        for side, which in zip(sides, ("old", "new"), strict=True)
    )
    changes: SampleChanges | None = None if other_keys(old, new) else SampleChanges()
    if changes is not None and old.snapshot.samples != new.snapshot.samples:
        indexes = [folder / which / "data" / NAME / "samples.parquet" for which in ("old", "new")]
        changes = IndexDiff(*indexes, contents=same_contents(old, new)).changes()
    return assess(old, new, changes=changes)


def test_every_rule_has_a_pair():
    assert sorted(PAIRS) == sorted(RULES)


@pytest.mark.slow
def test_what_the_peer_decides_is_written_down():
    pytest.importorskip("datasemver")
    assert PAGE.read_text() == page(), "write it again: python -m bench.decisions"


@pytest.mark.parametrize("name", sorted(PAIRS))
def test_what_is_found_in_measured_tables(name, tmp_path):
    found = {finding.rule for finding in compared(name, tmp_path)}
    # That figures moved a little is said beside most changes.
    usual = {"statistics-changed"} - {name}
    assert found - usual == set(PAIRS[name].found) - usual
