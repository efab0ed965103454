"""docs/result.md: every key of result.json, from the schema that others can check it by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dreg.core.ci.compute import COMPUTE_TYPES, GIB
from dreg.core.ci.result_schema import result_schema


def result_page() -> Iterator[str]:
    """The lines below the page's title."""
    top = result_schema()["properties"]
    outcome = top["datasets"]["items"]["properties"]
    yield from (
        "`dreg ci run --out DIR` leaves `DIR/result.json`, whatever became of the run, and removes the one "
        "before when it",
        "starts. [result.schema.json](result.schema.json) checks it. Where `GITHUB_STEP_SUMMARY` and "
        "`GITHUB_OUTPUT` are set, it writes a",
        "summary for people, and the outputs `changed` (`true` or `false`), `tags` and `states` (by dataset) "
        "as JSON.",
        "",
        *_table(top),
        "",
        "## datasets",
        "",
        *_table(outcome),
        "",
        "### findings",
        "",
        *_table(outcome["findings"]["items"]["properties"]),
        "",
        "## Compute types",
        "",
        "Pipelines find theirs in the environment: `DREG_COMPUTE_TYPE`, `DREG_CPUS`, `DREG_MEMORY` (bytes), "
        "`DREG_GPUS`, and",
        "`OMP_NUM_THREADS`. As many datasets run side by side as there are processors.",
        "",
        "| type | processors | memory | GPUs |",
        "|---|---|---|---|",
    )
    for one in COMPUTE_TYPES.values():
        yield f"| `{one.name}` | {one.cpus} | {one.memory // GIB} GiB | {one.gpus or ''} |"


def _table(properties: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| key | what |", "|---|---|")
    for key, value in properties.items():
        yield f"| `{key}` | {value['description']} |"
