"""The source of MLflow's dataset inputs that dreg writes: MLflow gives it back, and it loads the data."""

from __future__ import annotations

from typing import Any

from mlflow.data.dataset_source import DatasetSource

from dreg.api.dataset import Dataset
from dreg.api.loading import load
from dreg.core.lineage import SOURCE_TYPE
from dreg.errors import Refused


class ReleaseSource(DatasetSource):
    """A release: `mlflow.data.get_source(run.inputs.dataset_inputs[0]).load()` is its dreg.Dataset."""

    def __init__(self, told: dict[str, Any]) -> None:
        self._told = told

    @staticmethod
    def _get_source_type() -> str:
        return SOURCE_TYPE

    def load(self) -> Dataset:
        """The release. Raises as `dreg.load`, and Refused when its tag moved since."""
        dataset = load(str(self._told["tag"]), repo=self._told.get("repo"))
        if self._told.get("commit") not in (None, dataset.commit):
            raise Refused(
                f"the tag `{dataset.tag}` moved since the run used it",
                hint="releases never change, so ask the registry's owner",
            )
        return dataset

    @staticmethod
    def _can_resolve(raw_source: Any) -> bool:
        return isinstance(raw_source, Dataset)

    @classmethod
    def _resolve(cls, raw_source: Any) -> ReleaseSource:
        return cls(raw_source.lineage().source())

    def to_dict(self) -> dict[str, Any]:
        return dict(self._told)

    @classmethod
    def from_dict(cls, source_dict: dict[Any, Any]) -> ReleaseSource:
        return cls(source_dict)
