"""Runs and models of a tracking store, and finding them by the data that they use."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dreg.adapters.extras import needed
from dreg.adapters.git import public_url
from dreg.adapters.mlflow.connecting import Absent, client, explained
from dreg.adapters.objects import many
from dreg.core.lineage import VERSION_KEYS, Input, Lineage, read
from dreg.core.wording import printable
from dreg.errors import BadRequest

RUN_URI = re.compile(r"runs:/([^/]+)")
PAGE = 500
AT_ONCE = 4
CONTEXT = "mlflow.data.context"
VERSION_TAGS = ("version", "model_version", "semver", "release")  # of model versions


@dataclass(frozen=True)
class ModelVersion:
    """A version of a registered model. `registered` is ISO 8601, UTC; `run` the id of what made it."""

    name: str
    version: str
    aliases: tuple[str, ...]
    registered: str
    run: str | None
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Run:
    """A training run, and the releases that it names. `started` is ISO 8601, UTC; one that was `deleted`
    may have made a model that is there still."""

    id: str
    name: str
    experiment: str
    user: str
    started: str
    lineage: tuple[Lineage, ...]
    deleted: bool = False

    def marks(self, tag: str, repo: str | None) -> str:
        """What is to be known of it as a user of the release at the tag in `repo`; empty if nothing is.

        A run that names another registry, and neither commit nor manifest, may mean another release.
        """
        words = ["deleted"] if self.deleted else []
        for one in self.lineage:
            told = one.commit or one.manifest or one.repo is None
            if one.tag == tag and not told and (named := public_url(one.repo or "")) != repo:
                words.append(f"it names the registry {printable(named)}, and no commit")
        return f" ({'; '.join(words)})" if words else ""


class Tracking:
    """The tracking store and model registry at `uri`."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self._client = client(uri)

    def model(self, name: str, wanted: str, *, alias: bool) -> ModelVersion:
        """The version by its number, its alias, `latest`, or a tag that has the version's name.

        Raises BadRequest that says which there are.
        """
        there = self.models(name)
        if alias:
            found = [model for model in there if wanted in model.aliases]
            if not found:
                raise _no_version(name, f"alias `{wanted}`", there)
            return found[0]
        if wanted == "latest":
            return there[0]
        number = wanted.removeprefix("v")
        for model in there:
            if model.version == number:
                return model
        tagged = [m for m in there if any(number == _version(m.tags.get(t)) for t in VERSION_TAGS)]
        if len(tagged) == 1:
            return tagged[0]
        if tagged:
            raise BadRequest(
                f"{len(tagged)} versions of `{name}` are tagged `{wanted}`",
                hint=f"name one of them: {', '.join(m.uri for m in tagged)}",
            )
        raise _no_version(name, f"version `{wanted}`, by number or by a tag", there)

    def models(self, name: str) -> list[ModelVersion]:
        """All versions of a model, newest first. Raises BadRequest for one that is not there."""
        try:
            with explained(self.uri):
                aliases = self._client.get_registered_model(name).aliases
        except Absent as error:
            with explained(self.uri):
                there = [m.name for m in self._client.search_registered_models(max_results=20)]
            raise BadRequest(
                f"MLflow has no registered model `{name}`",
                hint=f"there are: {', '.join(there)}" if there else "none is registered there",
            ) from error
        with explained(self.uri):
            found = list(self._versions(f"name='{_quoted(name)}'"))
        by_version: dict[str, list[str]] = {}
        for alias, version in aliases.items():
            by_version.setdefault(str(version), []).append(alias)
        models = [_model(one, by_version.get(str(one.version), [])) for one in found]
        models.sort(key=lambda m: int(m.version), reverse=True)
        if not models:
            raise BadRequest(
                f"the model `{name}` has no version", hint="register one, then trace it"
            )
        return models

    def models_of(self, run_id: str) -> list[ModelVersion]:
        """Versions of models that the run made."""
        with explained(self.uri):
            return [self._full(one) for one in self._versions(f"run_id='{_quoted(run_id)}'")]

    def logged(self, model_id: str) -> str | None:
        """The run that logged a model, by the id that MLflow gave it; None if there is none such."""
        with suppress(AttributeError, Absent), explained(self.uri):  # MLflow 2 has no such
            return str(self._client.get_logged_model(model_id).source_run_id or "") or None
        return None

    def run_of(self, model: ModelVersion) -> Run:
        """The run that made the model. Raises BadRequest where MLflow doesn't know."""
        run_id = model.run
        if run_id is None:
            raise BadRequest(
                f"MLflow does not know which run made {model.uri}",
                hint="register models from a run: mlflow.register_model('runs:/RUN/model', NAME)",
            )
        return self.run(run_id)

    def run(self, run_id: str) -> Run:
        """The run. Raises BadRequest for one that is not there, or was removed."""
        try:
            with explained(self.uri):
                return self._run(self._client.get_run(run_id))
        except Absent as error:
            raise BadRequest(
                f"MLflow has no run `{run_id}`",
                hint="it may have been deleted, or be on another server",
            ) from error

    def runs_with(self, dataset: str, version: str, digest: str) -> list[Run]:
        """Runs that name this release, deleted ones too, newest first. Of dataset inputs that others write
        only those are found whose name has the dataset's in it: MLflow searches no sources."""
        all_ = needed("mlflow.entities", "mlflow").ViewType.ALL
        text = _quoted(version)
        asked = [f"dataset.name LIKE '%{_quoted(dataset)}%'", f"dataset.digest = '{digest}'"]
        for key in (*VERSION_KEYS, *(f"{key}.{dataset}" for key in VERSION_KEYS)):
            asked += [f"{kind}.`{key}` LIKE '%{text}%'" for kind in ("params", "tags")]
        with explained(self.uri):
            ids = [
                e.experiment_id for e in self._pages(partial(self._client.search_experiments, all_))
            ]
            found = many([lambda f=f: list(self._search(ids, f, all_)) for f in asked], AT_ONCE)  # type: ignore[misc]
            runs = {run.info.run_id: run for listed in found for run in listed}
            full = many([lambda r=r: self._run(r) for r in runs.values()], AT_ONCE) if runs else []  # type: ignore[misc]
        meant = [
            run
            for run in full
            if any((one.dataset, str(one.version)) == (dataset, version) for one in run.lineage)
        ]
        return sorted(meant, key=lambda run: run.started, reverse=True)

    def _search(self, ids: list[str], asked: str, view: int) -> Iterator[Any]:
        def page(**options: Any) -> Any:
            return self._client.search_runs(ids, asked, view, **options)

        return self._pages(page) if ids else iter(())

    def _versions(self, asked: str) -> Iterator[Any]:
        def page(**options: Any) -> Any:
            return self._client.search_model_versions(asked, **options)

        return self._pages(page)

    def _pages(self, ask: Any) -> Iterator[Any]:
        token = None
        while True:
            page = ask(max_results=PAGE, page_token=token)
            yield from page
            token = page.token
            if not token:
                return

    def _full(self, one: Any) -> ModelVersion:
        aliases = self._client.get_registered_model(one.name).aliases
        return _model(
            one, [a for a, v in aliases.items() if str(v) == str(one.version)], self._client
        )

    def _run(self, run: Any) -> Run:
        inputs = [
            Input(
                name=one.dataset.name,
                digest=one.dataset.digest,
                source_type=one.dataset.source_type,
                source=one.dataset.source or "",
                context=next((tag.value for tag in one.tags if tag.key == CONTEXT), ""),
            )
            for one in (run.inputs.dataset_inputs if run.inputs else ())
        ]
        experiment = self._client.get_experiment(run.info.experiment_id)
        return Run(
            id=run.info.run_id,
            name=run.info.run_name or run.info.run_id,
            experiment=experiment.name,
            user=run.data.tags.get("mlflow.user") or run.info.user_id or "",
            started=_moment(run.info.start_time),
            lineage=read(run.data.params, run.data.tags, inputs),
            deleted=run.info.lifecycle_stage == "deleted",
        )


def _model(one: Any, aliases: list[str], asked: Any = None) -> ModelVersion:
    run = one.run_id or None
    source = RUN_URI.match(one.source or "")
    if run is None and source:
        run = source.group(1)
    return ModelVersion(
        name=one.name,
        version=str(one.version),
        aliases=tuple(sorted(aliases)),
        registered=_moment(one.creation_timestamp),
        run=run,
        tags=dict(one.tags or {}),
    )


def _no_version(name: str, what: str, there: list[ModelVersion]) -> BadRequest:
    told = [m.version + (f" ({', '.join(m.aliases)})" if m.aliases else "") for m in there[:10]]
    return BadRequest(
        f"the model `{name}` has no {what}",
        hint=f"versions there are: {', '.join(told)}; see them all: dreg trace models:/{name}",
    )


def _version(text: str | None) -> str | None:
    return None if text is None else text.removeprefix("v")


def _quoted(text: str) -> str:
    """Text between the quotes of MLflow's filters, which know no escape."""
    return text.replace("'", "")


def _moment(milliseconds: int | None) -> str:
    if milliseconds is None:
        return ""
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
