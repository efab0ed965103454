"""Reading the data for what the profile cannot tell: which samples break a promise.

Only the columns that are asked about are read, batch by batch; each question is one mask over a
batch. Of millions of samples a few are named.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.figures import plain, values
from dreg.adapters.formats import Piece, opened, pieces
from dreg.adapters.hashing.fingerprints import Unhashable, hashes
from dreg.adapters.index.keys import key_texts
from dreg.adapters.promises.masks import Mask, masks
from dreg.adapters.promises.repeats import Numbers, Pair, Repeats
from dreg.adapters.promises.sample_text import value_texts
from dreg.adapters.scratch import scratch_folder
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.core.evidence import MOST_NAMED, Evidence, Sample
from dreg.core.violations import Answers, Question
from dreg.errors import Outside

Files = Mapping[str, Sequence[Path]]  # by split


@dataclass(frozen=True)
class Part:
    """A batch: the split and piece it is of, the number of its first row there and among all."""

    split: str
    piece: Piece
    row: int
    number: int
    batch: pa.RecordBatch

    def sample(self, row: int, root: Path) -> Sample:
        """Where the batch's row is; `root` is the dataset's folder."""
        return located(self.split, self.piece, self.row + row, root)


def located(split: str, piece: Piece, row: int, root: Path) -> Sample:
    """Where row number `row` of the piece is."""
    if piece.names:
        return Sample(split, (piece.path / piece.names[row]).relative_to(root).as_posix())
    return Sample(split, piece.path.relative_to(root).as_posix(), piece.first + row + 1)


@dataclass
class Places:
    """Where samples are that have been counted through, by number."""

    root: Path
    starts: list[int] = field(default_factory=list)
    pieces: list[tuple[str, Piece]] = field(default_factory=list)
    splits: dict[str, int] = field(default_factory=dict)  # where each starts

    def seen(self, part: Part) -> None:
        self.splits.setdefault(part.split, part.number)
        if part.row == 0:
            self.starts.append(part.number)
            self.pieces.append((part.split, part.piece))

    def sample(self, number: int) -> Sample:
        at = bisect_right(self.starts, number) - 1
        split, piece = self.pieces[at]
        return located(split, piece, number - self.starts[at], self.root)


def parts(files: Files, contract: Contract, columns: Iterable[str] | None) -> Iterator[Part]:
    """All samples of all files, with just these columns; None: all."""
    wanted, number = None if columns is None else tuple(dict.fromkeys(columns)), 0
    for split, paths in files.items():
        for piece in pieces(paths, contract):
            row = 0
            with opened(replace(piece, columns=wanted), contract) as rows:
                for batch in rows.batches:
                    if batch.num_rows:
                        yield Part(split, piece, row, number, batch)
                    row += batch.num_rows
                    number += batch.num_rows


def answered(
    questions: Sequence[Question], contract: Contract, files: Files, root: Path
) -> Answers:
    """What the data says to each question; `root` is the dataset's folder.

    Raises Outside for files that cannot be read, BadRequest for a promise that cannot be asked,
    such as a pattern that is no regular expression.
    """
    tests = {(q.column, q.promise): masks(contract, q) for q in questions if q.promise != "unique"}
    found: dict[tuple[str, str, str], Evidence] = {
        (q.column, q.promise, q.split): Evidence() for q in questions
    }
    unique = [question.column for question in questions if question.promise == "unique"]
    places = Places(root)
    with ExitStack() as stack:
        folder = stack.enter_context(scratch_folder())
        repeats = {name: Repeats(folder / str(i)) for i, name in enumerate(unique)}
        asked = [question for question in questions if question.promise != "unique"]
        columns = [*contract.key, *(question.column for question in questions)]
        for part in parts(files, contract, columns) if questions else ():
            places.seen(part)
            for question in asked:
                if question.split == part.split and question.column in part.batch.schema.names:
                    at = (question.column, question.promise, question.split)
                    test = tests[question.column, question.promise]
                    found[at] = tallied(found[at], part, question.column, test, contract, root)
            for name in unique:
                if name in part.batch.schema.names:
                    remember(repeats[name], part, plain(part.batch.column(name)))
        for name in unique:
            count, pairs = repeats[name].later(MOST_NAMED)
            samples = named(pairs, places, contract, files, name)
            found[name, "unique", ""] = Evidence(count, samples)
    return found


def tallied(
    so_far: Evidence, part: Part, name: str, test: Mask, contract: Contract, root: Path
) -> Evidence:
    """The evidence with what a batch adds to it."""
    array = plain(part.batch.column(name))
    wrong = test(array)
    number = 0 if wrong is None else pc.sum(wrong).as_py() or 0
    if not number:
        return so_far
    room = MOST_NAMED - len(so_far.samples)
    new: list[Sample] = []
    if room:
        places = pc.indices_nonzero(wrong).slice(0, room)
        rows = part.batch.take(places)
        told = zip(
            places.to_pylist(),
            keys_of(rows, contract),
            value_texts(array.take(places)),
            strict=True,
        )
        new = [
            replace(part.sample(place, root), key=key, value=value) for place, key, value in told
        ]
    return Evidence(so_far.count + number, (*so_far.samples, *new))


def keys_of(rows: pa.RecordBatch, contract: Contract) -> list[str]:
    """The keys of samples; empty where the contract or the file has none."""
    if not contract.key or not set(contract.key) <= set(rows.schema.names):
        return [""] * rows.num_rows
    return [key or "" for key in key_texts(rows, contract.key).to_pylist()]


def remember(repeats: Repeats, part: Part, array: pa.Array) -> None:
    """Take in a column's values but nulls: nothing is not a value that comes twice."""
    numbers = np.arange(part.number, part.number + len(array), dtype=np.int64)
    if array.null_count:
        valid = array.is_valid()
        numbers = _chosen(numbers, valid)
        array = array.filter(valid)
    try:
        lanes = hashes(array)
    except Unhashable as error:
        raise Outside(
            f"`{shown(part.piece.path)}` has values of type {error}, which no hash is defined for",
            hint="have the pipeline write them as a number, a text, a list or a struct",
        ) from error
    repeats.add(lanes, numbers)


def _chosen(numbers: Numbers, valid: pa.Array) -> Numbers:
    return numbers[values(valid.cast(pa.uint8())).view(np.bool_)]


def named(
    pairs: Sequence[Pair], places: Places, contract: Contract, files: Files, column: str
) -> tuple[Sample, ...]:
    """Samples of which only numbers are known: each with its key and value, and the other's place."""
    wanted = sorted({number for pair in pairs for number in pair})
    if not wanted:
        return ()
    known: dict[int, Sample] = {}
    for part in parts(files, contract, (*contract.key, column)):
        here = [n for n in wanted if part.number <= n < part.number + part.batch.num_rows]
        if here:
            rows = part.batch.take(pa.array([n - part.number for n in here], pa.int64()))
            told = value_texts(plain(rows.column(column)))
            for number, key, value in zip(here, keys_of(rows, contract), told, strict=True):
                known[number] = replace(places.sample(number), key=key, value=value)
        if len(known) == len(wanted):
            break
    return tuple(replace(known[one], like=known[other].place) for one, other in pairs)
