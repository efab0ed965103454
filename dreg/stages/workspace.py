"""Where a script runs, and what it works on."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreg.adapters.yaml_files import read_yaml, shown
from dreg.core.contract import Contract
from dreg.errors import BadRequest


@dataclass(frozen=True)
class Workspace:
    """The two folders of the dataset `name` in the registry at `root`."""

    root: Path
    name: str

    @property
    def pipeline(self) -> Path:
        return self.root / "pipelines" / self.name

    @property
    def data(self) -> Path:
        return self.root / "data" / self.name

    @property
    def raw(self) -> Path:
        """What `download` fetched, as it came."""
        return self.data / "raw"

    @property
    def processed(self) -> Path:
        """What `process` makes of it, and consumers get. The folder exists."""
        folder = self.data / "processed"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @functools.cached_property
    def params(self) -> dict[str, Any]:
        """The values in params.yaml. Raises BadRequest when it is missing or no mapping."""
        path = self.pipeline / "params.yaml"
        values = read_yaml(path)
        if not isinstance(values, dict):
            raise BadRequest(
                f"`{shown(path)}` is not a mapping", hint="write it as `key: value` lines"
            )
        return values

    @functools.cached_property
    def contract(self) -> Contract:
        """The contract in dataset.yaml. Raises BadRequest when it is missing or malformed."""
        path = self.pipeline / "dataset.yaml"
        return Contract.parse(read_yaml(path), shown(path))


def here() -> Workspace:
    """The workspace of the pipeline in the current folder. Raises BadRequest outside of one."""
    folder = Path.cwd()
    if folder.parent.name != "pipelines" or not (folder / "dataset.yaml").is_file():
        raise BadRequest(
            f"`{folder}` is not a pipeline's folder",
            hint="run the script as its pipeline does: dreg run NAME",
        )
    return Workspace(root=folder.parent.parent, name=folder.name)
