"""A dataset in a folder of its own, measured by the stage that pipelines call."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from dreg.core.profile import Profile
from dreg.errors import DregError
from dreg.stages import profile

DVC = {
    "stages": {
        "process": {"outs": ["../../data/pets/processed"]},
        "analyze": {"outs": [{"../../data/pets/metadata.json": {"cache": False}}]},
    }
}


class Pets:
    """A dataset whose pipeline's folder is the current one; its files are in `processed`."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.data = root / "data/pets"
        self.processed = self.data / "processed"

    def contract(self, columns: dict[str, Any], /, *files: str, **more: Any) -> None:
        splits = {"train": {"files": [f"processed/{file}" for file in files]}}
        about = {"title": "Pets", "description": "Pets", "licence": "CC0-1.0"}
        contract = about | {"splits": splits, "columns": columns} | more
        (self.root / "pipelines/pets/dataset.yaml").write_text(yaml.safe_dump(contract))

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.processed / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def measure(self) -> Profile:
        return profile.write()

    def samples(self) -> list[dict[str, Any]]:
        """The sample index, once measured."""
        self.measure()
        return pq.read_table(self.data / "samples.parquet").to_pylist()

    def hashes(self) -> list[str]:
        return [sample["hash"].hex() for sample in self.samples()]

    def refused(self) -> str:
        """What measuring them fails with."""
        with pytest.raises(DregError) as caught:
            self.measure()
        assert caught.value.hint
        assert not (self.data / "metadata.json").exists()
        return caught.value.fact.replace(f"{self.processed}/", "").replace(str(self.data), "DATA")


@contextmanager
def pets(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pets]:
    for folder in ("pipelines/pets", "data/pets/processed"):
        (root / folder).mkdir(parents=True)
    (root / "pipelines/pets/dvc.yaml").write_text(yaml.safe_dump(DVC))
    monkeypatch.chdir(root / "pipelines/pets")
    yield Pets(root)


def image(
    mode: str = "RGB", size: tuple[int, int] = (4, 3), colour: Any = 0, kind: str = "PNG"
) -> bytes:
    """An image file of one colour."""
    file = io.BytesIO()
    Image.new(mode, size, colour).save(file, kind)
    return file.getvalue()


def lines(*rows: Any) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)
