"""What the peer `datasemver` decides about the tables of bench/rule_tables.py.

`python -m bench.decisions` asks it and writes docs/datasemver.json, from which docs/rules.md takes a
column. It is asked as its help says: two files, their key, its own rules.
"""

from __future__ import annotations

import io
import json
import tempfile
from contextlib import redirect_stdout
from importlib.metadata import version
from pathlib import Path

import pyarrow.parquet as pq

from bench.rule_tables import PAIRS, Pair, Wines

PAGE = Path(__file__).resolve().parents[1] / "docs" / "datasemver.json"
LEFT_OUT = ["picture"]  # it takes no tensors


def table(side: Wines, split: str, path: Path) -> str:
    pq.write_table(side.tables[split].drop_columns(LEFT_OUT), path)
    return str(path)


def decided(pair: Pair, folder: Path) -> str:
    """Its bump for a pair: `major`, `minor`, `patch` or `none`; in brackets, why it isn't asked."""
    from datasemver.cli.main import app

    if pair.peer:
        return f"({pair.peer})"
    old, new = pair.sides()
    files = [
        table(side, pair.split, folder / n) for side, n in ((old, "1.parquet"), (new, "2.parquet"))
    ]
    command = ["diff", *files, "--json"]
    for name in old.contract.get("key", ()):
        if all(name in side.tables[pair.split].column_names for side in (old, new)):
            command += ["--key", name]
    with redirect_stdout(io.StringIO()) as said:
        app(command, standalone_mode=False)
    return json.loads(said.getvalue())["bump"] or "none"


def decisions() -> dict[str, str]:
    """By rule."""
    found = {}
    for name, pair in sorted(PAIRS.items()):
        with tempfile.TemporaryDirectory() as folder:
            found[name] = decided(pair, Path(folder))
    return found


def page() -> str:
    """The text of docs/datasemver.json."""
    told = {"version": version("datasemver"), "decisions": decisions()}
    return json.dumps(told, indent=2) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")  # then: python -m dreg.reference
