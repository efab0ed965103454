"""The stage `analyze`: measure what the contract names, write metadata.json and samples.parquet."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from dreg.adapters import engines
from dreg.adapters.formats import pieces
from dreg.adapters.index.writing import SampleIndex
from dreg.adapters.making import record_surroundings
from dreg.adapters.measure import Features
from dreg.adapters.merging import measure
from dreg.adapters.split_files import split_files
from dreg.adapters.written import written
from dreg.adapters.yaml_files import read_yaml, shown
from dreg.core.contract import Contract
from dreg.core.file_formats import format_of
from dreg.core.numbers import rounded
from dreg.core.profile import Number, Profile, Prompt, Published, Split
from dreg.core.snapshot import INDEX, File, Snapshot, check_path
from dreg.core.stages import PARAMS_FILE
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside, Refused
from dreg.stages.progress import say
from dreg.stages.workspace import Workspace, here

Metrics = Mapping[str, Mapping[str, Number]]
Asked = str | Mapping[str, object]


def write(
    metrics: Metrics | None = None, *, prompt: Asked | None = None, engine: str | None = None
) -> Profile:
    """Measure every split that dataset.yaml names, and write `data/<name>/metadata.json`.

    The same reading of the data makes the sample index, `data/<name>/samples.parquet`.

    `metrics` are figures of the dataset's own, by split and name. `prompt` is what a model is asked
    about each sample: a text, or `name`, `version` and `text`. `engine` is `local` or `ray`; without
    one, as DREG_ENGINE says. What is written is the same. Raises Outside for files that are missing,
    broken or empty, have a label that is no class of the contract or a key that two samples have;
    BadRequest for a malformed contract, for metrics that are no numbers or belong to no split, for a
    prompt without a text, and for an engine that isn't there.
    """
    workspace = here()
    contract = workspace.contract()
    refuse_odd_names(workspace)
    own = checked(metrics or {}, contract)
    asked = the_prompt(prompt)
    by = engines.chosen(engine)
    files = {
        name: list(split_files(workspace.data, split)) for name, split in contract.splits.items()
    }
    if by == "ray":
        say(f"measuring on {engines.place()}")
    given = {name: list(pieces(some, contract)) for name, some in files.items()}
    splits: dict[str, Split] = {}
    figures: dict[str, dict[str, Number]] = {}
    features: Features = {}
    with SampleIndex(contract.key) as index:
        for name, samples, found in measure(given, contract, index, engines.engine(by)):
            if samples.count == 0:
                raise empty(workspace, name, files[name])
            features = merged(features, found)
            splits[name] = Split(
                num_samples=samples.count,
                class_distribution=samples.classes,
                columns={column: values.figures() for column, values in samples.columns.items()},
                role=contract.splits[name].role,
                histograms=samples.histograms(),
                files=contract.splits[name].files,
                format=format_of(file.name for file in files[name]),
            )
            figures[name] = samples.metrics() | own.get(name, {})
            say(f"{name}: {numbered(samples.count, 'sample')}")
        digest = index.write(workspace.data / INDEX)
    profile = Profile(
        dataset=facts(workspace.name, contract),
        features=features,
        splits={
            name: replace(split, duplicates=index.duplicates[name])
            for name, split in splits.items()
        },
        metrics={name: values for name, values in figures.items() if values},
        snapshot=published(workspace, digest),
        key=contract.key,
        label=contract.label or "",
        prompt=asked,
    )
    text = json.dumps(
        profile.to_json(), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False
    )
    with written(workspace.data / "metadata.json") as file:
        file.write(f"{text}\n".encode())
    record_surroundings(workspace, profile.snapshot.digest)
    return profile


def checked(metrics: Metrics, contract: Contract) -> dict[str, dict[str, Number]]:
    """The script's own metrics, rounded. Raises BadRequest for what JSON or a split can't have."""
    own: dict[str, dict[str, Number]] = {}
    for split, values in by_name(metrics, "metrics"):
        if split not in contract.splits:
            raise BadRequest(
                f"metrics are given for `{split}`, which is no split",
                hint=f"splits in dataset.yaml: {', '.join(contract.splits)}",
            )
        own[split] = {}
        for name, value in by_name(values, f"the metrics of `{split}`"):
            number = scalar(value)
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise BadRequest(f"metric `{name}` of `{split}` is no number: {value!r}", hint=GIVE)
            if isinstance(number, int) and abs(number) >= 1 << 64:
                raise BadRequest(
                    f"metric `{name}` of `{split}` needs more than 64 bits: {number}",
                    hint="give it as a float",
                )
            if not math.isfinite(number):
                raise BadRequest(f"metric `{name}` of `{split}` is not finite: {number}", hint=GIVE)
            own[split][name] = rounded(number)
    return own


def scalar(value: Any) -> Any:
    """numpy's and torch's scalars as Python's, of whose number types they are no subclasses."""
    try:
        return value.item() if hasattr(value, "item") else value
    except (ValueError, RuntimeError, TypeError):  # an array of several
        return value


def by_name(given: Any, about: str) -> Iterator[tuple[str, Any]]:
    """What is given by name. Raises BadRequest for what is no mapping, and for names that are none."""
    if not isinstance(given, Mapping):
        raise BadRequest(f"{about} are no mapping: {given!r}", hint=GIVE)
    for name, value in given.items():
        if not isinstance(name, str) or not is_text(name):
            raise BadRequest(f"{about} have a name that is no text: {name!r}", hint=GIVE)
        yield name, value


def is_text(text: str) -> bool:
    """Whether it is not empty, and can be written as UTF-8."""
    try:
        return bool(text.encode())
    except UnicodeEncodeError:
        return False


GIVE = 'give finite numbers: profile.write(metrics={"train": {"words_mean": 12.5}})'


def the_prompt(asked: Asked | None) -> Prompt | None:
    """The prompt as it was given, its text untouched. Raises BadRequest for one without a text."""
    if asked is None:
        return None
    told = {"text": asked} if isinstance(asked, str) else asked
    if not isinstance(told, Mapping):
        raise BadRequest(f"the prompt is neither a text nor a mapping: {told!r}", hint=ASK)
    for name in told:
        if name not in Prompt.__dataclass_fields__:
            raise BadRequest(f"the prompt has the unknown part `{name}`", hint=ASK)
    text = told.get("text")
    if not isinstance(text, str) or not text.strip():
        raise BadRequest("the prompt has no text", hint=ASK)
    named = (told.get(part) for part in ("name", "version"))
    prompt = Prompt(text, *("" if part is None else str(part) for part in named))
    if not is_text("".join(vars(prompt).values())):
        raise BadRequest("the prompt has characters that are none", hint=ASK)
    return prompt


ASK = 'give it as profile.write(prompt={"name": "caption", "version": "2", "text": "Describe ..."})'


def empty(workspace: Workspace, name: str, files: list[Path]) -> Outside:
    """A split without a row: where there are few, a share of them may be none."""
    params = workspace.params if (workspace.pipeline / PARAMS_FILE).is_file() else {}
    shares = [f"`{key}` ({value})" for key, value in named_shares(params)]
    again = f"dreg run {workspace.name}"
    return Outside(
        f"split `{name}` is empty: no row in {', '.join(f'`{shown(file)}`' for file in files)}",
        hint=f"change {' or '.join(shares)} in pipelines/{workspace.name}/params.yaml, or add rows; "
        f"then: {again}"
        if shares
        else f"see how scripts/process.py splits; then: {again}",
    )


def named_shares(params: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, float]]:
    """The shares among a pipeline's parameters, by their dotted names."""
    for key, value in params.items():
        if isinstance(value, Mapping):
            yield from named_shares(value, f"{above}{key}.")
        elif str(key).endswith("share") and isinstance(value, float | int):
            yield f"{above}{key}", value


def merged(features: Features, found: Features) -> Features:
    """The columns of all splits: one that has nulls in any of them is nullable."""
    both = dict(found)
    for name, feature in features.items():
        both[name] = feature if feature.nullable else found.get(name, feature)
    return both


def facts(name: str, contract: Contract) -> dict[str, str]:
    """What the contract tells about the dataset as a whole."""
    told = {
        "name": name,
        "title": contract.title,
        "description": contract.description,
        "licence": contract.licence,
        "kind": contract.kind,
        "task": contract.task,
    }
    return {**contract.facts, **{key: value for key, value in told.items() if value}}


def refuse_odd_names(workspace: Workspace) -> None:
    """Raises Outside for a published file under whose name nobody could have it: no list could name it,
    or it would be elsewhere on another system."""
    for path in published_files(workspace):
        try:
            check_path(path.relative_to(workspace.data).as_posix())
        except Refused as error:
            raise Outside(
                f"`{shown(path)}` cannot be fetched under that name",
                hint="have the pipeline rename it",
            ) from error
        if not is_text(path.name):
            told = shown(path).encode(errors="replace").decode()
            raise Outside(f"the name of `{told}` is not UTF-8", hint="have the pipeline rename it")


def published(workspace: Workspace, samples: str) -> Published:
    """The files that consumers get, as they are now; `samples` is the sample index's digest."""
    snapshot = Snapshot.of(
        File(
            path=path.relative_to(workspace.data).as_posix(),
            size=path.stat().st_size,
            md5="",
            sha256=sha256(path),
        )
        for path in published_files(workspace)
    )
    return Published(len(snapshot.files), snapshot.size, snapshot.digest(), samples)


def published_files(workspace: Workspace) -> Iterator[Path]:
    """What the stages in dvc.yaml put into the dataset's folder for DVC to keep, but the index."""
    data = workspace.data.resolve()
    stages = read_yaml(workspace.pipeline / "dvc.yaml").get("stages", {})
    for out in (out for stage in stages.values() for out in stage.get("outs", ())):
        [(path, options)] = out.items() if isinstance(out, dict) else [(out, {})]
        place = (workspace.pipeline / path).resolve()
        is_published = place.is_relative_to(data) and not place.is_relative_to(data / "raw")
        if is_published and options.get("cache", True):
            inside = sorted(place.rglob("*")) if place.is_dir() else [place]
            yield from (path for path in inside if path.is_file() and path != data / INDEX)


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
