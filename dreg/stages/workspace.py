"""Where a script runs, and what it works on."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dreg.adapters.layout import Layout
from dreg.adapters.yaml_files import read_yaml, shown
from dreg.errors import BadRequest

if TYPE_CHECKING:
    import pyarrow as pa


class Workspace(Layout):
    """A dataset as its own scripts see it."""

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

    def schema(self) -> pa.Schema:
        """Names and Arrow types of the columns that dataset.yaml promises, in its order.

        Raises BadRequest for a type that Arrow has not.
        """
        import pyarrow as pa

        from dreg.adapters.formats.type_names import arrow_type

        fields = []
        for name, column in self.contract().columns.items():
            if (kind := arrow_type(column.type)) is None:
                raise BadRequest(
                    f"column `{name}` is promised as `{column.type}`, which is no type of Arrow's",
                    hint=f"correct its type in {shown(self.pipeline / 'dataset.yaml')}, or read it another way",
                )
            fields.append(pa.field(name, kind))
        return pa.schema(fields)


def here() -> Workspace:
    """The workspace of the pipeline in the current folder. Raises BadRequest outside of one."""
    folder = Path.cwd()
    if folder.parent.name != "pipelines" or not (folder / "dataset.yaml").is_file():
        raise BadRequest(
            f"`{folder}` is not a pipeline's folder",
            hint="run the script as its pipeline does: dreg run NAME",
        )
    return Workspace(root=folder.parent.parent, name=folder.name)
