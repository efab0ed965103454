"""What a manifest says of a release beside its files: why this version, and what it was made from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semver import Version

from dreg.core.snapshot import DIGEST
from dreg.core.version import NAME

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
BUMPS = ("none", "patch", "minor", "major")


@dataclass(frozen=True)
class Reason:
    """A finding as the manifest keeps it: rule, price, what it saw, and why it had another price."""

    rule: str
    bump: str
    text: str
    override: str = ""


@dataclass(frozen=True)
class Upstream:
    """A dataset that the release was made from, and its release with just the bytes that were read.

    `version`, `tag` and `commit` are None where no release has those bytes, `manifest` (SHA-256)
    also where it has none.
    """

    dataset: str
    version: str | None = None
    tag: str | None = None
    commit: str | None = None
    manifest: str | None = None


@dataclass(frozen=True)
class Origin:
    """A source: its path below `data/<name>/`, SHA-256, bytes, and the kind of the mirror that served it.

    `mirror` is None where that was not recorded.
    """

    path: str
    sha256: str
    size: int
    mirror: str | None = None


@dataclass(frozen=True)
class Surroundings:
    """Where the data was made: versions of dreg and Python, the platform, the packages that made it."""

    dreg: str
    python: str
    platform: str
    packages: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Provenance:
    """What the release was made from, and where.

    `commit` has the pipeline's files as they were used; None if only the release's own has them.
    `dvc_lock` is the SHA-256 of dvc.lock at the release, which holds the checksum of every script,
    input and output. `params` are the parameters that stages declare, by file; `made` is None
    where it was not recorded, `released_with` is the dreg that made the release.
    """

    dvc_lock: str
    released_with: str
    commit: str | None = None
    params: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    sources: tuple[Origin, ...] = ()
    made: Surroundings | None = None


@dataclass(frozen=True)
class About:
    """Why this version, and from what.

    `contract`, `profile` and `sample_index` are SHA-256 of dataset.yaml, metadata.json and
    samples.parquet; the last is None for a release without one. `exceptions` are what a person
    decided against dreg.
    """

    bump: str
    contract: str
    profile: str
    provenance: Provenance
    sample_index: str | None = None
    previous: str | None = None
    findings: tuple[Reason, ...] = ()
    exceptions: tuple[str, ...] = ()
    upstream: tuple[Upstream, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """JSON's types, as in the manifest. What is not known is null, and never left out."""
        return {
            "bump": self.bump,
            "previous": self.previous,
            "findings": [_finding(reason) for reason in self.findings],
            "exceptions": list(self.exceptions),
            "contract": self.contract,
            "profile": self.profile,
            "sample_index": self.sample_index,
            "upstream": [dict(vars(pin)) for pin in self.upstream],
            "provenance": _provenance(self.provenance),
        }

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> About:
        """Raises KeyError, TypeError or ValueError for what is none; further keys are let pass."""
        index = data["sample_index"]
        previous = data["previous"]
        return cls(
            bump=_one_of(data["bump"], BUMPS),
            previous=None if previous is None else _version(previous),
            findings=tuple(_parse_finding(item) for item in _list(data["findings"])),
            exceptions=tuple(_text(item) for item in _list(data["exceptions"])),
            contract=_sha256(data["contract"]),
            profile=_sha256(data["profile"]),
            sample_index=None if index is None else _sha256(index),
            upstream=tuple(_parse_upstream(item) for item in _list(data["upstream"])),
            provenance=_parse_provenance(data["provenance"]),
        )


def _finding(reason: Reason) -> dict[str, Any]:
    found = {"rule": reason.rule, "bump": reason.bump, "text": reason.text}
    return {**found, "override": reason.override} if reason.override else found


def _provenance(made: Provenance) -> dict[str, Any]:
    return {
        "commit": made.commit,
        "dvc_lock": made.dvc_lock,
        "params": {file: dict(values) for file, values in made.params.items()},
        "sources": [dict(vars(origin)) for origin in made.sources],
        "made": None if made.made is None else surroundings_json(made.made),
        "released_with": made.released_with,
    }


def surroundings_json(made: Surroundings) -> dict[str, Any]:
    """JSON's types."""
    return {**vars(made), "packages": dict(made.packages)}


def _parse_finding(item: Any) -> Reason:
    return Reason(
        _text(item["rule"]),
        _one_of(item["bump"], BUMPS),
        _text(item["text"]),
        _text(item.get("override", "")),
    )


def _parse_upstream(item: Any) -> Upstream:
    version, tag, commit, manifest = (item[k] for k in ("version", "tag", "commit", "manifest"))
    return Upstream(
        dataset=_matching(item["dataset"], NAME),
        version=None if version is None else _version(version),
        tag=None if tag is None else _text(tag),
        commit=None if commit is None else _matching(commit, COMMIT),
        manifest=None if manifest is None else _sha256(manifest),
    )


def _parse_provenance(item: Any) -> Provenance:
    commit, made = item["commit"], item["made"]
    return Provenance(
        dvc_lock=_sha256(item["dvc_lock"]),
        released_with=_text(item["released_with"]),
        commit=None if commit is None else _matching(commit, COMMIT),
        params={_text(file): dict(values) for file, values in item["params"].items()},
        sources=tuple(_parse_origin(origin) for origin in _list(item["sources"])),
        made=None if made is None else parse_surroundings(made),
    )


def _parse_origin(item: Any) -> Origin:
    size, mirror = item["size"], item["mirror"]
    if not isinstance(size, int) or size < 0:
        raise ValueError(f"the size {size!r} of a source")
    kind = None if mirror is None else _text(mirror)
    return Origin(_text(item["path"]), _sha256(item["sha256"]), size, kind)


def parse_surroundings(item: Any) -> Surroundings:
    """Raises KeyError, TypeError or ValueError."""
    packages = {_text(name): _text(version) for name, version in item["packages"].items()}
    return Surroundings(
        _text(item["dreg"]), _text(item["python"]), _text(item["platform"]), packages
    )


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _version(value: Any) -> str:
    return str(Version.parse(_text(value)))


def _sha256(value: Any) -> str:
    return _matching(value, DIGEST)


def _matching(value: Any, form: re.Pattern[str]) -> str:
    if not form.fullmatch(_text(value)):
        raise ValueError(f"{value!r} is not what it should be")
    return str(value)


def _one_of(value: Any, known: tuple[str, ...]) -> str:
    if value not in known:
        raise ValueError(f"{value!r} is none of {', '.join(known)}")
    return str(value)
