"""What a training repository asks for: `dreg.toml`, or `[tool.dreg]` in `pyproject.toml`.

repo = "https://github.com/acme/data-registry"
remote = ["minio", "s3://mirror/datasets"]      # tried in order

[datasets]
fashion-mnist = "^1.0"
emotion = { version = "~1.2", output = "data/emotion", split = ["train"] }

[remotes.minio]                                 # what the registry calls `minio`, from here
endpoint = "https://minio.example.com"
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dreg.core.remotes import Remote, Remotes
from dreg.core.subset import Subset
from dreg.core.version import Range, check_name, range_or_revision
from dreg.errors import BadRequest, DregError

TOP = ("repo", "remote", "datasets", "remotes")
DATASET = ("version", "repo", "output", "raw", "split", "path", "columns", "metadata-only")
REMOTE = ("url", "endpoint", "region", "profile", "credentials", "anonymous")


@dataclass(frozen=True)
class Asked:
    """One dataset: the range, or a `revision`; `repo` and `output` if they are not as usual."""

    dataset: str
    wanted: Range
    repo: str | None = None
    output: str | None = None
    raw: bool = False
    subset: Subset = field(default_factory=Subset)
    revision: str | None = None


@dataclass(frozen=True)
class Requests:
    """All that is asked for, and where it is. `remote` are names, URLs or paths, the first first.

    `remotes` says of a registry's remotes what is different for this consumer.
    """

    datasets: Mapping[str, Asked] = field(default_factory=dict)
    repo: str | None = None
    remote: tuple[str, ...] = ()
    remotes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, where: str, *table: str) -> Requests | None:
        """The requests in a TOML file, below `table`; None if it has none there.

        Raises BadRequest that names `where` and the key.
        """
        try:
            data: Any = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise BadRequest(f"`{where}` is not TOML: {error}", hint=f"correct {where}") from error
        for key in table:
            data = data.get(key) if isinstance(data, dict) else None
            if data is None:
                return None
        try:
            return cls._of(_Table(data, where, TOP))
        except DregError as error:
            if where in error.fact:
                raise
            raise BadRequest(f"`{where}`: {error.fact}", hint=error.hint) from error

    @classmethod
    def _of(cls, data: _Table) -> Requests:
        datasets = {}
        for name, entry in data.table("datasets").items():
            if not isinstance(entry, str | dict):
                raise BadRequest(
                    f"`datasets.{name}` in `{data.where}` is {entry!r}, not text or a table",
                    hint=f'write it between quotes: {name} = "{entry}"',
                )
            there = _Table(
                {"version": entry} if isinstance(entry, str) else entry,
                data.where,
                DATASET,
                f"datasets.{name}",
            )
            wanted, revision = range_or_revision(there.text("version") or "latest")
            datasets[check_name(name)] = Asked(
                dataset=name,
                wanted=wanted,
                revision=revision,
                repo=there.text("repo"),
                output=there.text("output"),
                raw=there.flag("raw"),
                subset=Subset.of(
                    there.texts("split"),
                    there.texts("path"),
                    there.texts("columns"),
                    there.flag("metadata-only"),
                ),
            )
        remotes = {}
        for name, entry in data.table("remotes").items():
            there = _Table(
                {"url": entry} if isinstance(entry, str) else entry,
                data.where,
                REMOTE,
                f"remotes.{name}",
            )
            told = {key: there.text(key) for key in REMOTE if key != "anonymous"}
            different: dict[str, Any] = {key: value for key, value in told.items() if value}
            if there.flag("anonymous"):
                different["anonymous"] = True
            remotes[name] = different
        return cls(datasets, data.text("repo"), tuple(data.texts("remote")), remotes)

    def as_seen_from_here(self, remotes: Remotes) -> Remotes:
        """The registry's remotes, with what is different for this consumer."""
        seen = dict(remotes.by_name)
        for name, different in self.remotes.items():
            if name in seen:
                seen[name] = replace(seen[name], **different)
            elif "url" in different:
                seen[name] = Remote(name=name, **different)
        return Remotes(remotes.default, seen)


class _Table:
    """A TOML table whose keys are known; every wrong value is told with its name."""

    def __init__(self, data: Any, where: str, known: Iterable[str], name: str = "") -> None:
        self.where = where
        self.name = name
        if not isinstance(data, dict):
            raise self._wrong("", data, "a table")
        self.data = data
        for key in data:
            if key not in known:
                close = difflib.get_close_matches(key, known, n=1)
                raise BadRequest(
                    f"`{where}` has `{self._full(key)}`, which dreg does not know",
                    hint=f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}",
                )

    def _full(self, key: str) -> str:
        return ".".join(part for part in (self.name, key) if part)

    def _wrong(self, key: str, value: Any, kind: str) -> BadRequest:
        return BadRequest(
            f"`{self._full(key)}` in `{self.where}` is {value!r}, not {kind}",
            hint=f"correct it in {self.where}",
        )

    def table(self, key: str) -> dict[str, Any]:
        value = self.data.get(key, {})
        if not isinstance(value, dict):
            raise self._wrong(key, value, "a table")
        return value

    def text(self, key: str) -> str | None:
        value = self.data.get(key)
        if value is not None and not isinstance(value, str):
            raise self._wrong(key, value, "text")
        if (
            value is not None and not value.strip()
        ):  # never the latest, by a variable without a value
            raise self._empty(key)
        return value

    def _empty(self, key: str) -> BadRequest:
        return BadRequest(
            f"`{self._full(key)}` in `{self.where}` is empty",
            hint='write a value, or leave it out; the newest version is "latest"',
        )

    def texts(self, key: str) -> list[str]:
        value = self.data.get(key, [])
        listed = [value] if isinstance(value, str) else value
        if not isinstance(listed, list) or not all(isinstance(item, str) for item in listed):
            raise self._wrong(key, value, "a list of texts")
        if not all(item.strip() for item in listed):
            raise self._empty(key)
        return listed

    def flag(self, key: str) -> bool:
        value = self.data.get(key, False)
        if not isinstance(value, bool):
            raise self._wrong(key, value, "true or false")
        return value
