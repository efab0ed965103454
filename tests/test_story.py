"""The story that the demo tells and the README shows, on the real wine data."""

from __future__ import annotations

import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dreg.adapters.templates import read_template
from tests import forked, git_server

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
DATASET = "wine-quality"
# How many bytes a release has depends on the libraries that write it, not on the story.
SIZES = re.compile(r"\b[\d.,]+ (?=[kM]?B\b|files\b|pushed\b)")

pytestmark = pytest.mark.slow
TREES = "id,kind,height\n" + "".join(
    f"{n},{'oak' if n % 3 else 'elm'},{n * 0.5}\n" for n in range(60)
)


def no_source(text: str) -> bool:
    return "no mirror gave" in text


def test_the_demo_tells_the_whole_loop_and_touches_nothing_here(tmp_path, monkeypatch, capfd):
    before = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    monkeypatch.setenv("PATH", forked.on_path())
    monkeypatch.setattr(sys, "executable", str(forked.zygote("dreg").shim))  # `dreg` is beside it
    monkeypatch.setattr(sys, "argv", ["docs/demo.py", "--keep", str(tmp_path / "demo")])
    stopped = None
    try:
        runpy.run_path(str(ROOT / "docs" / "demo.py"), run_name="__main__")
    except SystemExit as end:
        stopped = end.code
    said, noted = capfd.readouterr()
    if no_source(said + noted):
        pytest.skip("no mirror of the wine data can be reached from this machine")
    assert stopped is None, said + noted
    assert "released wine-quality 1.0.0 (first release)" in said
    assert "wine-quality 1.0.0 -> 1.1.0 (minor)" in said
    assert "samples-added: split `train` has" in said
    assert "fetched wine-quality 1.0.0 -> 1.1.0 into data/wine" in said
    assert "released wine-quality 1.1.0 -> 2.0.0 (major)" in said
    assert "column-removed: column `density` is gone" in said
    assert "wine-quality 1.1.0 is in place in data/wine" in said
    lock = (tmp_path / "demo" / "training" / "dreg.lock").read_text()
    assert 'version = "1.1.0"' in lock
    after = subprocess.run(
        ["git", "status", "--porcelain"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    assert after == before


def commands() -> list[tuple[str, str]]:
    """Folder and command of every console line in the README."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    return re.findall(r"^([a-z-]*)\$ (.*)$", "".join(blocks), re.MULTILINE)


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Where servers here have what the README has at https://example.com/: a table, a template in git."""
    site, template = tmp_path / "site", tmp_path / "template"
    site.mkdir()
    (site / "wines.csv").write_text(TREES)
    for path, content in read_template("dataset/tabular").items():
        file = template / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    bare = site / "our-template.git"
    for command in (
        ["git", "init", "--quiet", str(template)],
        ["git", "-C", str(template), "add", "--all"],
        ["git", "-C", str(template), "commit", "--quiet", "--message", "a template"],
        ["git", "clone", "--quiet", "--bare", str(template), str(bare)],
    ):
        subprocess.run(command, check=True)
    handler = partial(SimpleHTTPRequestHandler, directory=str(site))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    with git_server.serving(site) as address:
        yield {
            "https://example.com/wines.csv": f"http://127.0.0.1:{server.server_port}/wines.csv",
            "https://example.com/our-template.git": f"http://{git_server.USER}:{git_server.PASSWORD}"
            f"@{address}/our-template.git",
        }
    server.shutdown()
    server.server_close()


def without_what_only_a_mirror_has(registry: Path) -> None:
    """Remove, where DREG_MIRROR is not set, the datasets whose sources no package has."""
    if os.environ.get("DREG_MIRROR"):
        return
    embedded = "opencloudhub-readmes-embeddings"  # made from the one before
    for name in ("emotion", "radiology-mini", "opencloudhub-readmes", embedded):
        for folder in ("pipelines", "data"):
            shutil.rmtree(registry / folder / name)
    for command in (
        ["git", "commit", "--quiet", "--all", "--message", "fewer"],
        ["git", "push", "--quiet"],
    ):
        subprocess.run(command, cwd=registry, check=True)


def test_every_command_in_the_readme_works(tmp_path, elsewhere):
    sys.path.insert(0, str(ROOT / "docs"))
    from demo import Story, prepare

    story = Story(tmp_path)
    prepare(story)
    without_what_only_a_mirror_has(tmp_path / "registry")
    (tmp_path / "home").mkdir()
    (script,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "training" / "train.py").write_text(script)
    training = {"MLFLOW_TRACKING_URI": "mlruns", "MLFLOW_ALLOW_FILE_STORE": "true"}
    story.environment["PATH"] = forked.on_path()
    params = tmp_path / "registry" / "pipelines" / DATASET / "params.yaml"
    params.write_text(params.read_text().replace("hold_back: 0.0", "hold_back: 0.2"))
    said = ""
    for folder, line in commands():
        words = [elsewhere.get(word, word) for word in shlex.split(line, comments=True)]
        if folder == "" or words[1] in ("vectors", "search"):
            continue  # set-up: the tests below; what needs Postgres: tests/test_search.py
        where = tmp_path / ("home/my-registry" if folder == "my-registry" else folder)
        environment = story.environment | (training if folder == "training" else {})
        if where.name == "my-registry" and where.is_dir():
            (where / "trees.csv").write_text(TREES)
        done = subprocess.run(
            words, cwd=where, env=environment, capture_output=True, text=True, check=False
        )
        if no_source(done.stderr):
            pytest.skip("no mirror of the wine data can be reached from this machine")
        assert done.returncode == 0, f"{folder}$ {line}\n{done.stdout}{done.stderr}"
        said += done.stdout
    said = SIZES.sub("some", said)
    for line in shown():
        assert SIZES.sub("some", line) in said, (
            f"the README shows {line!r}, and this came out:\n{said}"
        )


def shown() -> list[str]:
    """Lines of output in the README that must come out as they stand there."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and "$ " not in line]
    machine = re.compile(r"sha256:|^  tag |\d s  |^DATASET")  # differs from run to run
    return [line for line in lines if not machine.search(line)]


def test_the_set_up_commands_of_the_readme_are_there(tmp_path):
    given = [shlex.split(line, comments=True) for folder, line in commands() if folder == ""]
    assert ["make", "demo"] in given
    assert ["make", "test"] in given
    for words in given:
        if words[0] == "make":
            subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, check=True)
        else:
            (wanted,) = [word for word in words if word.startswith("dreg")]
            extra = re.fullmatch(r"dreg(?:\[(\w+)\])?", wanted)
            assert extra is not None
            text = (ROOT / "pyproject.toml").read_text()
            assert extra[1] is None or f"\n{extra[1]} = [" in text


def test_plain_dreg_installs_light_and_fetches(tmp_path):
    """What a training image has: no DVC, no pandas - and fetch works (run in a new environment)."""
    environment = tmp_path / "venv"
    constraints = str(ROOT / "constraints.txt")
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run(
        [uv, "venv", "--quiet", "--python", sys.executable, str(environment)], check=True
    )
    python = str(environment / "bin" / "python")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, "-c", constraints, str(ROOT)],
        check=True,
    )
    listed = subprocess.run(
        [uv, "pip", "list", "--python", python, "--format", "freeze"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.lower()
    for heavy in ("dvc", "pandas", "pyarrow", "numpy", "ray", "torch", "gitpython", "jinja2"):
        assert f"\n{heavy}==" not in f"\n{listed}"
    done = subprocess.run(
        [python, "-m", "dreg", "fetch", "x@^1"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "--repo" in done.stderr
