"""Writing to a run which data it uses: as params, as tags, and as a dataset input."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from dreg.adapters.extras import needed
from dreg.adapters.mlflow.connecting import explained, library
from dreg.core.lineage import NAME_KEY, SOURCE_TYPE, SPLITS_KEY, VERSION_KEY, Lineage, keys, of_one
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

    The same twice is no error. Raises BadRequest without a run, Refused when the run names another
    version of the dataset: params can't be changed, and one of the two would be wrong.
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
        params = client.get_run(run_id).data.params
        told = keys(lineage, profile, among=_is_second(params, lineage))
        client.log_batch(
            run_id,
            params=[entities.Param(k, v) for k, v in told.items() if params.get(k) != v],
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


def record_splits(dataset: str, splits: Sequence[str], run_id: str) -> None:
    """Note the splits in a run that has the release, unless the training itself said which it used.

    As a tag only: params never change, and nor does the input, and what else is read is not known yet.
    """
    mlflow = library()
    with explained(mlflow.get_tracking_uri()):
        client = mlflow.MlflowClient()
        params = client.get_run(run_id).data.params
        key = of_one(SPLITS_KEY, dataset, among=params.get(NAME_KEY) != dataset)
        if key not in params:
            client.set_tag(run_id, key, ",".join(splits))


def _is_second(params: Mapping[str, str], lineage: Lineage) -> bool:
    """Whether another dataset has the plain keys. Raises Refused for another version of this one."""
    first = params.get(NAME_KEY)
    among = first is not None and first != lineage.dataset
    known = params.get(of_one(VERSION_KEY, lineage.dataset, among=among))
    if known is not None and known != lineage.tag:
        raise Refused(
            f"the run says already that it uses `{known}`, and not `{lineage.tag}`",
            hint="use one version of a dataset in a run, or start another run",
        )
    return among


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
