"""The table of faults at the end of a test run: how many were tried, survived, lost.

A fault is lost when anything that was promised does not hold after it; its test fails as well.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

Fault = Callable[[str], AbstractContextManager[None]]
KEY = "fault"
README = Path(__file__).resolve().parents[2] / "README.md"
QUOTED = re.compile(r"(?<=<!-- faults -->\n).*(?=<!-- /faults -->)", re.DOTALL)


@pytest.fixture
def fault(request: pytest.FixtureRequest) -> Fault:
    """`with fault("what happens"):` counts one fault, survived if the block holds."""
    counted: list[tuple[str, Any]] = request.node.user_properties

    @contextmanager
    def one(kind: str) -> Iterator[None]:
        counted.append((KEY, (kind, "tried")))
        yield
        counted.append((KEY, (kind, "survived")))

    return one


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-faults", action="store_true", help="write README's table of faults")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    lines = list(lines_of(tally(terminalreporter)))
    if lines:
        terminalreporter.section("faults")
        for line in lines:
            terminalreporter.write_line(line)
        if config.getoption("--write-faults"):
            text = "".join(f"{line}\n" for line in lines)
            README.write_text(QUOTED.sub(lambda _: text, README.read_text()))


def tally(terminalreporter: Any) -> dict[str, Counter[str]]:
    """Counts by kind of fault, of all tests that this run reports."""
    kinds: dict[str, Counter[str]] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for key, value in report.user_properties:
                if key == KEY:
                    kinds.setdefault(value[0], Counter())[value[1]] += 1
    return kinds


def lines_of(kinds: dict[str, Counter[str]]) -> Iterator[str]:
    """The table in Markdown; nothing if no fault was tried."""
    if not kinds:
        return
    rows = [(kind, c["tried"], c["survived"]) for kind, c in sorted(kinds.items())]
    rows.append(("**all**", sum(row[1] for row in rows), sum(row[2] for row in rows)))
    yield "| fault | tried | survived | lost |"
    yield "|---|---|---|---|"
    for kind, tried, survived in rows:
        yield f"| {kind} | {tried} | {survived} | {tried - survived} |"
