"""docs/contract.md: every key of a contract, from the schema that editors check it by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dreg.core.contract_schema import contract_schema

EXAMPLE = """\
title: Wine quality
description: Physicochemical measurements of wines, with the marks that tasters gave.
licence: CC-BY-4.0
owner: data team
task: tabular-regression
label: color
splits:
  train: { role: train, files: [processed/train.parquet] }
  val: { role: evaluation, files: [processed/val.parquet] }
columns:
  ph: { type: float64, range: [2.5, 4.5], nullable: true }
  quality: { type: int64, range: [0, 10] }
  vineyard: { type: string, pattern: "[A-Z]{2}-[0-9]+", nullable: true }
  vintage: { type: int64, values: [2004, 2005, 2006, 2007] }
  color: { type: string, classes: [red, white] }

gates:
  min_samples: { train: 4000, val: 1000 }
  min_samples_per_class: 100
  max_nulls: { ph: 0.01 } # a share; 10 would be a count
  metrics: { train: { ph_mean: { min: 3, max: 3.5 } } }
  max_leakage: 0
  max_drift: { mean: 0.5, std: 2, classes: 0.1, psi: 0.25 }

# From the next release on:
overrides:
  - { rule: metric-added, price: none, reason: nobody reads the figures from metadata.json }
thresholds:
  samples-added: { share: 0.1 }
"""


def contract_page() -> Iterator[str]:
    """The lines below the page's title."""
    schema = contract_schema()
    top = schema["properties"]
    yield from (
        "`pipelines/<name>/dataset.yaml` says what consumers of a dataset may rely on. `dreg check` "
        "holds the measured",
        "data against it, and a release that breaks it is refused. A key that is not listed here is "
        "an error.",
        "",
        "```yaml",
        EXAMPLE.rstrip(),
        "```",
        "",
        "Editors complete and check it by [contract.schema.json](contract.schema.json). With the YAML "
        "language server,",
        "the first line of dataset.yaml names a copy of it, `# yaml-language-server: "
        "$schema=../contract.schema.json`,",
        "which `dreg check --schema > pipelines/contract.schema.json` writes.",
        "",
    )
    yield from _table(schema)
    yield from ("", "## splits", "", *_table(top["splits"]["additionalProperties"]))
    column = top["columns"]["additionalProperties"]["anyOf"][1]
    yield from ("", "## columns", "", *_table(column))
    yield from (
        "",
        "## gates",
        "",
        "A promise about splits and columns is never let pass. A gate is what the owner watches: "
        "`dreg release` refuses",
        "when a figure is out of bounds, and `--allow GATE --reason TEXT` lets it pass. The exception "
        "is recorded in",
        "the tag's message (`Dreg-Allowed`, `Dreg-Reason`) and in the changelog.",
        "",
        *_table(top["gates"]),
        "",
        "Drift is told by the figures that a profile has: means and deviations of numbers, "
        "[histograms](profile.md#drift), counts",
        "of classes. A stability index that chance explains counts as 0. A split or column that is new "
        "has not drifted. Numbers",
        "and times that are the key are not looked at: they are others with every sample.",
        "",
        "`max_leakage` counts different samples, `max_near_duplicates` different values, however often "
        "they come.",
        "Texts are compared in Unicode's form NFKC, without regard to case, each run of punctuation "
        "and spaces as one",
        "space; values of other types by their [canonical content](sample-index.md). Nulls, and texts "
        "of nothing but",
        "punctuation, do not count.",
        "",
        "A range of an `upstream` dataset is a promise: `dreg check` and `dreg release` refuse what was made from "
        "another",
        "version. What was made from bytes that are no release yet passes `dreg check`, and no release; `dreg release`, "
        "`ci run`",
        "and `bootstrap` release datasets behind those that they are made from.",
        "",
        "Another promise about the same data (range, values, pattern, nullable, unique, a split's samples), owner "
        "or homepage costs a patch, with the",
        "finding `contract-changed`, which has no rule. Another gate, price or threshold alone is nothing to release.",
        "",
        "## check",
        "",
        "`dreg check` and `dreg release` decide by the profile what it can decide. For `values`, "
        "`pattern`, `unique`,",
        "classes of a column that is not the label, ranges of dates and floats that are at their bound to "
        "the twelve digits of a profile, and to name samples of what is "
        "broken, they read",
        "the data in the tree: just those columns, in batches. What is broken names up to five samples "
        "by file, row and",
        "key; with `--json` always five, in words the fewer the more is broken.",
    )
    yield from (
        "",
        "## overrides and thresholds",
        "",
        "They change what a [rule](rules.md) costs or tolerates. What counts is the contract of the "
        "release before: no",
        "release lowers its own price. Findings say so, as in `minor (instead of major: <reason>)`. "
        "The price `none` makes",
        "a finding free; but other bytes cost at least a patch. What a rule about drift or samples "
        "tolerates, the rule",
        "about small changes tells, so no difference is lost. `dreg rules` shows every threshold.",
        "",
        *_table(top["overrides"]["items"]),
    )


def _table(schema: Mapping[str, Any]) -> Iterator[str]:
    yield from ("| key | needed | what |", "|---|---|---|")
    for key, value in schema["properties"].items():
        needed = "yes" if key in schema.get("required", ()) else ""
        choices = (
            f" One of: {', '.join(value['enum'])}." if len(value.get("enum", ())) in (2, 4) else ""
        )
        yield f"| `{key}` | {needed} | {value['description']}{choices} |"
