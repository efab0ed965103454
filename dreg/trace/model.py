"""From a model to the exact samples that it learned from: model -> run -> release -> samples."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dreg.adapters.index.looking import export
from dreg.adapters.mlflow.connecting import URI, store_here
from dreg.adapters.mlflow.reading import ModelVersion, Run, Tracking
from dreg.core.lineage import VERSION_KEY
from dreg.core.wording import numbered, printable
from dreg.errors import BadRequest
from dreg.output import count, out, table
from dreg.trace.data import Located, Used, no_index, used

MODEL = re.compile(r"models:/([^/@]+)(?:/([^/@]+)|@([^/@]+))?")
LOGGED = re.compile(r"models:/m-[0-9a-f]{32}")  # before it is registered
RUN = re.compile(r"runs:/([^/]+)(?:/.*)?")
SHORT = 8


@dataclass(frozen=True)
class Wanted:
    """How much is to be told. `splits` are those asked for, none: what the run trained on. `limit`
    asks for samples one by one, 0 for all; `sample` is a key or hash to look for; `into` a file to be."""

    splits: Sequence[str] = ()
    limit: int | None = None
    sample: str | None = None
    into: Path | None = None

    def __post_init__(self) -> None:
        if self.into is not None and self.into.suffix != ".parquet":
            raise BadRequest(
                f"`{self.into}` does not end in .parquet",
                hint="samples are exported as Parquet only",
            )


@dataclass(frozen=True)
class ModelTrace:
    """What a model, or a run, was made from. `model` is null where only a run was asked for; `command`
    exports the samples."""

    asked: str
    tracking: str
    model: ModelVersion | None
    run: Run
    data: tuple[Used, ...]
    command: str

    def lines(self) -> Iterator[str]:
        if self.model is not None:
            aliases = f", alias {', '.join(self.model.aliases)}" if self.model.aliases else ""
            yield f"model     {self.model.uri}{aliases}, registered {day(self.model.registered)}"
        yield f"run       {self.run.id} ({printable(described(self.run))})"
        for one in self.data:
            yield ""
            yield from one.lines()
            if not one.splits:  # neither profile nor index: it was not made by dreg, or long ago
                continue
            yield ""
            rows = [
                (s.split, s.role or "-", count(s.samples), "yes" if s.used else "")
                for s in one.splits
            ]
            yield from table(("SPLIT", "ROLE", "SAMPLES", "TRAINED ON"), rows)
            yield from self._samples(one)

    def _samples(self, one: Used) -> Iterator[str]:
        yield from one.sample_lines()
        if one.sample is not None:
            yield ""
            trained = {s.split for s in one.splits if s.used}
            for row in one.sample:
                is_in = "it was trained on" if row.split in trained else "it was not trained on"
                yield f"sample    {printable(row.key)} is in {row.split}: {is_in} (hash {row.hash})"
            if not one.sample:
                yield "sample    not in this release"
        if one.exported:
            yield ""
            yield f"exported  {one.exported}: {numbered(one.samples or 0, 'sample')}"
        elif one.listed is None and one.sample is None:
            yield ""
            yield f"every one of them: {self.command}"


@dataclass(frozen=True)
class Trained:
    """A version of a model, and the releases that its run names, as `name version`."""

    model: ModelVersion
    data: tuple[str, ...]


@dataclass(frozen=True)
class Versions:
    """All versions of a model, newest first."""

    asked: str
    tracking: str
    versions: tuple[Trained, ...]

    def lines(self) -> Iterator[str]:
        rows = [
            (
                one.model.version,
                ", ".join(one.model.aliases) or "-",
                one.model.registered[:16].replace("T", " "),
                ", ".join(one.data) or "not recorded",
            )
            for one in self.versions
        ]
        yield from table(("VERSION", "ALIAS", "REGISTERED (UTC)", "DATA"), rows)
        yield ""
        yield f"the samples of one: dreg trace {self.asked}/VERSION"


def is_about_a_model(asked: str) -> bool:
    """Whether this is the URI of a model or run of MLflow's, and not a release. Raises BadRequest for one
    without its beginning."""
    if re.fullmatch(r"(m-)?[0-9a-f]{32}|(models|runs):[^/].*", asked):
        model = asked.startswith("m")
        name = asked.removeprefix("models:").removeprefix("runs:")
        raise BadRequest(
            f"`{asked}` is not the URI of a model or run",
            hint=f"did you mean {'models' if model else 'runs'}:/{name}?",
        )
    return asked.startswith(("models:/", "runs:/"))


def trace_model(
    asked: str, wanted: Wanted, *, repo: str | None, remote: str | None, tracking: str | None
) -> ModelTrace | Versions:
    """What the model or run at the URI was made from; of a model without a version, what there is.

    Raises BadRequest for a model, version or run that there is not, or that names no data, Refused
    where its data can't be told any more, Outside when a neighbour fails.
    """
    store = ask_store(tracking)
    model, run = None, RUN.fullmatch(asked)
    if run is not None:
        found = store.run(run.group(1))
    else:
        match = MODEL.fullmatch(asked)
        if match is None:
            raise BadRequest(
                f"`{asked}` is not the URI of a model or run",
                hint="they look like models:/NAME/3, models:/NAME@alias, models:/NAME or runs:/ID",
            )
        name, version, alias = match.groups()
        logged = store.logged(name) if LOGGED.fullmatch(asked) else None
        if logged is not None:
            found = store.run(logged)
        elif version is None and alias is None:
            return _versions(store, asked, name)
        else:
            model = store.model(name, version or alias, alias=alias is not None)
            found = store.run_of(model)
    if not found.lineage:
        raise BadRequest(
            f"the run {found.id} does not say which data it used",
            hint=f"have it say so: ds.log_to_mlflow(), or the tag or param `{VERSION_KEY}`",
        )
    data = _data(found, wanted, repo, remote)
    words = ["dreg", "trace", asked, *(w for s in wanted.splits for w in ("--split", s))]
    for option, value in (("--repo", repo), ("--remote", remote), ("--tracking", tracking)):
        words += [option, value] if value else []
    command = shlex.join([*words, "--export", "samples.parquet"])
    return ModelTrace(asked, store.uri, model, found, data, command)


def ask_store(tracking: str | None) -> Tracking:
    """The tracking store. Raises BadRequest where none is known."""
    uri = store_here(tracking)
    if uri is None:
        raise BadRequest(
            "no MLflow tracking server is known here",
            hint=f"name it: --tracking http://HOST:5000, or set {URI}",
        )
    return Tracking(uri)


def _versions(store: Tracking, asked: str, name: str) -> Versions:
    trained = []
    for model in store.models(name):
        try:
            lineage = store.run_of(model).lineage
        except BadRequest:  # a run that was deleted, or none: the version is told nevertheless
            lineage = ()
        trained.append(Trained(model, tuple(f"{one.dataset} {one.version}" for one in lineage)))
    return Versions(asked, store.uri, tuple(trained))


def _data(run: Run, wanted: Wanted, repo: str | None, remote: str | None) -> tuple[Used, ...]:
    names = [one.dataset for one in run.lineage]
    for name in sorted({n for n in names if names.count(n) > 1}):
        versions = [
            f"{one.version} ({', '.join(one.forms)})" for one in run.lineage if one.dataset == name
        ]
        out.warn(f"the run names more than one version of `{name}`: {'; '.join(versions)}")
    located = [Located(one, repo, remote, run.started) for one in run.lineage]
    data = [used(one, wanted.splits, wanted.limit, wanted.sample) for one in located]
    if wanted.into is None:
        return tuple(data)
    parts = []
    for one, place in zip(data, located, strict=True):
        index = place.index()
        if index is None:
            raise no_index(one.dataset, one.version)
        told = {
            "dataset": one.dataset,
            "version": one.version,
            "repo": one.repo,
            "commit": one.commit,
            "run": run.id,
            **({"manifest": one.manifest} if one.manifest else {}),
        }
        parts.append((index, [s.split for s in one.splits if s.chosen], told))
    export(wanted.into, parts)
    return tuple(replace(one, exported=str(wanted.into)) for one in data)


def described(run: Run) -> str:
    """The run in words."""
    who = f", by {run.user}" if run.user else ""
    return f"{run.name}, experiment {run.experiment}{who}, {day(run.started)}"


def day(moment: str) -> str:
    return moment[:10] or "at an unknown time"
