"""The part of a release that a consumer wants: splits, paths, columns, or only what was measured."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dreg.core.file_formats import DOCUMENTS, IMAGES
from dreg.core.json_text import parse_json
from dreg.core.snapshot import INDEX, RAW, File
from dreg.core.split_paths import METADATA, guessed, matching
from dreg.errors import BadRequest

EVERYTHING = "**"
FILES = {*IMAGES, *DOCUMENTS}  # endings of what is a sample itself, and no table


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

    @classmethod
    def parse(cls, text: str) -> Subset:
        """The subset that `str` wrote as this text. Raises ValueError for another one."""
        told = parse_json(text) if text else {}
        if not isinstance(told, dict):
            raise ValueError(text)
        splits, paths, columns = (tuple(told.get(n, ())) for n in ("split", "path", "columns"))
        return cls(splits, paths, columns, bool(told.get("metadata-only")))

    def has_split(self, name: str) -> bool:
        """Whether all of the split belongs to it."""
        limited = self.paths or self.columns or self.metadata_only
        return self.is_whole or (name in self.splits and not limited)

    def has_columns(self, split: str, columns: Collection[str]) -> bool:
        """Whether it is columns of tables, and these ones of the split among them."""
        limited = self.paths or self.metadata_only
        there = not self.splits or split in self.splits
        return there and not limited and bool(columns) and set(columns) <= set(self.columns)

    def to_json(self) -> dict[str, Any]:
        """What limits it, by the names that requests have for it."""
        found: dict[str, Any] = {
            "split": list(self.splits),
            "path": list(self.paths),
            "columns": list(self.columns),
            "metadata-only": self.metadata_only,
        }
        return {name: value for name, value in found.items() if value}

    def options(self) -> list[str]:
        """The options of `dreg fetch` that ask for it."""
        if self.is_whole:
            return ["--path", EVERYTHING]
        found = [word for split in self.splits for word in ("--split", split)]
        found += [word for path in self.paths for word in ("--path", path)]
        found += ["--columns", ",".join(self.columns)] if self.columns else []
        return found + (["--metadata-only"] if self.metadata_only else [])

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
            tables = {path for path in data if is_parquet(by_path[path])}
            if not tables:
                some = ", ".join(sorted(data)[:6])
                raise BadRequest(
                    f"columns are had of Parquet files alone, and here there are {some}",
                    hint="fetch whole files: leave out --columns",
                )
            data = tables
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


def listed(columns: Sequence[str] | None) -> tuple[str, ...] | None:
    """The columns, None for all. Raises BadRequest for a text, whose letters are none, and for what
    has other things than names in it."""
    if columns is None:
        return None
    if isinstance(columns, str) or not isinstance(columns, Iterable):
        raise BadRequest("`columns` is a list", hint=f"write columns=[{str(columns)!r}]")
    names = tuple(columns)
    for one in names:
        if not isinstance(one, str):
            raise BadRequest(
                f"{one!r} in `columns` is no name",
                hint="name them as the data does: columns=['label']",
            )
    return names


def is_parquet(file: File) -> bool:
    """Whether columns of the file can be had alone, by its name."""
    return file.path.endswith((".parquet", ".pq")) and not file.in_git


def splits_of(metadata: Any, paths: Iterable[str]) -> Mapping[str, Sequence[str]]:
    """The files of each split, by the value of a metadata.json that may say nothing of it."""
    data = [path for path in paths if path not in (METADATA, INDEX)]
    told = metadata.get("splits") if isinstance(metadata, dict) else None
    if not isinstance(told, dict) or not told:
        return guessed(data)
    by_name = guessed(data)
    return {
        name: matching(map(str, patterns), data) if patterns else by_name.get(name, ())
        for name, patterns in ((name, _patterns(split)) for name, split in told.items())
    }


def _patterns(split: Any) -> list[Any]:
    files = split.get("files") if isinstance(split, dict) else None
    return files if isinstance(files, list) else []


def with_named(
    metadata: Any, splits: Mapping[str, Sequence[str]], paths: Iterable[str]
) -> Mapping[str, Sequence[str]]:
    """The splits, each with the files that its tables may name: what no split has below their folders.

    Only where the metadata has columns of files. Which of them a table names, only its rows tell.
    """
    if not _names_files(metadata):
        return splits
    claimed = {path for files in splits.values() for path in files}
    claimed |= {METADATA, INDEX}
    free = [path for path in paths if path not in claimed and not path.startswith(RAW)]
    found = {}
    for name, files in splits.items():
        tables = [path for path in files if path.rpartition(".")[2].lower() not in FILES]
        folders = tuple({table[: table.rfind("/") + 1] for table in tables})
        found[name] = (*files, *(path for path in free if path.startswith(folders)))
    return found


def _names_files(metadata: Any) -> bool:
    schema = metadata.get("schema") if isinstance(metadata, dict) else None
    features = schema.get("features") if isinstance(schema, dict) else None
    columns = features.values() if isinstance(features, dict) else ()
    return any(isinstance(c, dict) and c.get("type") in ("image", "document") for c in columns)


def _refuse_nothing(found: Collection[str], what: str, there: Collection[str]) -> None:
    if found:
        return
    some = ", ".join(sorted(there)[:6]) + (", ..." if len(there) > 6 else "")
    raise BadRequest(f"the release has no file for {what}", hint=f"it has {some}")
