"""`make bench`: every speed bar beside its named peer; prints a table, writes results.json and README's."""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench import datasets, fetching, linear, pushes, vectors
from bench.measure import Job, Result, run
from bench.report import table, write

BENCH = Path(__file__).resolve().parent
PYTHON = sys.executable
DATASETS = ("wine-quality", "fashion-mnist")
ROWS = 4_000_000  # of the table in bench/table.py
WIDE = 5_000_000  # rows of the table in bench/wide_table.py
SAMPLES = 10_000_000  # in either of the indexes of bench/index_pair.py


def jobs(registry: Path) -> list[Job]:
    """Every bar, in the scratch `registry` where both datasets are up to date."""
    bin_folder = Path(PYTHON).parent
    dreg, dvc = str(bin_folder / "dreg"), str(bin_folder / "dvc")
    fashion = registry / "pipelines" / "fashion-mnist"
    data = registry / "data" / "fashion-mnist"
    pipelines = [f"pipelines/{name}/dvc.yaml" for name in DATASETS]
    nested = registry / ".bench" / "nested"
    rows = registry / ".bench" / "rows.parquet"
    wide = str(registry / ".bench" / "wide.parquet")
    figures = str(registry / ".bench" / "figures.json")
    pair = [str(registry / ".bench" / f"{side}.parquet") for side in ("old", "new")]
    return [
        Job(
            "dreg --help",
            "dvc --help",
            [dreg, "--help"],
            [dvc, "--help"],
            registry,
            bar=1.0,
            runs=15,
        ),
        Job("dreg list", "dvc status", [dreg, "list"], [dvc, "status"], registry, bar=0.5),
        Job("dreg status", "dvc status", [dreg, "status"], [dvc, "status"], registry, bar=0.5),
        Job(
            "dreg run, nothing to do",
            "dvc repro of both",
            [dreg, "run", *DATASETS],
            [dvc, "repro", *pipelines],
            registry,
            bar=1.0,
        ),
        Job(
            "fashion-mnist process",
            "rows by tolist()",
            [PYTHON, "scripts/process.py"],
            [PYTHON, str(BENCH / "peers" / "process_tolist.py"), str(data / "raw"), str(nested)],
            fashion,
            bar=1 / 5,
            memory=500,
            runs=3,
        ),
        Job(
            "fashion-mnist analyze",
            "to_pylist(), float64",
            [PYTHON, "scripts/analyze.py"],
            [
                PYTHON,
                str(BENCH / "peers" / "analyze_pylist.py"),
                str(nested),
                str(registry / ".bench" / "metrics.json"),
            ],
            fashion,
            bar=1 / 5,
            runs=3,
        ),
        Job(
            f"index {ROWS // 1_000_000}M rows, 10 columns",
            "DuckDB: md5, sorted",
            [PYTHON, str(BENCH / "index_table.py"), str(rows), str(nested / "samples.parquet")],
            [
                PYTHON,
                str(BENCH / "peers" / "index_duckdb.py"),
                str(rows),
                str(nested / "md5.parquet"),
            ],
            registry,
            bar=1.0,
            memory=1000,
            runs=3,
            rows=ROWS,
            rate=1e6,
        ),
        Job(
            f"profile {WIDE // 1_000_000}M rows, 20 columns",
            "DuckDB: SUMMARIZE",
            [PYTHON, str(BENCH / "profile_table.py"), wide, figures],
            [PYTHON, str(BENCH / "peers" / "summarize_duckdb.py"), wide],
            registry,
            bar=2.0,
            memory=1000,
            runs=2,
        ),
        Job(
            f"profile {WIDE // 1_000_000}M rows, 20 columns",
            "datasemver, DuckDB engine",
            [PYTHON, str(BENCH / "profile_table.py"), wide, figures],
            [PYTHON, "-m", "datasemver", "profile", wide, "-o", figures, "--engine", "duckdb"],
            registry,
            bar=1.0,
            memory=1000,
            runs=2,
        ),
        Job(
            f"samples diff, {SAMPLES // 1_000_000}M and {SAMPLES // 1_000_000}M",
            "DuckDB: keyed full join",
            [PYTHON, str(BENCH / "index_diff.py"), *pair],
            [PYTHON, str(BENCH / "peers" / "index_diff_duckdb.py"), *pair],
            registry,
            bar=1.5,
            memory=1000,
            runs=3,
        ),
    ]


def prepare(scratch: Path, environment: dict[str, str]) -> Path:
    """A clone of this project in which both datasets have run."""
    registry = scratch / "registry"
    subprocess.run(["git", "clone", "--quiet", str(BENCH.parent), str(registry)], check=True)
    (registry / ".bench" / "nested").mkdir(parents=True)
    with (registry / ".git" / "info" / "exclude").open("a") as exclude:
        exclude.write(".bench*\n")
    command = [PYTHON, "-m", "dreg", "run", *DATASETS]
    subprocess.run(command, cwd=registry, env=environment, check=True, stdout=subprocess.DEVNULL)
    table_maker = [PYTHON, str(BENCH / "table.py"), str(registry / ".bench" / "rows.parquet")]
    subprocess.run(table_maker, check=True)
    wide = str(registry / ".bench" / "wide.parquet")
    subprocess.run([PYTHON, str(BENCH / "wide_table.py"), wide, str(WIDE)], check=True)
    # What the peer of `analyze` reads is what the peer of `process` writes.
    raw, nested = registry / "data" / "fashion-mnist" / "raw", registry / ".bench" / "nested"
    tolist = [PYTHON, str(BENCH / "peers" / "process_tolist.py"), str(raw), str(nested)]
    subprocess.run(tolist, check=True)
    pair_maker = [PYTHON, str(BENCH / "index_pair.py"), str(registry / ".bench"), str(SAMPLES)]
    subprocess.run(pair_maker, check=True, env={**environment, "PYTHONPATH": str(BENCH.parent)})
    return registry


def measured(
    jobs: list[Job], environment: dict[str, str], only: list[str], runs: int | None
) -> list[Result]:
    """The results of the jobs whose name contains one of `only`, of all if that is empty."""
    results = []
    for job in jobs:
        if only and not any(word in job.name for word in only):
            continue
        print(f"{job.name} | {job.peer}", file=sys.stderr, flush=True)
        results.append(run(dataclasses.replace(job, runs=runs or job.runs), environment))
        print(table(results[-1:]).splitlines()[-1], file=sys.stderr, flush=True)
    return results


def loop(scratch: Path, environment: dict[str, str]) -> Iterator[tuple[list[Job], dict[str, str]]]:
    """The loop on the shipped datasets, and what reads tables."""
    yield jobs(prepare(scratch, environment)), environment


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"only these of: {', '.join(PARTS)}")
    parser.add_argument("--only", nargs="*", help="only jobs whose name contains one of these")
    parser.add_argument("--runs", type=int, help="counted runs of each command")
    given = parser.parse_args()
    path = os.pathsep.join([str(Path(PYTHON).parent), os.environ.get("PATH", "")])
    environment = {**os.environ, "PATH": path, "DVC_NO_ANALYTICS": "true"}
    # As users have it: a module is compiled once, not in every run.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    results = []
    for part in given.parts or PARTS:
        with tempfile.TemporaryDirectory(prefix="dreg-bench-") as scratch:
            for found, surroundings in PARTS[part](Path(scratch), environment):
                results += measured(found, surroundings, given.only or [], given.runs)
    print(table(results))
    write(results)
    sys.exit(0 if all(r.met for r in results) else 1)


PARTS = {"loop": loop, "push": pushes.part, "fetch": fetching.part, "many": linear.part,
         "vectors": vectors.part, "datasets": datasets.part}  # fmt: skip


if __name__ == "__main__":
    main()
