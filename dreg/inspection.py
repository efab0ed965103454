"""Whether a dataset keeps what its contract says: by its profile, and by its data where that is needed.

Arrow is imported where the data is read: most of what is asked, a profile answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from dreg.adapters.dvc import Pipeline
from dreg.core.contract import Contract
from dreg.core.evidence import Evidence
from dreg.core.freshness import UNCACHED
from dreg.core.gates import Breach, Shared, breaches, too_many_nulls
from dreg.core.profile import Profile
from dreg.core.snapshot import INDEX
from dreg.core.violations import Answers, Question, Violation, asked, violations
from dreg.errors import Refused
from dreg.freshness import native_state
from dreg.output import out, size
from dreg.registry import Dataset

WORTH_A_NOTE = 500_000_000  # bytes


def violated(dataset: Dataset, contract: Contract, profile: Profile) -> tuple[Violation, ...]:
    """Every promise that is broken, with samples that break it.

    The profile decides what it can; for the rest, and to name samples, the data in the tree is
    read, just the columns in question. Raises Refused when it is not here and has to decide.
    """
    questions = asked(contract, profile)
    if not questions:
        return violations(contract, profile)
    return violations(contract, profile, _answers(dataset, contract, questions))


def breached(
    dataset: Dataset, contract: Contract, profile: Profile, before: Profile | None
) -> tuple[Breach, ...]:
    """Every bound that is not kept; `before` is the last release's profile."""
    gates = contract.gates
    shared, nulls = _shared(dataset, contract), _nulls(dataset, contract, profile)
    return breaches(gates, contract.classes, profile, before, shared, nulls)


def _nulls(
    dataset: Dataset, contract: Contract, profile: Profile
) -> dict[tuple[str, str], Evidence]:
    """Samples with nulls where there are more than a gate lets pass, if the data is here."""
    questions = [
        Question(column, "nulls", split, decided=True)
        for column, split, _ in too_many_nulls(contract.gates, profile)
        if split in contract.splits
    ]
    files = files_here(dataset, contract) if questions else None
    if files is None:
        return {}
    tell_of_reading(dataset, files)
    from dreg.adapters.promises.scan import answered

    found = answered(questions, contract, files, dataset.data)
    return {(column, split): evidence for (column, _, split), evidence in found.items()}


def _shared(dataset: Dataset, contract: Contract) -> Shared | None:
    """What is in more than one split, as far as a gate asks."""
    gates = contract.gates
    if (gates.max_leakage is None and not gates.max_near_duplicates) or len(contract.splits) < 2:
        return None
    from dreg.adapters.promises.shared import leaked, near_duplicates

    files = files_here(dataset, contract)
    samples = Evidence()
    values: Mapping[str, Evidence] = {}
    if gates.max_leakage is not None:
        index = dataset.data / INDEX
        if not index.is_file():
            raise not_here(dataset, "`max_leakage`")
        samples = leaked(index, contract, files, dataset.data)
    if columns := tuple(gates.max_near_duplicates):
        if files is None:
            raise not_here(dataset, "`max_near_duplicates`")
        tell_of_reading(dataset, files)
        values = near_duplicates(columns, contract, files, dataset.data)
    return Shared(samples, values)


def not_as_measured(dataset: Dataset) -> tuple[Violation, ...]:
    """Where the data in the tree, or its profile, is not what the pipeline's last run left."""
    folder = f"{dataset.folders[1]}/"
    gone = ("missing", UNCACHED)
    return tuple(
        Violation("the data in the tree", f"is not what was measured: {text}")
        for text in native_state(Pipeline(dataset.root, dataset.name)).why
        if text.startswith(folder) and not text.endswith(gone)
    )


def _answers(dataset: Dataset, contract: Contract, questions: Sequence[Question]) -> Answers:
    files = files_here(dataset, contract)
    if files is None:
        open_ = [question for question in questions if not (question.decided or question.near)]
        if open_:
            raise not_here(dataset, f"`{open_[0].promise}` of column `{open_[0].column}`")
        for near in (question for question in questions if question.near):
            out.warn(
                f"column `{near.column}` reaches its bound in split `{near.split}` to the twelve digits "
                f"of the profile; whether it goes beyond, only the data tells: dreg run {dataset.name}"
            )
        if all(question.near for question in questions):
            return {}
        out.note(f"samples are not named: the data is not here: dreg run {dataset.name}")
        return {}
    tell_of_reading(dataset, files)
    from dreg.adapters.promises.scan import answered

    return answered(questions, contract, files, dataset.data)


def tell_of_reading(dataset: Dataset, files: Mapping[str, Sequence[Path]]) -> None:
    total = sum(path.stat().st_size for paths in files.values() for path in paths)
    if total > WORTH_A_NOTE:
        out.note(f"reading the data of `{dataset.name}`, {size(total)}")


def files_here(dataset: Dataset, contract: Contract) -> Mapping[str, Sequence[Path]] | None:
    """The files of every split; None if there are splits of which none is here."""
    from dreg.adapters.split_files import split_files

    found = {}
    for name, split in contract.splits.items():
        if not all(any(dataset.data.glob(pattern)) for pattern in split.files):
            return None
        found[name] = list(split_files(dataset.data, split))
    return found


def not_here(dataset: Dataset, what: str) -> Refused:
    return Refused(
        f"the data of `{dataset.name}` is not here, and {what} cannot be checked without it",
        hint=f"dreg run {dataset.name}",
    )
