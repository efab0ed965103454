"""The classes of a label: which there are, and how many samples each has."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from dreg.adapters import figures
from dreg.adapters.formats import Piece
from dreg.adapters.index.keys import NoText, texts
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.core.statistics import Samples
from dreg.core.wording import numbered
from dreg.errors import Outside

MOST_CLASSES = 10_000  # each is a line of metadata.json, which is in git


def labels(batch: pa.RecordBatch, contract: Contract, piece: Piece, row: int) -> dict[str, int]:
    """Samples by class, of the classes that some have. The batch begins at row number `row`.

    Raises Outside for a label that is none of the contract's classes, or of a type that makes none.
    """
    name = contract.label
    if name is None or name not in batch.schema.names:
        return {}
    array = batch.column(name)
    classes = contract.columns[name].classes
    if pa.types.is_floating(array.type) and not classes:
        return {}  # a quantity to be predicted has no classes
    values = named(array, classes)
    if values is None:
        raise Outside(
            f"the label `{name}` of `{shown(piece.file)}` has type {array.type}, which makes no classes",
            hint="name a column of texts or whole numbers as `label` in dataset.yaml, or none",
        )
    class_of = finder(classes)
    distribution: dict[str, int] = {}
    for value, number in figures.counts(values).items():
        class_name = class_of(value)
        if class_name is None:
            raise Outside(
                f"{piece.place(row + figures.first_row(values, value))}: label {value!r} in column `{name}` is none of the "
                f"{numbered(len(classes), 'class')}",
                hint="correct the pipeline, or add the class to dataset.yaml",
            )
        distribution[class_name] = distribution.get(class_name, 0) + number
    return distribution


def named(array: pa.Array, classes: tuple[str, ...]) -> pa.Array | None:
    """The indices of classes, or what names them as text; None for values that can do neither."""
    kind = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if pa.types.is_null(kind) or (
        classes and (pa.types.is_integer(kind) or pa.types.is_boolean(kind))
    ):
        return array
    try:
        return texts(array)
    except NoText:
        return None


def finder(classes: tuple[str, ...]) -> Callable[[object], str | None]:
    """What finds the name of the class that a value stands for: itself, or the one at that index."""
    known = frozenset(classes)

    def class_of(value: object) -> str | None:
        if not classes:
            return str(value)
        if isinstance(value, int):  # a truth value too: False is the first class
            return classes[value] if 0 <= value < len(classes) else None
        return str(value) if str(value) in known else None

    return class_of


def none_yet(columns: Mapping[str, object], contract: Contract) -> dict[str, int]:
    """All classes of the contract: one that no sample has is counted too, as that is worth seeing."""
    if contract.label is None or contract.label not in columns:
        return {}
    return dict.fromkeys(contract.columns[contract.label].classes, 0)


def few_enough(samples: Samples, contract: Contract) -> None:
    """Raises Outside when the label takes so many values that they can't be classes."""
    if len(samples.classes) > MOST_CLASSES and not contract.columns[contract.label or ""].classes:
        raise Outside(
            f"the label `{contract.label}` has more than {MOST_CLASSES:,} different values",
            hint="name a column of classes as `label` in dataset.yaml, or none",
        )
