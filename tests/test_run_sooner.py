"""What makes `dreg run` quicker than `dvc repro`, and that nothing else is different by it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dreg.adapters.dvc.sooner import (
    PLAIN,
    look_often,
    read_once,
    share_blocks_where_that_is_possible,
)
from dreg.run.plan import Plan
from tests.pipeline_registry import PipelineRegistry, alive, stop

WAIT = 120.0
ASK = "\nimport sys\nprint('imported before:', 'pyarrow' in sys.modules, 'dvc' in sys.modules)\n"

only_on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="only on Linux is anything forked"
)


@pytest.fixture
def registry(tmp_path: Path) -> PipelineRegistry:
    made = PipelineRegistry.make(tmp_path / "registry", "alpha")
    made.commit()
    made.environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return made


def add(registry: PipelineRegistry, text: str, stage: str = "process") -> None:
    path = f"pipelines/alpha/scripts/{stage}.py"
    registry.write(path, registry.read(path) + text)


def run(registry: PipelineRegistry, *arguments: str) -> str:
    """What the stages of a `dreg run` in a process of its own said."""
    process = registry.start("run", *arguments)
    try:
        _, said = process.communicate(timeout=WAIT)
    finally:
        stop(process)
    assert process.returncode == 0, said
    return said


@only_on_linux
def test_a_stage_has_nothing_to_import_and_leaves_what_dvc_repro_leaves(registry):
    add(registry, ASK)
    assert "imported before: True False" in run(registry, "alpha")
    lock = registry.read("pipelines/alpha/dvc.lock")
    done = registry.dvc("repro", "--force", "pipelines/alpha/dvc.yaml")
    assert (done.code, "imported before: False False" in done.stdout) == (0, True)
    assert registry.read("pipelines/alpha/dvc.lock") == lock


@only_on_linux
def test_what_a_shell_has_to_do_is_left_to_it(registry):
    add(registry, ASK)
    registry.replace(
        "pipelines/alpha/dvc.yaml",
        "cmd: python scripts/process.py",
        "cmd: python scripts/process.py && echo by a shell",
    )
    said = run(registry, "alpha")
    assert "imported before: False False" in said
    assert "by a shell" in said


@pytest.mark.parametrize(
    ("command", "plain"),
    [
        ("python scripts/process.py", True),
        ("python3 ../process.py --rows=10 -x a,b@2", True),
        ("python scripts/process.py  ", False),
        ("python -m process", False),
        ("python -u scripts/process.py", False),
        ("python scripts/process.py $HOME", False),
        ("python scripts/process.py 'a b'", False),
        ("python scripts/process.py *.csv", False),
        ("python scripts/process.py ~/data", False),
        ("python scripts/process.py =ls", False),
        ("python scripts/process.py {a,b}", False),
        ("python scripts/process.py > log", False),
        ("python scripts/process.py; true", False),
        ("ROWS=1 python scripts/process.py", False),
        ("./python scripts/process.py", False),
        ("python scripts/process", False),
    ],
)
def test_only_words_that_no_shell_would_touch_need_none(command, plain):
    assert bool(PLAIN.fullmatch(command)) == plain


@only_on_linux
def test_a_python_that_comes_first_on_the_path_is_a_stages_python(registry, tmp_path):
    """Only one of the user's: `dreg` puts its own before it."""
    add(registry, ASK)
    other = tmp_path / "other"
    other.mkdir()
    (other / "python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (other / "python").chmod(0o755)
    registry.environment["PATH"] = f"{other}{os.pathsep}{os.environ['PATH']}"
    assert "imported before: True False" in run(registry, "alpha")


@only_on_linux
def test_a_script_does_not_outlive_its_dvc(registry, tmp_path):
    pid_file = tmp_path / "pid"
    add(
        registry,
        f"\nimport os, pathlib, time\ntmp = pathlib.Path({str(pid_file)!r} + '.tmp')\n"
        f"tmp.write_text(f'{{os.getpid()}} {{os.getpgid(0)}}'); tmp.rename({str(pid_file)!r}); time.sleep(600)\n",
    )
    process = registry.start("run", "alpha")
    try:
        until = time.monotonic() + WAIT
        while not pid_file.exists():
            assert time.monotonic() < until
            time.sleep(0.02)
        script, dvc = map(int, pid_file.read_text().split())
        assert script != dvc
        os.kill(dvc, signal.SIGKILL)  # as the kernel does where memory runs out
        _, said = process.communicate(timeout=WAIT)
        assert process.returncode == 3
        assert "error: " in said
        assert "Traceback" not in said
        assert not alive(script)
    finally:
        stop(process)


@only_on_linux
def test_nothing_is_left_running(registry):
    def servers() -> set[int]:
        found = set()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if b"dreg.adapters.forking.server" in (folder / "cmdline").read_bytes():
                    environment = (folder / "environ").read_bytes()
                    if str(registry.root.parent).encode() in environment:
                        found.add(int(folder.name))
            except OSError:
                continue
        return found

    run(registry, "alpha")
    assert not servers()


@pytest.fixture
def dvcs_lock(monkeypatch: pytest.MonkeyPatch) -> Iterator[type]:
    """DVC's lock as dreg has it look, in this process for as long as the test takes."""
    from dvc import lock

    monkeypatch.setattr(lock, "Lock", lock.Lock)
    look_often()
    yield lock


def test_a_lock_is_taken_soon_after_it_is_free(dvcs_lock, tmp_path, monkeypatch):
    path, pauses = tmp_path / "lock", []
    with path.open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            fcntl.flock(file, fcntl.LOCK_UN)

        monkeypatch.setattr(time, "sleep", pause)
        mine = dvcs_lock.make_lock(str(path), wait=True)
        mine.lock()
    assert mine.is_locked
    assert len(pauses) == 1
    assert pauses[0] < 0.1
    mine.unlock()


def test_who_is_not_to_wait_for_ever_does_not(dvcs_lock, tmp_path, monkeypatch):
    monkeypatch.setattr(dvcs_lock, "DEFAULT_TIMEOUT", 0.1)
    with (tmp_path / "lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(dvcs_lock.LockError, match="Unable to acquire lock"):
            dvcs_lock.make_lock(str(tmp_path / "lock")).lock()


def test_the_same_text_is_read_once_and_whoever_reads_has_it_to_himself(tmp_path, monkeypatch):
    from dvc.utils import strictyaml
    from dvc.utils.serialize import _yaml

    read, parse = [], _yaml.parse_yaml

    def reading(text: str, path: str, typ: str = "safe") -> object:
        read.append(text)
        return parse(text, path, typ)

    monkeypatch.setattr(strictyaml, "parse_yaml", reading)
    monkeypatch.setattr(_yaml, "parse_yaml", reading)
    read_once()
    path = tmp_path / "params.yaml"
    path.write_text("files: [a]\n")
    strictyaml.load(str(path))[0]["files"].append("b")
    assert _yaml.load_yaml(str(path)) == {"files": ["a"]}
    path.write_text("files: [c]\n")
    assert _yaml.load_yaml(str(path)) == {"files": ["c"]}
    assert read == ["files: [a]\n", "files: [c]\n"]


@only_on_linux
@pytest.mark.parametrize(
    ("refusal", "asked"), [(errno.EOPNOTSUPP, 1), (errno.ENOTTY, 1), (errno.EINVAL, 3)]
)
def test_a_file_system_without_shared_blocks_is_asked_for_them_once(
    tmp_path, monkeypatch, refusal, asked
):
    from dvc_objects.fs import system, utils

    asks = []

    def ioctl(*arguments: object) -> None:
        asks.append(arguments)
        raise OSError(refusal, os.strerror(refusal))

    monkeypatch.setattr(system, "reflink", system.reflink)
    monkeypatch.setattr(fcntl, "ioctl", ioctl)
    share_blocks_where_that_is_possible()
    for name in "abc":
        (tmp_path / name).write_text(name)
        utils.copyfile(tmp_path / name, tmp_path / f"{name}-copy")
        assert (tmp_path / f"{name}-copy").read_text() == name
    assert len(asks) == asked, "a file that can't be shared for what it is says nothing of others"


def test_what_took_most_bytes_runs_first(registry, tmp_path):
    registry.add("beta")
    registry.replace("pipelines/beta/params.yaml", "rows: 5", "rows: 500")
    order = tmp_path / "order"
    for name in ("alpha", "beta"):
        with (registry.root / f"pipelines/{name}/scripts/download.py").open("a") as stream:
            stream.write(f"\nopen({str(order)!r}, 'a').write('{name}\\n')\n")
    for expected in (["alpha", "beta"], ["beta", "alpha"]):  # nothing is known of the first run
        order.unlink(missing_ok=True)
        assert registry.dreg("run", "--all", "--force", "--jobs", "1").code == 0
        assert order.read_text().split() == expected


def test_the_longest_way_counts_not_the_largest_dataset():
    plan = Plan(
        needs={"base": set(), "made": {"base"}, "large": set()},
        sizes={"base": 1, "made": 10, "large": 5},
    )
    assert plan.ahead == {"base": 11, "made": 10, "large": 5}


def test_what_breaks_the_contract_is_found_by_the_data_too(registry):
    """While other datasets run; the answer is as it was."""
    registry.replace("pipelines/alpha/dataset.yaml", "x: int64", "x: { type: int64, unique: true }")
    done = registry.dreg("run", "alpha", "--json")
    (alpha,) = json.loads(done.stdout)["datasets"]
    assert done.code == 0
    assert [text for text in alpha["violations"] if "unique" in text or "twice" in text], alpha
