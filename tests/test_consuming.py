"""The page that a training engineer follows: what it says to type works, and says what is shown there."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import forked
from tests.hand_made import HandMade
from tests.kinds import KINDS, measured
from tests.test_story import SIZES

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "consuming.md").read_text()
pytestmark = pytest.mark.slow
MODEL = """
    import mlflow.pyfunc

    mlflow.pyfunc.log_model(name="model", python_model=lambda model_input: model_input,
                            pip_requirements=[], registered_model_name="wine")
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def wines(folder: Path, more: int = 0) -> dict:
    """Two splits of Parquet with the columns that the page names."""
    for name, rows in (("train", 300 + more), ("val", 50)):
        numbers = np.arange(rows)
        columns = {"id": numbers, "alcohol": 8 + numbers % 7 / 2, "quality": 3 + numbers % 6}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return {
        "columns": {"id": "int64", "alcohol": "float64", "quality": "int64"},
        "splits": {n: [f"processed/{n}.parquet"] for n in ("train", "val")},
        "label": "quality",
        "key": ["id"],
    }


@pytest.fixture
def acme(tmp_path, monkeypatch) -> HandMade:
    """The page's registry, of which git finds a copy here, and a plain DVC repository."""
    made = HandMade(tmp_path, {})
    release(made, "1.0.0", monkeypatch)
    plain = HandMade(tmp_path / "plain", {})
    (plain.path / "imgs").mkdir()
    (plain.path / "imgs" / "1.png").write_bytes(b"pixels")
    (plain.path / "notes.md").write_text("notes")
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    for command in (("add", "imgs"), ("push",)):
        assert forked.dvc(*command, "-q", cwd=plain.path).code == 0
    plain.tag("v2.1", None)
    config = tmp_path / "gitconfig"
    config.write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.com\n"
        + "".join(
            f'[url "{there.bare}"]\n\tinsteadOf = https://github.com/acme/{name}\n'
            for name, there in (("data-registry", made), ("plain-dvc", plain))
        )
    )
    for name, value in {
        "GIT_CONFIG_GLOBAL": str(config),
        "DREG_CACHE": str(tmp_path / "cache"),
        "DREG_REMOTE": str(made.store),
        "MLFLOW_TRACKING_URI": (tmp_path / "mlruns").as_uri(),
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "PATH": forked.on_path(),
    }.items():
        monkeypatch.setenv(name, value)
    (made.home / "training").mkdir()
    made.git("init", "-q", cwd=made.home / "training")
    return made


def release(made: HandMade, version: str, patch: pytest.MonkeyPatch, more: int = 0) -> None:
    patch.setitem(KINDS, "wines", lambda folder: wines(folder, more))
    files, metadata = measured(made.home / f"measured-{version}", "wines")
    made.release(version, files, name="wine-quality", metadata=metadata)


def test_every_command_and_script_of_the_page_works(acme, monkeypatch):
    training = acme.home / "training"
    (training / "dreg.toml").write_text(blocks("toml")[0])
    loading, tracking = blocks("python")
    said = ""
    for line in re.findall(r"^training\$ (.*)$", PAGE, re.MULTILINE):
        environment = dict(os.environ)
        if "plain-dvc" in line:
            environment["DREG_REMOTE"] = str(acme.home / "plain" / "store")
        if line == "dreg trace models:/wine/1":
            for script in (loading, tracking.replace("    ...", MODEL)):
                subprocess.run([sys.executable, "-c", script], cwd=training, check=True)
        if line == "dreg outdated":
            release(acme, "1.1.0", monkeypatch, more=10)
        done = subprocess.run(
            shlex.split(line, comments=True),
            cwd=training, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"$ {line}\n{done.stdout}{done.stderr}"
        said += done.stdout
    said = SIZES.sub("some", said)
    shown = [line for block in blocks("console") for line in block.splitlines() if "$ " not in line]
    for line in filter(None, shown):
        assert SIZES.sub("some", line) in said, f"the page shows {line!r}:\n{said}"
    assert pq.read_metadata(training / "samples.parquet").num_rows == 300
    assert (training / "data" / "imgs" / "1.png").read_bytes() == b"pixels"
    assert (training / "notes.md").read_text() == "notes"


def test_the_extras_and_the_remote_of_the_page_are_there():
    there = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in re.findall(r"\[([a-z]+)\]`", PAGE):
        assert extra in there["optional-dependencies"]
    (install,) = re.findall(r"^\$ (.*)$", PAGE, re.MULTILINE)
    assert install == f"pip install {there['name']}"
    assert "minio" in tomllib.loads(blocks("toml")[1])["remotes"]
