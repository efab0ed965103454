"""Results as a table on the terminal, in results.json and in README."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
from pathlib import Path

from bench.measure import Result

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / "bench" / "results.json"
README = ROOT / "README.md"
START, END = "<!-- bench -->\n", "<!-- /bench -->"


def table(results: list[Result]) -> str:
    head = ["job", "peer", "ours s", "peer s", "ratio", "bar", "ours MB", "peer MB", "met"]
    rows = [head]
    for r in results:
        limit = f"{r.megabytes:.0f}" + (f" (<= {r.memory_bar:.0f})" if r.memory_bar else "")
        rows.append(
            [named(r), r.peer, f"{r.seconds:.3f}", f"{r.peer_seconds:.3f}", f"{r.ratio:.2f}",
             allowed(r), limit, f"{r.peer_megabytes:.0f}", "yes" if r.met else "NO"]
        )  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    return "\n".join(
        "  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows
    )


def allowed(result: Result) -> str:
    """The bar in words."""
    if result.most is not None:
        return f"<= {result.most:g} s"
    if result.more is not None:
        return f"<= {result.more:g} s more"
    return f"<= {result.bar:.2f}" if result.bar is not None else ""


def named(result: Result) -> str:
    return f"{result.name}: {result.rate / 1e6:.1f}M/s" if result.rows else result.name


def write(results: list[Result]) -> None:
    """Put the results in the place of earlier ones of the same jobs, in results.json and README."""
    known = {(r.name, r.peer): r for r in read()}
    known.update({(r.name, r.peer): r for r in results})
    machine = {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
    }
    found = [{**dataclasses.asdict(r), "met": r.met} for r in known.values()]
    FILE.write_text(json.dumps({"machine": machine, "results": found}, indent=2) + "\n")
    text = README.read_text()
    before, after = text[: text.index(START) + len(START)], text[text.index(END) :]
    README.write_text(before + markdown(list(known.values())) + after)


def read() -> list[Result]:
    """The results in results.json."""
    if not FILE.is_file():
        return []
    known = {field.name for field in dataclasses.fields(Result)}
    data = json.loads(FILE.read_text())["results"]
    return [Result(**{key: value for key, value in r.items() if key in known}) for r in data]


def markdown(results: list[Result]) -> str:
    """README's table."""
    lines = [
        "| job | beside | ours | theirs | ratio | bar | memory |",
        "|---|---|---|---|---|---|---|",
    ]
    for r in results:
        bar = allowed(r) if r.met else f"{allowed(r)}, **missed**"
        memory = f"{r.megabytes:.0f} MB, {r.peer_megabytes:.0f} MB"
        times = f"{r.seconds:.2f} s | {r.peer_seconds:.2f} s | {r.ratio:.2f}"
        lines.append(f"| {named(r)} | {r.peer} | {times} | {bar} | {memory} |")
    return "\n".join(lines) + "\n"
