"""The table of faults, and README's quote of it."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.commands import COMMANDS
from tests.faults.table import QUOTED, README, lines_of


def test_readme_quotes_a_table_in_which_nothing_is_lost(request):
    if request.config.getoption("--write-faults"):
        pytest.skip("it is being written")
    quoted = QUOTED.search(README.read_text())
    assert quoted
    if not quoted[0]:
        pytest.skip("`make faults` has not written README's table yet")
    rows = [line.strip("| ").split(" | ") for line in quoted[0].splitlines()[2:]]
    counts = {kind: tuple(map(int, numbers)) for kind, *numbers in rows}
    total = counts.pop("**all**")
    assert total == tuple(map(sum, zip(*counts.values(), strict=True)))
    assert all(tried == survived and lost == 0 for tried, survived, lost in counts.values())
    kills = {kind for kind in counts if kind.startswith("kill -9 ")}
    assert {f"kill -9 at a step of {name}" for name in COMMANDS} <= kills, "make faults"
    assert sum(counts[kind][0] for kind in kills) >= 200


def test_what_did_not_survive_is_lost():
    counted = {"b": Counter(tried=3, survived=2), "a": Counter(tried=1, survived=1)}
    assert list(lines_of(counted))[2:] == [
        "| a | 1 | 1 | 0 |",
        "| b | 3 | 2 | 1 |",
        "| **all** | 4 | 3 | 1 |",
    ]
