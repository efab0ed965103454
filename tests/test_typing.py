"""What type checkers tell who trains: each call of dreg's has its type, and a wrong one is an error."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import dreg

ROOT = Path(__file__).resolve().parents[1]
PYRIGHT = Path(sys.prefix) / "bin" / "basedpyright"

# Every public name with its type, as mypy and pyright spell it; None where a library has no types.
CALLS: dict[str, tuple[str | None, str | None]] = {
    "ds": ("dreg.api.dataset.Dataset", "Dataset"),
    "ds.name": ("str", "str"),
    "ds.version": ("semver.version.Version", "Version"),
    "ds.tag": ("str", "str"),
    "ds.commit": ("str", "str"),
    "ds.repo": ("str", "str"),
    "ds.metadata": ("dict[str, Any]", "dict[str, Any]"),
    "ds.profile": ("dreg.core.profile.Profile | None", "Profile | None"),
    "ds.splits": ("typing.Mapping[str, tuple[str, ...]]", "Mapping[str, tuple[str, ...]]"),
    "ds.training_splits": ("tuple[str, ...]", "tuple[str, ...]"),
    "ds.lineage(['train'])": ("dreg.core.lineage.Lineage", "Lineage"),
    "ds.path('train')": ("pathlib.Path", "Path"),
    "ds.urls('train', objects=True)": ("list[str]", "list[str]"),
    "ds.filesystem()": (None, "AbstractFileSystem"),
    "ds.to_arrow('train', ['a'])": (None, None),
    "ds.to_pandas('train', columns=('a',))": (None, "DataFrame"),
    "ds.to_polars('train')": (None, "DataFrame"),
    "ds.to_hf('train')": (None, "Dataset"),
    "ds.to_torch('train', transform=lambda sample: sample['a'])": (None, "Samples"),
    "ds.to_torch_iterable('train', rank=0, world=2, seed=1)": (None, "Stream"),
    "ds.to_ray('train', decode=False)": (None, "Dataset"),
    "ds.samples()": (None, None),
    "ds.log_to_mlflow('train', run_id='x')": ("str", "str"),
    "dreg.autolog()": ("None", "None"),
}
WRONG = ["dreg.nothing", "ds.to_pandas(3)", "ds.path(split=1)", "dreg.load()", "ds.version = 3"]
SCRIPT = (
    "from pathlib import Path\nimport dreg\n"
    'ds = dreg.load("wine@^1", repo=Path("registry.git"), remote="s3://bucket")\n'
    + "".join(f"reveal_type({call})\n" for call in CALLS)
    + "".join(f"{wrong}\n" for wrong in WRONG)
)
FIRST = 4  # line of the script with the first of the calls
# What training code sees of dreg; to read all that lies behind it would take long.
MYPY = """\
[mypy]
follow_imports = skip
[mypy-dreg,dreg.api.dataset,dreg.api.loading,dreg.api.tracking,dreg.core.profile,dreg.core.lineage,semver.*]
follow_imports = normal
"""


def test_every_public_name_is_among_them():
    tried = " ".join(CALLS)
    for name in vars(dreg.Dataset):
        assert name.startswith("_") or f"ds.{name}" in tried, name
    assert set(dreg.__all__) == {"Dataset", "load", "autolog"}
    assert (ROOT / "dreg/py.typed").is_file()
    assert "Typing :: Typed" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]  # fmt: skip


def test_mypy_knows_every_type(tmp_path):
    (tmp_path / "mypy.ini").write_text(MYPY)
    (tmp_path / "use.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", "use.py"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    told = dict(re.findall(r'^use.py:(\d+): note: Revealed type is "(.*)"$', done.stdout, re.M))
    for line, (call, (expected, _)) in enumerate(CALLS.items(), FIRST):
        assert expected is None or told.get(str(line)) == expected, call
    errors = {int(line) for line in re.findall(r"^use.py:(\d+): error:", done.stdout, re.M)}
    first = FIRST + len(CALLS)
    assert errors == set(range(first, first + len(WRONG))), done.stdout


def test_pyright_knows_every_type(tmp_path):
    if not PYRIGHT.exists():
        pytest.skip("pyright is not installed: make neighbours")
    (tmp_path / "use.py").write_text(SCRIPT)
    settings = {"include": ["use.py"], "typeCheckingMode": "strict"}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [str(PYRIGHT), "--outputjson", "--pythonpath", sys.executable, "-p", "."],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = json.loads(done.stdout)["generalDiagnostics"]
    at = [(one["range"]["start"]["line"] + 1, one["severity"], one["message"]) for one in found]
    told = {line: said for line, severity, said in at if severity == "information"}
    for line, (_, expected) in enumerate(CALLS.values(), FIRST):
        assert expected is None or f'" is "{expected}"' in told[line], told[line]
    untyped = {n for n, (_, kind) in enumerate(CALLS.values(), FIRST) if kind is None}
    first = FIRST + len(CALLS)
    errors = {line for line, severity, _ in at if severity == "error"}
    assert errors - untyped == set(range(first, first + len(WRONG))), done.stdout
