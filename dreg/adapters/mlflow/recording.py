"""Writing to a run which data it uses: as params, as tags, and as a dataset input."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from dreg.adapters.extras import needed
from dreg.adapters.mlflow.connecting import explained, library
from dreg.core.lineage import (
    COMMIT_KEY,
    NAME_KEY,
    SOURCE_TYPE,
    SPLITS_KEY,
    VERSION_KEY,
    Lineage,
    is_commit,
    keys,
    learned_from,
    of_one,
    release_named,
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


def record(lineage: Lineage, profile: Profile | None, run_id: str | None = None) -> str:
    """Record the release in the run, by default the active one; its id.

    The same twice is no error, and splits add up. A param that the training wrote itself stays as it is.
    Raises BadRequest without a run, Refused when the run names another version of the dataset: params
    can't be changed, and one of the two would be wrong.
    """
    mlflow = library()
    entities = needed("mlflow.entities", "mlflow")
    run_id = run_id or active_run()
    if run_id is None:
        raise BadRequest(
            "no MLflow run is active", hint="with mlflow.start_run(): ds.log_to_mlflow()"
        )
    with explained(mlflow.get_tracking_uri()):
        client = mlflow.MlflowClient()
        run = client.get_run(run_id).data
        params, among = run.params, _is_second(run.params, lineage)
        told = keys(lineage, profile, among=among)
        fresh = [entities.Param(k, v) for k, v in told.items() if k not in params]
        splits = of_one(SPLITS_KEY, lineage.dataset, among=among)
        if lineage.splits and params.get(splits):
            said = f"{params[splits]},{run.tags.get(splits, '')}".split(",")
            told[splits] = ",".join(sorted({*filter(None, said), *lineage.splits}))
        client.log_batch(
            run_id,
            params=fresh,
            tags=[entities.RunTag(k, v) for k, v in told.items()],
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


def record_splits(dataset: str, read: Collection[str], trained: Sequence[str], run_id: str) -> None:
    """Note which splits were read in a run that has the release: those that models learn from, which are
    `trained`, if any of them was. Unless the training itself said which it used.

    As a tag only: params never change, and nor does the input, and what else is read is not known yet. What
    another process noted of the same run, or this one before it was resumed, was read too.
    """
    mlflow = library()
    with explained(mlflow.get_tracking_uri()):
        client = mlflow.MlflowClient()
        told = client.get_run(run_id).data
        key = of_one(SPLITS_KEY, dataset, among=told.params.get(NAME_KEY) != dataset)
        if key not in told.params:
            earlier = filter(None, told.tags.get(key, "").split(","))
            client.set_tag(run_id, key, ",".join(learned_from({*read, *earlier}, trained)))


def record_beside(lineage: Lineage, run_id: str) -> None:
    """Note a second version of a dataset in a run, which its params cannot name: who traces it is told both."""
    mlflow = library()
    entities = needed("mlflow.entities", "mlflow")
    told = keys(lineage, among=True)
    with explained(mlflow.get_tracking_uri()):
        tags = [entities.RunTag(key, value) for key, value in told.items()]
        mlflow.MlflowClient().log_batch(run_id, tags=tags)


def _is_second(params: Mapping[str, str], lineage: Lineage) -> bool:
    """Whether another dataset has the plain keys. Raises Refused for another version of this one."""
    first = params.get(NAME_KEY)
    plain = params.get(VERSION_KEY)
    among = first is not None and first != lineage.dataset
    if plain is not None and first is None:  # the training may call something else so
        named = release_named(plain, None)
        among = named is None or named[0] != lineage.dataset
    known = params.get(of_one(VERSION_KEY, lineage.dataset, among=among))
    commit = params.get(of_one(COMMIT_KEY, lineage.dataset, among=among))
    if known is not None and known != lineage.tag:
        raise _other(known, lineage.tag)
    if commit and lineage.commit and not is_commit(commit, lineage.commit):
        raise _other(f"{lineage.tag} at {commit[:12]}", f"at {lineage.commit[:12]}")
    return among


def _other(known: str, wanted: str) -> Refused:
    return Refused(
        f"the run says already that it uses `{known}`, and not `{wanted}`",
        hint="use one version of a dataset in a run, or start another run",
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
