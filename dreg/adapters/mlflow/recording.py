"""Writing to a run which data it uses: as params, as tags, and as a dataset input."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dreg.adapters.extras import needed
from dreg.adapters.mlflow.connecting import explained, library
from dreg.adapters.mlflow.turns import turn
from dreg.core.lineage import (
    COMMIT_KEY,
    SOURCE_TYPE,
    SPLITS_KEY,
    VERSION_KEY,
    Lineage,
    is_commit,
    keys,
    learned_from,
    listed_splits,
    place,
)
from dreg.core.profile import Feature, Profile
from dreg.errors import BadRequest, Refused

TYPES = {
    "bool": "boolean",
    "int8": "integer",
    "int16": "integer",
    "int32": "integer",
    "uint8": "integer",
    "uint16": "integer",
    "int64": "long",
    "uint32": "long",
    "uint64": "long",
    "float16": "float",
    "float32": "float",
    "float64": "double",
    "string": "string",
    "document": "string",
    "binary": "binary",
    "image": "binary",
}


def active_run() -> str | None:
    """The id of the run that is active in this process; None if there is none."""
    run = library().active_run()
    return None if run is None else str(run.info.run_id)


def record(
    lineage: Lineage,
    profile: Profile | None,
    run_id: str | None = None,
    *,
    another_version: bool = False,
) -> str:
    """Record the release in the run, by default the active one; its id.

    The same twice is no error: splits add up, as a tag, and what was measured never takes the place of
    a param that is there. Raises BadRequest without a run, Refused when the run names another version
    of the dataset, or another commit of this one: params can't be changed, and one of the two would be
    wrong. With `another_version`, such a one is noted beside the first, as tags only.
    """
    mlflow = library()
    entities = needed("mlflow.entities", "mlflow")
    run_id = run_id or active_run()
    if run_id is None:
        raise BadRequest(
            "no MLflow run is active", hint="with mlflow.start_run(): ds.log_to_mlflow()"
        )
    uri = mlflow.get_tracking_uri()
    with turn(uri, run_id), explained(uri):
        client = mlflow.MlflowClient()
        run = client.get_run(run_id).data
        params = run.params
        behind = place(params, lineage)
        second = behind not in ("", f".{lineage.dataset}")
        if second and not another_version:
            raise _another_version(params, lineage)
        _refuse_another_commit(params.get(f"{COMMIT_KEY}{behind}"), lineage)
        told = keys(lineage, profile, behind=behind)
        fresh = {k: v for k, v in told.items() if params.get(k, v) == v}
        splits = f"{SPLITS_KEY}{behind}"
        if splits in told and splits in params:
            said = f"{params[splits]},{run.tags.get(splits, '')}"
            fresh[splits] = ",".join(dict.fromkeys((*listed_splits(said), *lineage.splits)))
        client.log_batch(
            run_id,
            params=[
                entities.Param(k, v) for k, v in fresh.items() if k not in params and not second
            ],
            tags=[entities.RunTag(k, v) for k, v in fresh.items()],
        )
        used = ",".join(lineage.splits)
        context = [entities.InputTag("mlflow.data.context", used)] if used else []
        data = entities.Dataset(
            name=lineage.dataset,
            digest=lineage.input_digest,
            source_type=SOURCE_TYPE,
            source=json.dumps(lineage.source(), sort_keys=True),
            schema=_schema(profile),
            profile=_counts(profile),
        )
        client.log_inputs(run_id, [entities.DatasetInput(data, context)])
    return run_id


def record_splits(
    lineage: Lineage, read: Collection[str], trained: Sequence[str], run_id: str
) -> None:
    """Note those of the splits that were `read` in a run that has the release, and of those that it says
    already, from which models learn - unless the training itself said which it used.

    As a tag only: params never change, and nor does the input, and what else is read is not known yet.
    """
    mlflow = library()
    uri = mlflow.get_tracking_uri()
    with turn(uri, run_id), explained(uri):
        client = mlflow.MlflowClient()
        data = client.get_run(run_id).data
        key = f"{SPLITS_KEY}{place(data.params, lineage)}"
        if key not in data.params:
            every = {*listed_splits(data.tags.get(key)), *read}
            client.set_tag(run_id, key, ",".join(learned_from(every, trained)))


class AnotherVersion(Refused):
    """The run names another version of the dataset, which it can't name twice in its params."""


def _another_version(params: Mapping[str, str], lineage: Lineage) -> AnotherVersion:
    known = params.get(f"{VERSION_KEY}.{lineage.dataset}") or params.get(VERSION_KEY)
    return AnotherVersion(
        f"the run says already that it uses `{known}`, and not `{lineage.tag}`",
        hint="use one version of a dataset in a run, or start another run",
    )


def _refuse_another_commit(known: str | None, lineage: Lineage) -> None:
    """Raises Refused for the same tag at another commit than the one that the run names."""
    if known and lineage.commit and not is_commit(known, lineage.commit):
        raise Refused(
            f"the run says already that it uses `{lineage.tag}` at commit {known[:12]}, "
            f"and not at {lineage.commit[:12]}",
            hint="use one registry for a dataset in a run, or start another run",
        )


def _counts(profile: Profile | None) -> str | None:
    if profile is None:
        return None
    counts = {name: split.num_samples for name, split in profile.splits.items()}
    return json.dumps({"num_samples": counts, "num_rows": profile.num_samples})


def _schema(profile: Profile | None) -> str | None:
    if profile is None or not profile.features:
        return None
    types: Any = needed("mlflow.types", "mlflow")
    schema_types: Any = needed("mlflow.types.schema", "mlflow")

    def kind(feature: Feature) -> Any:
        word = TYPES.get(feature.type) or ("datetime" if "timestamp" in feature.type else None)
        if word is None:
            return schema_types.AnyType()
        found = types.DataType[word]
        for _ in feature.shape:
            found = schema_types.Array(found)
        return found

    columns = [
        types.ColSpec(kind(feature), name, required=not feature.nullable)
        for name, feature in profile.features.items()
    ]
    return json.dumps({"mlflow_colspec": types.Schema(columns).to_dict()})
