"""The part of a release that a consumer wants: splits, paths, columns, or only what was measured."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dreg.core.snapshot import INDEX, File
from dreg.core.split_paths import METADATA, guessed, matching
from dreg.errors import BadRequest

EVERYTHING = "**"


@dataclass(frozen=True)
class Subset:
    """What is wanted; without any of it, everything. Empty ones do not limit.

    `splits` are names, `paths` patterns as in a shell (`**` is any number of folders), `columns`
    those of Parquet files. `metadata.json` always belongs to it.
    """

    splits: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    metadata_only: bool = False

    @classmethod
    def of(
        cls,
        splits: Sequence[str] = (),
        paths: Sequence[str] = (),
        columns: Sequence[str] = (),
        metadata_only: bool = False,
    ) -> Subset:
        """The subset, written the same way whatever order it was asked for in."""
        if metadata_only and (splits or paths or columns):
            raise BadRequest(
                "only the metadata, and a part of the data, exclude each other",
                hint="leave out --metadata-only, or the rest",
            )
        some = () if EVERYTHING in paths else tuple(sorted(set(paths)))
        return cls(tuple(sorted(set(splits))), some, tuple(dict.fromkeys(columns)), metadata_only)

    @property
    def is_whole(self) -> bool:
        """Whether it is the whole release."""
        return self == Subset()

    def __str__(self) -> str:
        """Empty for the whole; equal subsets have equal text."""
        return "" if self.is_whole else json.dumps(self.to_json(), sort_keys=True)

    def to_json(self) -> dict[str, Any]:
        """What limits it, by the names that requests have for it."""
        found: dict[str, Any] = {
            "split": list(self.splits),
            "path": list(self.paths),
            "columns": list(self.columns),
            "metadata-only": self.metadata_only,
        }
        return {name: value for name, value in found.items() if value}

    def choose(
        self, files: Iterable[File], splits: Callable[[], Mapping[str, Sequence[str]]]
    ) -> list[File]:
        """The files that belong to it; `splits` are asked for only if they matter.

        Raises BadRequest for an unknown split, a path that nothing matches, or columns where
        there is no Parquet file.
        """
        by_path = {file.path: file for file in files}
        if self.is_whole:
            return list(by_path.values())
        chosen = {path for path in by_path if path == METADATA}
        data = set() if self.metadata_only else by_path.keys() - chosen
        if self.splits or self.columns:
            data -= {INDEX}
        if self.splits:
            known = splits()
            data &= {path for name in self.splits for path in self._split(name, known)}
            _refuse_nothing(
                data, f"the split {' or '.join(f'`{s}`' for s in self.splits)}", by_path
            )
        if self.paths:
            below = [f"{path.rstrip('/')}/**" for path in self.paths]
            data &= set(matching([*self.paths, *below], data))
            _refuse_nothing(data, " or ".join(f"`{path}`" for path in self.paths), by_path)
        if self.columns:
            data = {path for path in data if is_parquet(by_path[path])}
            _refuse_nothing(data, "the columns of Parquet files", by_path)
        return sorted(by_path[path] for path in chosen | data)

    @staticmethod
    def _split(name: str, splits: Mapping[str, Sequence[str]]) -> Sequence[str]:
        if name not in splits:
            close = difflib.get_close_matches(name, splits, n=1)
            known = ", ".join(splits) or "none is recorded; choose files with --path"
            raise BadRequest(
                f"the release has no split `{name}`",
                hint=f"did you mean `{close[0]}`?" if close else f"splits: {known}",
            )
        return splits[name]


def is_parquet(file: File) -> bool:
    """Whether columns of the file can be had alone, by its name."""
    return file.path.endswith((".parquet", ".pq")) and not file.in_git


def splits_of(metadata: Any, paths: Collection[str]) -> Mapping[str, Sequence[str]]:
    """The files of each split, by the value of a metadata.json that may say nothing of it."""
    told = metadata.get("splits") if isinstance(metadata, dict) else None
    patterns = {
        name: tuple(map(str, split["files"]))
        for name, split in (told if isinstance(told, dict) else {}).items()
        if isinstance(split, dict) and isinstance(split.get("files"), list) and split["files"]
    }
    if not patterns:
        return guessed(paths)
    return {name: matching(patterns[name], paths) for name in sorted(patterns)}


def _refuse_nothing(found: Collection[str], what: str, there: Collection[str]) -> None:
    if found:
        return
    some = ", ".join(sorted(there)[:6]) + (", ..." if len(there) > 6 else "")
    raise BadRequest(f"the release has no file for {what}", hint=f"it has {some}")
