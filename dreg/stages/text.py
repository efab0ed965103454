"""Texts: labels as indices, splits that no near-duplicate crosses, and how many words there are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.figures import plain
from dreg.adapters.formats import opened, pieces
from dreg.adapters.promises.shared import normal_form
from dreg.adapters.split_files import split_files
from dreg.errors import Outside
from dreg.stages.split import by_place, place
from dreg.stages.workspace import here

WORD = r"[^\s\p{Z}]+"


def class_indices(names: pa.ChunkedArray, classes: Sequence[str]) -> pa.ChunkedArray:
    """Each class's position in the contract's `classes`, as int64; numbers count as they are written.

    Raises Outside for a name that is none of them, or missing.
    """
    if not pa.types.is_string(names.type):
        names = names.cast(pa.string())
    indices = pc.index_in(names, pa.array(classes, names.type))
    if indices.null_count:
        row = pc.index(pc.is_null(indices), True).as_py()
        raise Outside(
            f"row {row + 1:,} has the label `{names[row].as_py()}`, which is no class",
            hint=f"classes in dataset.yaml: {', '.join(classes)}",
        )
    return indices.cast(pa.int64())


def by_text(table: pa.Table, column: str, share: float) -> tuple[pa.Table, pa.Table]:
    """The rows of `table` in two, as `by_hash` has them, but the text in `column` alone decides.

    It decides in the form that the gate `max_near_duplicates` compares: texts that differ in no more
    than case, punctuation and spaces land in one split. Raises BadRequest as `by_hash` does.
    """
    texts = normal_form(table[column])
    return by_place(table, [place((text or "").encode()) for text in texts.to_pylist()], share)


def words(column: str) -> dict[str, dict[str, float]]:
    """By split, how many words the texts, or documents, of the contract's `column` have: mean, p95 and max.

    A word is what has no space in it; nulls don't count. Raises Outside for files that are missing
    or broken.
    """
    workspace = here()
    contract = workspace.contract()
    figures = {}
    for name, split in contract.splits.items():
        counts: list[np.ndarray] = []
        for piece in pieces(split_files(workspace.data, split), contract):
            with opened(piece, contract) as rows:
                counts += [words_in(plain(batch.column(column))) for batch in rows.batches]
        all_counts = np.concatenate([np.zeros(0, np.int32), *counts])
        if len(all_counts):
            figures[name] = {
                "words_mean": int(all_counts.sum()) / len(all_counts),
                "words_p95": int(np.quantile(all_counts, 0.95, method="inverted_cdf")),
                "words_max": int(all_counts.max()),
            }
    return figures


def words_in(texts: pa.Array) -> np.ndarray:
    """The number of words of each text that is there."""
    return np.asarray(pc.count_substring_regex(pc.drop_null(texts), WORD))
