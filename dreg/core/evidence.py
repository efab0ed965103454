"""What speaks against a dataset: how many samples, and a few of them by file, row and key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MOST_NAMED = 5


@dataclass(frozen=True)
class Sample:
    """One sample: its split, its file below `data/<name>/`, its row there, from 1, its key, its value.

    `key` is empty where the contract has none; `row` is null where the file is the sample, and `file`
    empty where only the sample index tells of it. `like` is where the same value is, if that is what is wrong.
    """

    split: str
    file: str = ""
    row: int | None = None
    key: str = ""
    value: str = ""
    like: str = ""

    @property
    def place(self) -> str:
        where = self.file or f"split `{self.split}`"
        if self.row is not None:
            where += f" row {self.row}"
        return where + (f" (key {self.key})" if self.key else "")

    def __str__(self) -> str:
        told = f"{self.place}: {self.value}" if self.value else self.place
        return f"{told}, as {self.like}" if self.like else told


@dataclass(frozen=True)
class Evidence:
    """So many samples, and at most MOST_NAMED of them."""

    count: int = 0
    samples: tuple[Sample, ...] = ()


@dataclass(frozen=True)
class Problem:
    """What is wrong with a dataset; `count` samples show it, `samples` are the first of them.

    A `count` of 0 is of what no sample shows, such as a column that is missing.
    """

    about: str
    text: str
    count: int = 0
    samples: tuple[Sample, ...] = ()

    def __str__(self) -> str:
        return f"{self.about} {self.text}"

    def lines(self, most: int = MOST_NAMED) -> Iterator[str]:
        """In words, with at most so many of its samples."""
        yield str(self)
        shown = self.samples[:most]
        yield from (f"  {sample}" for sample in shown)
        if shown and self.count > len(shown):
            yield f"  and {self.count - len(shown):,} more"


def told(problems: Sequence[Problem]) -> list[str]:
    """All problems in words: the more there are, the fewer samples of each."""
    most = next((each for upto, each in ((4, 5), (10, 2)) if len(problems) <= upto), 1)
    return [line for problem in problems for line in problem.lines(most)]
