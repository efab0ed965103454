"""What a template's next version does to the files of a dataset that was made from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dreg.core.template_record import Record, is_text


@dataclass(frozen=True)
class Step:
    """A file and what becomes of it: `written`, `merged`, `removed`, or `kept` with the reason.

    `content` is what to write; of a file to merge there is what it was made as and is to be.
    """

    path: str
    what: str
    content: bytes | None = None
    before: bytes | None = None
    why: str = ""


def steps(record: Record, now: Mapping[str, bytes], here: Mapping[str, bytes]) -> Iterator[Step]:
    """What to do, by path; nothing for a file that the template has not changed.

    `now` are the files that the template makes today, `here` those of the tree.
    """
    for path in sorted(record.sums.keys() | now.keys()):
        made, today, ours = path in record.sums, now.get(path), here.get(path)
        if today is not None and made and record.is_as_made(path, today):
            continue
        if today == ours:
            continue
        if ours is None:
            if made and today is not None:
                yield Step(path, "kept", why="you removed it")
            elif today is not None:
                yield Step(path, "written", today)
        elif made and record.is_as_made(path, ours):
            yield Step(path, "removed") if today is None else Step(path, "written", today)
        elif today is None:
            yield Step(path, "kept", why="you changed it, and the template has it no more")
        elif is_text(ours) and is_text(today):
            yield Step(path, "merged", today, record.made.get(path) or b"")
        else:
            yield Step(path, "kept", why="you changed it, and it is no text")
