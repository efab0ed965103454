"""Lineage keys: how a training run says which data it used, and how that is read again.

The one place that knows them. A run gets all forms, as params, as tags and as the source of a dataset
input; of runs that others wrote any one of them is understood.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from semver import Version

from dreg.core.profile import Profile
from dreg.core.version import NAME, parse_tag, tag_of

SOURCE_TYPE = "dreg"
NAME_KEY = "data_name"
VERSION_KEY = "data_version"  # the tag: what DVC_DATA_VERSION holds
REPO_KEY = "data_repo"
COMMIT_KEY = "data_commit"
MANIFEST_KEY = "data_manifest"
DIGEST_KEY = "data_digest"
SPLITS_KEY = "data_splits"

# As others call them, in the order in which they are asked.
VERSION_KEYS = (VERSION_KEY, "dvc_data_version", "DVC_DATA_VERSION", "dataset_version")
NAME_KEYS = (NAME_KEY, "dataset_name", "dataset")
REPO_KEYS = (REPO_KEY, "dvc_repo", "DVC_REPO")
COMMIT_KEYS = (COMMIT_KEY, "dvc_commit")

SAMPLES_KEY = "data_num_samples"
OWN_KEYS = (
    NAME_KEY, VERSION_KEY, REPO_KEY, COMMIT_KEY, MANIFEST_KEY, DIGEST_KEY, SPLITS_KEY, SAMPLES_KEY,
)  # fmt: skip
SHORTEST = 7  # digits of a commit's id, as `git rev-parse --short` has them
LONGEST_KEY = 250  # of a param; a longer one would cost all the others
LONGEST_VALUE = 500  # what every version of MLflow takes as a param
_FORBIDDEN = re.compile(r"[^\w\-. /]")
_TOKEN = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+-]*")


@dataclass(frozen=True)
class Lineage:
    """A release as a run names it; None for what the run doesn't say.

    `digest` is Snapshot.digest of the published files, `splits` are those that were used, and `forms`
    say where in the run this was read: `param data_version`, `tag data_version`, `dataset input`.
    """

    dataset: str
    version: Version
    repo: str | None = None
    commit: str | None = None
    manifest: str | None = None
    digest: str | None = None
    splits: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()

    @property
    def tag(self) -> str:
        return tag_of(self.dataset, self.version)

    @property
    def input_digest(self) -> str:
        """What a dataset input is told apart by; MLflow takes 36 characters.

        Not of the files: two releases may have the same, and MLflow keeps the source of the first.
        """
        return (self.manifest or self.commit or self.tag)[:32]

    def is_of(self, commit: str, manifest: str | None) -> bool:
        """Whether what the run says of the release fits this one: a commit may be short, in any case."""
        same = self.manifest is None or manifest is None or self.manifest == manifest
        return same and (self.commit is None or is_commit(self.commit, commit))

    def names(self, tag: str, commit: str, manifest: str | None) -> bool:
        """Whether it is the release at the tag, by all that the run says."""
        return self.tag == tag and self.is_of(commit, manifest)

    def source(self) -> dict[str, Any]:
        """The source of a dataset input, of JSON's types."""
        told = {
            "dataset": self.dataset,
            "version": str(self.version),
            "tag": self.tag,
            "repo": self.repo,
            "commit": self.commit,
            "manifest": self.manifest and f"sha256:{self.manifest}",
            "digest": self.digest and f"sha256:{self.digest}",
        }
        return {key: value for key, value in told.items() if value}


def keys(lineage: Lineage, profile: Profile | None = None, *, behind: str = "") -> dict[str, str]:
    """Params, and tags, of a run that uses the release: version, origin, and what was measured.

    `behind` is what stands behind every key, as `place` tells.
    """
    told = {
        **(_measured(profile) if profile else {}),
        NAME_KEY: lineage.dataset,
        VERSION_KEY: lineage.tag,
        REPO_KEY: lineage.repo or "",
        COMMIT_KEY: lineage.commit or "",
        MANIFEST_KEY: lineage.manifest and f"sha256:{lineage.manifest}",
        DIGEST_KEY: lineage.digest and f"sha256:{lineage.digest}",
        SPLITS_KEY: ",".join(lineage.splits),
    }
    full = {f"{key}{behind}": value for key, value in told.items() if value}
    return {k: v[:LONGEST_VALUE] for k, v in full.items() if len(k) <= LONGEST_KEY}


def place(told: Mapping[str, str], lineage: Lineage) -> str:
    """What stands behind the release's keys in a run that says this already: nothing if the plain
    keys are free or its own, `.<dataset>` beside anything else that has them, `.<tag>` beside
    another version of the dataset."""
    first = told.get(VERSION_KEY)
    if first is None:
        behind = "" if told.get(NAME_KEY, lineage.dataset) == lineage.dataset else lineage.dataset
    else:
        named = release_named(
            first, next((told[name] for name in NAME_KEYS if told.get(name)), None)
        )
        if named is not None and named[0] == lineage.dataset:
            behind = "" if named[1] == lineage.version else lineage.tag
        else:
            behind = lineage.dataset
    beside = told.get(f"{VERSION_KEY}.{lineage.dataset}", lineage.tag)
    if behind == lineage.dataset and beside != lineage.tag:
        behind = lineage.tag
    return f".{_FORBIDDEN.sub('_', behind)}" if behind else ""


def is_commit(said: str, commit: str) -> bool:
    """Whether somebody who wrote this means the commit: its id, or as much of it as git shows."""
    text = said.strip().lower()
    return len(text) >= SHORTEST and commit.startswith(text)


def _measured(profile: Profile) -> dict[str, str]:
    """`data_pixel_mean` for the metric of the training split, `data_num_samples` of it.

    A metric that would be read as lineage is left out, and so are two with one and the same key.
    """
    trained = training_splits(profile)
    told = {SAMPLES_KEY: str(sum(profile.splits[s].num_samples for s in trained))}
    for split in trained[:1]:
        metrics = profile.metrics.get(split, {})
        named = [(_FORBIDDEN.sub("_", f"data_{name}"), value) for name, value in metrics.items()]
        times = Counter(key for key, _ in named)
        for key, value in named:
            if times[key] == 1 and key.partition(".")[0] not in OWN_KEYS:
                told[key] = str(value)
    return told


def learned_from(read: Collection[str], trained: Sequence[str]) -> tuple[str, ...]:
    """Of the splits that were read those that models learn from, which are `trained`; all of them
    where none is: who reads no other split learns from these."""
    return tuple(sorted(set(read) & set(trained)) or sorted(read))


def training_splits(profile: Profile) -> tuple[str, ...]:
    """The splits that models learn from: by their role; where none is recorded, `train`, else all."""
    by_role = tuple(name for name, split in profile.splits.items() if split.role == "train")
    if by_role:
        return by_role
    return ("train",) if "train" in profile.splits else tuple(profile.splits)


@dataclass(frozen=True)
class Input:
    """A dataset input of a run. `context` is what it was used for; dreg writes the splits' names."""

    name: str
    digest: str
    source_type: str
    source: str
    context: str = ""


def read(
    params: Mapping[str, str], tags: Mapping[str, str], inputs: Sequence[Input] = ()
) -> tuple[Lineage, ...]:
    """The releases that a run names, each once, in whatever forms; none if it names none."""
    # Of inputs with one name and digest MLflow keeps the first source, which may be another run's
    # and name a copy of the registry: params and tags are this run's own.
    found = [
        *_of_keys(params, "param"),
        *_of_keys(tags, "tag"),
        *_of_inputs(inputs),
    ]
    merged: dict[tuple[str, Version], Lineage] = {}
    for one in found:
        name = (one.dataset, one.version)
        merged[name] = _joined(merged[name], one) if name in merged else one
    return tuple(merged.values())


def _joined(one: Lineage, other: Lineage) -> Lineage:
    return replace(
        one,
        repo=one.repo or other.repo,
        commit=one.commit or other.commit,
        manifest=one.manifest or other.manifest,
        digest=one.digest or other.digest,
        splits=tuple(dict.fromkeys((*one.splits, *other.splits))),
        forms=tuple(dict.fromkeys((*one.forms, *other.forms))),
    )


def _of_keys(told: Mapping[str, str], kind: str) -> Iterator[Lineage]:
    for key, value in sorted(told.items()):
        plain, _, behind = key.partition(".")
        if plain not in VERSION_KEYS:
            continue

        def said(names: Iterable[str], behind: str = behind) -> str | None:
            full = (f"{name}.{behind}" if behind else name for name in names)
            return next((told[name] for name in full if told.get(name)), None)

        named = release_named(value, behind or said(NAME_KEYS))
        if named is not None:
            yield Lineage(
                *named,
                repo=said(REPO_KEYS),
                commit=said(COMMIT_KEYS),
                manifest=_hex(said((MANIFEST_KEY,))),
                digest=_hex(said((DIGEST_KEY,))),
                splits=listed_splits(said((SPLITS_KEY,))),
                forms=(f"{kind} {key}",),
            )


def _of_inputs(inputs: Sequence[Input]) -> Iterator[Lineage]:
    for one in inputs:
        source = _object(one.source)
        splits = listed_splits(one.context)
        forms = ("dataset input",)
        if one.source_type == SOURCE_TYPE:
            named = release_named(str(source.get("tag") or source.get("version") or ""), one.name)
            if named is not None:
                yield Lineage(
                    *named,
                    repo=source.get("repo"),
                    commit=source.get("commit"),
                    manifest=_hex(source.get("manifest")),
                    digest=_hex(source.get("digest")),
                    splits=splits,
                    forms=forms,
                )
            continue
        # Others give a URL or tags; a release's tag in it is meant.
        for token in _TOKEN.findall(f"{one.source} {one.name}"):
            parsed = parse_tag(token)
            if parsed is not None:
                yield Lineage(*parsed, splits=splits, forms=forms)
                break


def release_named(value: str, name: str | None) -> tuple[str, Version] | None:
    """Dataset and version of a tag, of `name@version`, or of a version beside the dataset's name."""
    text = value.strip()
    parsed = parse_tag(text)
    if parsed is not None:
        return parsed
    before, at, after = text.partition("@")
    dataset, version = (before, after) if at else (name or "", text)
    try:
        return (
            (dataset, Version.parse(version.removeprefix("v"))) if NAME.fullmatch(dataset) else None
        )
    except ValueError:
        return None


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _hex(value: Any) -> str | None:
    return str(value).removeprefix("sha256:") if value else None


def listed_splits(value: Any) -> tuple[str, ...]:
    """The splits of a value that a run has, which is text, or a list of JSON's."""
    given = value.split(",") if isinstance(value, str) else value or ()
    return tuple(part for one in given if (part := str(one).strip()))
