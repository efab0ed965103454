"""A pipeline as `dvc.yaml` describes it, as `dvc.lock` remembers it, and where the two differ.

Understood is what dreg's own pipelines use. Whatever else DVC allows (templating, `foreach`,
`wdir`, frozen stages, ...) is named in a stage's `beyond`, and then DVC itself is asked.
"""

from __future__ import annotations

import graphlib
import posixpath
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dreg.errors import BadRequest

PARAMS_FILE = "params.yaml"
EVERYTHING: tuple[str, ...] = ()  # of a params file: all its keys are tracked

_TOP_LEVEL = {"stages", "params", "metrics", "plots", "artifacts"}
_STAGE = {"cmd", "deps", "params", "outs", "metrics", "plots", "desc", "meta"}
_OUTPUTS = ("outs", "metrics", "plots")
_RECORD = {"path", "hash", "md5", "size", "nfiles", "isexec"}
_GLOB = set("*?[]!")


@dataclass(frozen=True)
class Out:
    """A file or folder that a stage makes; not `cached` means it is kept in git.

    `written` is the path as in dvc.yaml, `path` the same relative to the registry.
    """

    written: str
    path: str
    cached: bool = True
    pushed: bool = True


@dataclass(frozen=True)
class Stage:
    """A stage of dvc.yaml. `deps` are pairs of path as written and relative to the registry."""

    name: str
    cmd: Any = None
    deps: tuple[tuple[str, str], ...] = ()
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    outs: tuple[Out, ...] = ()
    beyond: str = ""


@dataclass(frozen=True)
class Record:
    """A file or folder in dvc.lock; of a folder, `md5` ends in `.dir` and `size` is the sum."""

    path: str
    md5: str
    size: int | None = None
    nfiles: int | None = None

    @property
    def is_directory(self) -> bool:
        return self.md5.endswith(".dir")


@dataclass(frozen=True)
class LockedStage:
    """A stage of dvc.lock, by path as written."""

    cmd: Any = None
    deps: Mapping[str, Record] = field(default_factory=dict)
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outs: Mapping[str, Record] = field(default_factory=dict)
    beyond: str = ""


def parse_pipeline(data: Any, folder: str, where: str) -> dict[str, Stage]:
    """The stages of a dvc.yaml in `folder` (relative to the registry), in the order written.

    Raises BadRequest naming `where` when there are none.
    """
    stages = data.get("stages") if isinstance(data, dict) else None
    if not isinstance(stages, dict) or not stages:
        raise BadRequest(
            f"`{where}` has no stages", hint="dreg new makes one with download, process, analyze"
        )
    more = sorted(map(str, data.keys() - _TOP_LEVEL))
    beyond = f"`{more[0]}` in dvc.yaml" if more else ""
    return {str(name): _stage(str(name), item, folder, beyond) for name, item in stages.items()}


def _stage(name: str, item: Any, folder: str, beyond: str) -> Stage:
    if not isinstance(item, dict):
        return Stage(name, beyond="a stage that is no mapping")
    reader = _Reader(folder)
    more = sorted(map(str, item.keys() - _STAGE))
    if more:
        reader.found(f"`{more[0]}` in stage `{name}`")
    if any("${" in text for text in _texts(item)):
        reader.found(f"templating in stage `{name}`")
    cmd = item.get("cmd")
    if not cmd or not isinstance(cmd, str | list):
        reader.found(f"the cmd of stage `{name}`")
    outs = tuple(out for key in _OUTPUTS for out in reader.outs(item.get(key)))
    deps = tuple(reader.path(dep) for dep in reader.listed(item.get("deps")))
    if not deps and not outs:
        reader.found(f"stage `{name}` has neither deps nor outs")
    params = reader.params(item.get("params"))
    return Stage(name, cmd, deps, params, outs, beyond or reader.beyond)


class _Reader:
    """Reads the parts of one stage and remembers the first that only DVC understands."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.beyond = ""

    def found(self, what: str) -> None:
        self.beyond = self.beyond or what

    def listed(self, value: Any) -> list[Any]:
        if value is not None and not isinstance(value, list):
            self.found("a list that is none")
            return []
        return value or []

    def path(self, written: Any) -> tuple[str, str]:
        text = str(written)
        path = below(self.folder, text)
        # DVC records the path it computed; for any other spelling, look-ups in dvc.lock miss.
        plain = isinstance(written, str) and posixpath.normpath(text) == text and "\\" not in text
        if not plain or text.startswith("/") or "://" in text or path.startswith(".."):
            self.found(f"the path `{text}`")
        return text, path

    def outs(self, value: Any) -> Iterator[Out]:
        for item in self.listed(value):
            for written, given in (item if isinstance(item, dict) else {str(item): {}}).items():
                text, path = self.path(written)
                if not isinstance(given, dict):
                    self.found(f"the flags of `{text}`")
                flags = given if isinstance(given, dict) else {}
                yield Out(
                    text,
                    path,
                    cached=flags.get("cache", True) is not False,
                    pushed=flags.get("push", True) is not False,
                )

    def params(self, value: Any) -> dict[str, tuple[str, ...]]:
        keys: dict[str, list[str]] = {}
        whole = set()
        for item in self.listed(value):
            for file, wanted in (item if isinstance(item, dict) else {PARAMS_FILE: [item]}).items():
                text, _ = self.path(file)
                if not text.endswith((".yaml", ".yml", ".json")):
                    self.found(f"params in `{text}`")
                if not wanted:
                    whole.add(text)
                for key in self.listed(wanted):
                    if not isinstance(key, str) or _GLOB & set(key):
                        self.found(f"the parameter `{key}`")
                    keys.setdefault(text, []).append(str(key))
        return {**{f: tuple(k) for f, k in keys.items()}, **dict.fromkeys(whole, EVERYTHING)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (*_texts(key), *_texts(item))
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def parse_lock(data: Any, where: str) -> dict[str, LockedStage]:
    """The stages of a dvc.lock. Raises BadRequest naming `where` when it is none."""
    stages = data.get("stages", {}) if isinstance(data, dict) and "schema" in data else None
    if not isinstance(stages, dict):
        raise _no_lock(where)
    schema = data.get("schema")
    beyond = "" if schema == "2.0" else f"schema {schema} of dvc.lock"
    return {str(name): _locked(item, beyond, where) for name, item in stages.items()}


def _locked(item: Any, beyond: str, where: str) -> LockedStage:
    records: dict[str, dict[str, Record]] = {"deps": {}, "outs": {}}
    try:
        for key, found in records.items():
            for entry in item.get(key) or ():
                if not entry.keys() <= _RECORD or entry.get("hash") != "md5":
                    beyond = beyond or f"the record of `{entry['path']}` in dvc.lock"
                md5 = str(entry.get("md5", ""))
                found[entry["path"]] = Record(
                    entry["path"], md5, entry.get("size"), entry.get("nfiles")
                )
        params = {file: dict(values or {}) for file, values in (item.get("params") or {}).items()}
        return LockedStage(item.get("cmd"), records["deps"], params, records["outs"], beyond)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise _no_lock(where) from error


def _no_lock(where: str) -> BadRequest:
    return BadRequest(
        f"`{where}` is not a lock that DVC wrote",
        hint=f"take it from git again: git checkout {where}; or remove it to start anew",
    )


def in_order(stages: Mapping[str, Stage], where: str) -> list[str]:
    """Names of the stages, each behind those whose outputs it reads.

    Raises BadRequest for a cycle, and for an output that two stages write.
    """
    makers: dict[str, str] = {}
    for stage in stages.values():
        for out in stage.outs:
            other = makers.setdefault(out.path, stage.name)
            if other != stage.name:
                raise BadRequest(
                    f"`{where}`: the stages `{other}` and `{stage.name}` both write `{out.path}`",
                    hint="give each stage outputs of its own",
                )
    needed = {
        stage.name: {
            makers[out]
            for _, dep in stage.deps
            for out in makers
            if makers[out] != stage.name and overlap(dep, out)
        }
        for stage in stages.values()
    }
    try:
        return list(graphlib.TopologicalSorter(needed).static_order())
    except graphlib.CycleError as error:
        raise BadRequest(
            f"`{where}`: the stages {' -> '.join(error.args[1])} depend on each other",
            hint="a stage may not read what is made from its own outputs",
        ) from error


def below(folder: str, written: str) -> str:
    """The path `written` in `folder`, relative to what `folder` is relative to."""
    return posixpath.normpath(posixpath.join(folder, written))


def overlap(one: str, other: str) -> bool:
    """Whether one path is, or lies in, the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def pick(values: Any, keys: Sequence[str]) -> dict[str, Any]:
    """The values of dotted `keys` that there are; of EVERYTHING, the top-level ones."""
    if not keys:
        return dict(values) if isinstance(values, dict) else {}
    found = {}
    for key in keys:
        value = values
        for part in key.split("."):
            if not isinstance(value, dict) or part not in value:
                break
            value = value[part]
        else:
            found[key] = value
    return found


def paths(stages: Iterable[Stage]) -> list[str]:
    """Every file and folder the stages read or write, relative to the registry."""
    every = [p for s in stages for p in (*(d for _, d in s.deps), *(o.path for o in s.outs))]
    return list(dict.fromkeys(every))
