"""`dreg run`: order, side by side, failures, interruptions, fresh clones."""

from __future__ import annotations

import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipeline_registry import PipelineRegistry, alive, stop

WAIT = 120.0


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> PipelineRegistry:
    """A registry whose two pipelines have run; copied, never changed."""
    registry = PipelineRegistry.make(tmp_path_factory.mktemp("ran") / "registry", "alpha", "beta")
    done = registry.dreg("run", "--all")
    assert done.code == 0, done.stderr
    registry.commit()
    return registry


@pytest.fixture
def registry(ran: PipelineRegistry, tmp_path: Path) -> PipelineRegistry:
    shutil.copytree(ran.root, tmp_path / "registry", symlinks=True)
    copy = PipelineRegistry(tmp_path / "registry")
    copy.replace(".dvc/config", str(ran.root.parent), str(tmp_path))
    copy.git("commit", "--quiet", "--all", "--message", "a remote of its own")
    return copy


@pytest.fixture
def fresh(tmp_path: Path) -> PipelineRegistry:
    """A registry in which nothing has run."""
    return PipelineRegistry.make(tmp_path / "fresh", "alpha", "beta")


def script(name: str, stage: str, text: str) -> Callable[[PipelineRegistry], Path]:
    return lambda registry: registry.write(f"pipelines/{name}/scripts/{stage}.py", text)


def states(stdout: str) -> dict[str, str]:
    return {item["name"]: item["state"] for item in json.loads(stdout)["datasets"]}


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_the_first_run_makes_everything_and_commits_nothing(fresh: PipelineRegistry) -> None:
    fresh.commit()
    head = fresh.git("rev-parse", "HEAD")
    done = fresh.dreg("run", "alpha")
    assert (done.code, fresh.git("rev-parse", "HEAD")) == (0, head)
    assert fresh.read("data/alpha/processed/train.csv").startswith("x\n0\n2\n4")
    heading, row = done.stdout.splitlines()
    assert heading.split() == ["DATASET", "STATE", "SAMPLES", "TIME", "STAGES"]
    assert row.split()[:3] == ["alpha", "ran", "10"]
    assert row.endswith("download, process, analyze")
    assert done.stderr.splitlines() == [
        "alpha | stage download",
        "alpha | fetched 2 files",
        "alpha | stage process",
        "alpha | stage analyze",
        "alpha | measured 10 samples",
    ]
    assert not (fresh.root / "data/beta").exists()


def test_json_is_one_object_and_quiet_is_quiet(registry: PipelineRegistry) -> None:
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
    done = registry.dreg("run", "alpha", "beta", "--json", "--quiet")
    assert (done.code, done.stderr) == (0, "")
    alpha, beta = done.json["datasets"]
    assert set(alpha) == {
        "name", "state", "stages", "seconds", "samples", "violations", "pushed", "why", "log",
    }  # fmt: skip
    assert (alpha["state"], alpha["stages"]) == ("ran", ["process", "analyze"])
    assert alpha["log"] == ".dvc/tmp/dreg/logs/alpha.log"
    assert "measured 10 samples" in registry.read(alpha["log"])
    assert (beta["state"], beta["stages"], beta["samples"]) == ("up to date", [], 10)


def test_what_is_up_to_date_does_not_start_dvc(registry: PipelineRegistry, tmp_path: Path) -> None:
    (tmp_path / "no-dvc/dvc").mkdir(parents=True)
    (tmp_path / "no-dvc/dvc/__init__.py").write_text("raise SystemExit('DVC was started')")
    (tmp_path / "no-dvc/dvc/cli.py").touch()
    done = registry.dreg("run", "--all", PYTHONPATH=str(tmp_path / "no-dvc"))
    assert (done.code, done.stderr) == (0, "")
    assert [line.split()[1:4] for line in done.stdout.splitlines()[1:]] == [
        ["up", "to", "date"],
        ["up", "to", "date"],
    ]


def test_force_runs_all_the_same(registry: PipelineRegistry) -> None:
    lock = registry.read("pipelines/alpha/dvc.lock")
    done = registry.dreg("run", "alpha", "--force", "--json")
    assert done.json["datasets"][0]["stages"] == ["download", "process", "analyze"]
    assert registry.read("pipelines/alpha/dvc.lock") == lock


@pytest.mark.parametrize(
    ("arguments", "stderr"),
    [
        (
            ["run"],
            "error: it is not said what to run\n\nhint: dreg run alpha, or all: dreg run --all\n",
        ),
        (
            ["run", "alpha", "--all"],
            "error: `--all` and names exclude each other\n\nhint: give one of them\n",
        ),
        (["run", "alhpa"], "error: no dataset named `alhpa`\n\nhint: did you mean `alpha`?\n"),
        (
            ["run", "alpha", "--jobs", "0"],
            "error: invalid value for `--jobs`: 0 is not in the range x>=1\n\n"
            "hint: dreg run --help\n",
        ),
        (
            ["run", "alpha", "--engine", "spark"],
            "error: there is no engine `spark`\n\nhint: engines: local, ray\n",
        ),
    ],
)
def test_unclear_requests(registry: PipelineRegistry, arguments: list[str], stderr: str) -> None:
    done = registry.dreg(*arguments)
    assert (done.code, done.stdout, done.stderr) == (2, "", stderr)


def test_an_empty_registry_has_nothing_to_run(tmp_path: Path) -> None:
    done = PipelineRegistry.make(tmp_path / "empty").dreg("run", "--all")
    assert (done.code, done.stdout, done.stderr) == (
        2,
        "",
        "error: the registry has no datasets\n\nhint: dreg new NAME --kind tabular\n",
    )


def test_a_failed_stage_is_named_with_its_last_lines(registry: PipelineRegistry) -> None:
    script(
        "alpha",
        "process",
        "import sys\nfor i in range(30): print('line', i)\nprint('so it ends')\nsys.exit(7)\n",
    )(registry)
    head = registry.git("rev-parse", "HEAD")
    done = registry.dreg("run", "--all")
    assert done.code == 3
    assert [line.split()[:2] for line in done.stdout.splitlines()[1:]] == [
        ["alpha", "failed"],
        ["beta", "up"],
    ]
    error = done.stderr[done.stderr.index("error: ") :]
    lines = "".join(f"  line {i}\n" for i in range(21, 30))
    assert error == (
        f"error: stage `process` of `alpha` ended with exit code 7\n{lines}  so it ends\n\n"
        "hint: the whole log: .dvc/tmp/dreg/logs/alpha.log\n"
    )
    assert "line 0\n" in registry.read(".dvc/tmp/dreg/logs/alpha.log")
    assert registry.git("rev-parse", "HEAD") == head
    assert "pipelines/alpha/dvc.lock" not in registry.git("status", "--porcelain")
    # Corrected, it goes on from there.
    registry.git("checkout", "--", "pipelines/alpha/scripts/process.py")
    assert registry.dreg("run", "alpha").code == 0
    assert registry.dreg("run", "alpha", "--json").json["datasets"][0]["state"] == "up to date"


def test_a_failure_with_json_is_still_one_object(registry: PipelineRegistry) -> None:
    script("alpha", "process", "raise ValueError('a row is odd')\n")(registry)
    done = registry.dreg("run", "alpha", "beta", "--json", "--quiet")
    assert done.code == 3
    assert states(done.stdout) == {"alpha": "failed", "beta": "up to date"}
    assert done.json["error"]["fact"] == "stage `process` of `alpha` ended with exit code 1"
    assert done.json["error"]["details"][-1] == "ValueError: a row is odd"
    assert done.json["error"]["exit_code"] == 3


@pytest.mark.parametrize(("kind", "code"), [("Refused", 1), ("BadRequest", 2), ("Outside", 3)])
def test_what_a_stage_reports_is_passed_on(
    registry: PipelineRegistry, kind: str, code: int
) -> None:
    text = (
        "from dreg import stages\n"
        f"from dreg.errors import {kind}\n"
        "from dreg.stages.failure import explain\n"
        "import sys\n"
        "sys.excepthook = explain\n"
        f"raise {kind}('no mirror has it', hint='check the mirrors', details=['http: 404'])\n"
    )
    script("alpha", "process", text)(registry)
    done = registry.dreg("run", "alpha")
    assert done.code == code
    assert done.stderr.endswith(
        "error: stage `process` of `alpha`: no mirror has it\n  http: 404\n\nhint: check the mirrors\n"
    )


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9"),
        ("print('made nothing')", "output 'data/alpha/processed' does not exist"),
    ],
)
def test_other_ways_to_fail(registry: PipelineRegistry, text: str, fact: str) -> None:
    script("alpha", "process", text + "\n")(registry)
    done = registry.dreg("run", "alpha")
    assert done.code == 3
    assert "error: stage `process` of `alpha`" in done.stderr
    assert fact in done.stderr
    assert "Traceback" not in done.stderr


def test_a_missing_program_is_explained(registry: PipelineRegistry) -> None:
    registry.replace("pipelines/alpha/dvc.yaml", "python scripts/process.py", "no-such-program x")
    done = registry.dreg("run", "alpha")
    assert done.code == 3
    assert "stage `process` of `alpha` ended with exit code 127" in done.stderr
    assert "hint: a program it needs is not installed" in done.stderr


def test_upstream_runs_first_and_its_failure_skips_only_dependants(tmp_path: Path) -> None:
    registry = PipelineRegistry.make(tmp_path / "registry", "alone", "base")
    registry.add("made", upstream=("base",))
    registry.add("read", reads=("../../data/made/processed",))  # not said in the contract
    order = tmp_path / "order"
    for name in ("alone", "base", "made", "read"):
        with (registry.root / f"pipelines/{name}/scripts/download.py").open("a") as stream:
            stream.write(f"\nopen({str(order)!r}, 'a').write('{name}\\n')\n")
    done = registry.dreg("run", "read", "--json")
    assert done.code == 0, done.stderr
    assert order.read_text().split() == ["base", "made", "read"]
    assert states(done.stdout) == {"base": "ran", "made": "ran", "read": "ran"}

    script("made", "process", "raise SystemExit(5)")(registry)
    registry.replace("pipelines/read/params.yaml", "factor: 2", "factor: 3")
    done = registry.dreg("run", "--all")
    assert done.code == 3
    rows = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert rows["alone"].split()[1] == "ran"
    assert rows["base"].split()[1:4] == ["up", "to", "date"]
    assert rows["made"].split()[1] == "failed"
    assert rows["read"].split()[1] == "skipped"
    assert rows["read"].endswith("needs made")


def test_several_failures_are_summed_up(registry: PipelineRegistry) -> None:
    for name in ("alpha", "beta"):
        script(name, "process", "raise SystemExit(4)")(registry)
    done = registry.dreg("run", "--all")
    assert done.code == 3
    assert done.stderr.endswith(
        "error: 2 of 2 datasets failed\n"
        "  alpha: stage `process` of `alpha` ended with exit code 4\n"
        "  beta: stage `process` of `beta` ended with exit code 4\n\n"
        "hint: see each one alone: dreg run alpha; or all again: dreg run alpha beta\n"
    )


def test_datasets_made_from_each_other_are_refused(fresh: PipelineRegistry) -> None:
    fresh.add("alpha", upstream=("beta",))
    fresh.add("beta", upstream=("alpha",))
    done = fresh.dreg("run", "--all")
    assert (done.code, done.stdout) == (2, "")
    assert "error: datasets are made from each other: `" in done.stderr


def test_an_unknown_upstream_is_refused(fresh: PipelineRegistry) -> None:
    fresh.add("beta", upstream=("alhpa",))
    done = fresh.dreg("run", "beta")
    assert done.code == 2
    assert "`beta` is made from `alhpa`, and there is no dataset of that name" in done.stderr
    assert "did you mean `alpha`?" in done.stderr


def test_a_broken_neighbour_does_not_stop_a_run(registry: PipelineRegistry) -> None:
    registry.write("pipelines/beta/dvc.yaml", "stages: [\n")
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 5")
    done = registry.dreg("run", "alpha", "--json")
    assert done.code == 0, done.stderr
    assert states(done.stdout) == {"alpha": "ran"}
    done = registry.dreg("run", "--all")
    assert done.code == 2
    assert "error: pipelines/beta/dvc.yaml:2:1 is not YAML" in done.stderr
    assert "alpha    up to date" in done.stdout


@pytest.mark.parametrize(
    ("file", "text", "fact"),
    [
        ("dvc.lock", "<<<<<<< HEAD\na: 1\n=======\n>>>>>>> b\n", "dvc.lock:1 has the marks of a merge"),
        ("dvc.lock", "", "`pipelines/alpha/dvc.lock` is not a lock that DVC wrote"),
        ("params.yaml", "a: [\n", "params.yaml:2:1 is not YAML"),
        ("dataset.yaml", "title: [\n", "dataset.yaml:2:1 is not YAML"),
    ],
)  # fmt: skip
def test_broken_files_are_named_with_their_line(
    registry: PipelineRegistry, file: str, text: str, fact: str
) -> None:
    registry.write(f"pipelines/alpha/{file}", text)
    done = registry.dreg("run", "alpha")
    assert done.code == 2
    assert fact in done.stderr
    assert "\nhint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_independent_datasets_run_side_by_side(fresh: PipelineRegistry, tmp_path: Path) -> None:
    """Neither ends before the other has begun."""
    for name, other in (("alpha", "beta"), ("beta", "alpha")):
        with (fresh.root / f"pipelines/{name}/scripts/process.py").open("a") as stream:
            stream.write(
                f"\nimport time\nbegun, other = (pathlib.Path({str(tmp_path)!r}, n) for n in {(name, other)})\n"
                f"begun.touch()\nuntil = time.monotonic() + {WAIT}\n"
                "while not other.exists():\n"
                "    assert time.monotonic() < until, 'it runs alone'\n"
                "    time.sleep(0.01)\n"
            )
    done = fresh.dreg("run", "--all", "--jobs", "2")
    assert done.code == 0, done.stderr


def test_one_at_a_time_if_wanted(fresh: PipelineRegistry, tmp_path: Path) -> None:
    for name in ("alpha", "beta"):
        with (fresh.root / f"pipelines/{name}/scripts/process.py").open("a") as stream:
            stream.write(
                "\nimport time\nbegin = time.time(); time.sleep(0.5)\n"
                f"open({str(tmp_path / name)!r}, 'w').write(f'{{begin}} {{time.time()}}')\n"
            )
    assert fresh.dreg("run", "--all", "--jobs", "1").code == 0
    (a, b), (c, d) = (
        map(float, (tmp_path / name).read_text().split()) for name in ("alpha", "beta")
    )
    assert max(a, c) > min(b, d), "they overlapped"


def test_violations_of_the_contract_are_told(registry: PipelineRegistry) -> None:
    registry.replace("pipelines/alpha/dataset.yaml", "x: int64", "x: float64")
    done = registry.dreg("run", "alpha")
    assert done.code == 0
    assert (
        "warning: alpha breaks its contract: column `x` is int64, promised float64" in done.stdout
    )


def test_what_was_edited_in_an_output_is_told_when_it_is_made_anew(
    registry: PipelineRegistry,
) -> None:
    processed = registry.root / "data/alpha/processed/train.csv"
    before = processed.read_text()
    processed.unlink()  # a link to the cache
    processed.write_text("x\n1\n")
    (told,) = registry.dreg("status", "alpha", "--json").json["datasets"]
    assert told["why"] == ["data/alpha/processed edited"]
    done = registry.dreg("run", "alpha")
    assert (
        "alpha | data/alpha/processed is not as the last run left it, and is made anew\n"
        in done.stderr
    )
    assert processed.read_text() == before


# Fresh clones


def test_a_fresh_clone_gets_outputs_from_the_remote(
    registry: PipelineRegistry, tmp_path: Path
) -> None:
    assert registry.dreg("run", "alpha", "--push").code == 0
    clone = registry.clone(tmp_path / "clone")
    done = clone.dreg("run", "alpha")
    assert done.code == 0, done.stderr
    assert done.stdout.splitlines()[1].split()[:3] == ["alpha", "restored", "10"]
    assert done.stderr == (
        "alpha | getting the outputs of download, process from the cache or the remote\n"
    )
    assert clone.read("data/alpha/processed/train.csv") == registry.read(
        "data/alpha/processed/train.csv"
    )
    assert clone.git("status", "--porcelain") == ""
    assert clone.dreg("run", "alpha", "--json").json["datasets"][0]["state"] == "up to date"


def test_a_fresh_clone_without_the_remotes_data_runs_again_to_the_same_lock(
    registry: PipelineRegistry, tmp_path: Path
) -> None:
    clone = registry.clone(tmp_path / "clone")
    done = clone.dreg("run", "alpha", "--json")
    assert done.code == 0, done.stderr
    (alpha,) = done.json["datasets"]
    assert (alpha["state"], alpha["stages"]) == ("ran", ["download", "process"])
    assert "making the rest again" in done.stderr
    assert clone.git("status", "--porcelain") == ""


def test_a_fresh_clone_runs_again_only_what_the_remote_lacks(
    registry: PipelineRegistry, tmp_path: Path
) -> None:
    assert registry.dreg("run", "alpha", "--push").code == 0
    lost = registry.root / "data/alpha/processed/train.csv"
    import hashlib

    md5 = hashlib.md5(lost.read_bytes()).hexdigest()
    (registry.root.parent / "registry-remote/files/md5" / md5[:2] / md5[2:]).unlink()
    clone = registry.clone(tmp_path / "clone")
    done = clone.dreg("run", "alpha", "--json")
    assert done.code == 0, done.stderr
    (alpha,) = done.json["datasets"]
    assert (alpha["state"], alpha["stages"]) == ("ran", ["process"])
    assert clone.git("status", "--porcelain") == ""


def test_a_fresh_clone_with_another_script_gets_what_it_starts_from(
    registry: PipelineRegistry, tmp_path: Path
) -> None:
    assert registry.dreg("run", "alpha", "--push").code == 0
    clone = registry.clone(tmp_path / "clone")
    clone.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 7")
    done = clone.dreg("run", "alpha", "--json")
    assert done.code == 0, done.stderr
    (alpha,) = done.json["datasets"]
    assert (alpha["state"], alpha["stages"]) == ("ran", ["process", "analyze"])


def test_an_unreachable_remote_is_told_and_done_without(
    registry: PipelineRegistry, tmp_path: Path
) -> None:
    clone = registry.clone(tmp_path / "clone")
    config = "['remote \"disk\"']\n    url = s3://no-such-bucket/x\n    endpointurl = http://127.0.0.1:9\n"
    clone.write(".dvc/config.local", config)
    done = clone.dreg("run", "alpha")
    assert done.code == 0, done.stderr
    assert "alpha | not all could be got (failed to connect to s3" in done.stderr
    done = clone.dreg("run", "alpha", "--push")
    assert done.code == 3
    assert "error: no credentials for the remote `disk` (s3://no-such-bucket/x)" in done.stderr
    assert "hint: set AWS_ACCESS_KEY_ID" in done.stderr


def test_deleted_outputs_come_back_from_the_cache(registry: PipelineRegistry) -> None:
    shutil.rmtree(registry.root / "data/alpha/processed")
    done = registry.dreg("run", "alpha", "--json")
    assert states(done.stdout) == {"alpha": "restored"}
    assert registry.git("status", "--porcelain") == ""


def test_a_lost_cache_is_filled_from_the_tree(registry: PipelineRegistry) -> None:
    here = {p.name for p in objects(registry.root / ".dvc/cache")}
    shutil.rmtree(registry.root / ".dvc/cache")
    done = registry.dreg("run", "--all", "--json")
    assert states(done.stdout) == {"alpha": "restored", "beta": "restored"}
    assert "alpha | putting the outputs of download, process back into DVC's cache" in done.stderr
    assert {p.name for p in objects(registry.root / ".dvc/cache")} == here
    assert registry.git("status", "--porcelain") == ""


def test_push_puts_every_object_on_the_remote(registry: PipelineRegistry) -> None:
    done = registry.dreg("run", "--all", "--push")
    assert done.code == 0, done.stderr
    assert [line.split()[1:5] for line in done.stdout.splitlines()[1:]] == [
        ["up", "to", "date,", "pushed"],
        ["up", "to", "date,", "pushed"],
    ]
    here = {
        p.relative_to(registry.root / ".dvc/cache") for p in objects(registry.root / ".dvc/cache")
    }
    remote = registry.root.parent / "registry-remote"
    assert {p.relative_to(remote) for p in objects(remote)} == here


def test_a_push_of_nothing_new_is_light(registry: PipelineRegistry) -> None:
    registry.dreg("run", "--all", "--push")
    code = (
        "import sys\nfrom dreg.cli import run\nrun(['run', '--all', '--push'])\n"
        "heavy = {'logging', 'concurrent.futures', 'socket', 'dreg.run.schedule',\n"
        "         'dreg.push.holdings', 'dreg.inspection', 'dvc', 'git', 'botocore'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = registry.python(code)
    assert (done.code, done.stderr) == (0, "[]\n")
    assert done.stdout.count("up to date, pushed") == 2


def objects(folder: Path) -> list[Path]:
    return [p for p in folder.glob("files/md5/*/*") if p.is_file()]


# Interruptions


def slow(registry: PipelineRegistry, tmp_path: Path) -> Path:
    """Let alpha's process stage take for ever; where it writes its process id."""
    pid = tmp_path / "pid"
    script(
        "alpha",
        "process",
        "import os, pathlib, time\n"
        "out = pathlib.Path('../../data/alpha/processed'); out.mkdir()\n"
        "(out / 'half').write_text('half')\n"
        f"tmp = pathlib.Path({str(pid)!r} + '.tmp'); tmp.write_text(str(os.getpid()))\n"
        f"tmp.rename({str(pid)!r})\n"
        "time.sleep(600)\n",
    )(registry)
    return pid


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_run_leaves_nothing_running_and_the_next_one_works(
    registry: PipelineRegistry, tmp_path: Path, number: signal.Signals
) -> None:
    pid_file = slow(registry, tmp_path)
    process = registry.start("run", "alpha")
    try:
        until(pid_file.exists)
        pid = int(pid_file.read_text())
        assert alive(pid)
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=WAIT)
        assert process.returncode in (130, -number)
        assert stdout == ""
        assert "Traceback" not in stderr
        until(lambda: not alive(pid))
    finally:
        stop(process)
    registry.git("checkout", "--", "pipelines/alpha/scripts/process.py")
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 9")
    done = registry.dreg("run", "alpha", "--json")
    assert done.code == 0, done.stderr
    assert sorted(p.name for p in (registry.root / "data/alpha/processed").iterdir()) == [
        "train.csv"
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_what_an_interrupted_stage_would_make_is_there_as_before(
    registry: PipelineRegistry, tmp_path: Path, number: signal.Signals
) -> None:
    """metadata.json is kept by git alone, and this one was not even committed."""
    path, analyze = "data/alpha/metadata.json", "pipelines/alpha/scripts/analyze.py"
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 9")
    assert registry.dreg("run", "alpha").code == 0
    before = registry.read(path)
    started = tmp_path / "started"
    code = f"import pathlib, time\npathlib.Path({str(started)!r}).touch()\ntime.sleep(600)\n"
    registry.write(analyze, code)
    registry.replace("pipelines/alpha/params.yaml", "factor: 9", "factor: 7")
    process = registry.start("run", "alpha")
    try:
        until(started.exists)
        process.send_signal(number)
        process.communicate(timeout=WAIT)
    finally:
        stop(process)
    if number is signal.SIGINT:
        assert registry.read(path) == before
        checked = registry.dreg("check", "alpha")
        assert checked.code == 1
        assert (
            "the data in the tree is not what was measured: data/alpha/processed" in checked.stderr
        )
        assert registry.dreg("status", "alpha", "--json").json["datasets"][0]["state"] == "changed"
    else:  # the next run finds what was kept, however it ends itself
        registry.write(analyze, "raise SystemExit(1)\n")
        assert registry.dreg("run", "alpha").code == 3
        assert registry.read(path) == before


def test_what_a_failing_stage_would_make_is_there_as_before(registry: PipelineRegistry) -> None:
    before = registry.read("data/alpha/metadata.json")
    script("alpha", "analyze", "raise SystemExit(1)")(registry)
    assert registry.dreg("run", "alpha").code == 3
    assert registry.read("data/alpha/metadata.json") == before
    assert "changed" in registry.dreg("status", "alpha").stdout


def test_ctrl_c_ends_what_a_stage_started_and_that_ignores_it(
    registry: PipelineRegistry, tmp_path: Path
) -> None:
    """The stage itself ends at once; what a cluster of its own consists of may well not."""
    pid_file = tmp_path / "started"
    script(
        "alpha",
        "process",
        "import os, pathlib, subprocess, sys, time\n"
        "ignoring = 'import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)'\n"
        "other = subprocess.Popen([sys.executable, '-c', ignoring], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "status = lambda: pathlib.Path(f'/proc/{other.pid}/status').read_text()\n"
        "while int(status().partition('SigIgn:')[2].split()[0], 16) & 2 == 0: time.sleep(0.02)\n"
        f"tmp = pathlib.Path({str(pid_file)!r} + '.tmp'); tmp.write_text(str(other.pid))\n"
        f"tmp.rename({str(pid_file)!r})\n"
        "time.sleep(600)\n",
    )(registry)
    process = registry.start("run", "alpha")
    try:
        until(pid_file.exists)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT)
        until(lambda: not alive(int(pid_file.read_text())))
    finally:
        stop(process)


def test_a_stage_has_no_terminal_to_wait_at(registry: PipelineRegistry, tmp_path: Path) -> None:
    """What reads one in the background is stopped, and waits for ever."""
    told = tmp_path / "told"
    script(
        "alpha",
        "process",
        "import pathlib\n"
        "try: told = open('/dev/tty').readline()\n"
        "except OSError as error: told = error.strerror\n"
        f"pathlib.Path({str(told)!r}).write_text(told)\n"
        "raise SystemExit(7)\n",
    )(registry)
    ours, theirs = pty.openpty()
    code = "import os, sys, fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execv(sys.argv[1], sys.argv[1:])"
    dreg = [sys.executable, "-m", "dreg", "run", "alpha"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *dreg], cwd=registry.root, env=registry.environment, stdin=theirs, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        assert process.wait(WAIT) == 3
    finally:
        process.kill()
        os.close(ours)
        os.close(theirs)
    assert told.read_text() == "No such device or address"


def test_ctrl_c_ends_a_stage_that_ignores_it(registry: PipelineRegistry, tmp_path: Path) -> None:
    pid_file = slow(registry, tmp_path)
    path = "pipelines/alpha/scripts/process.py"
    registry.write(
        path, "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + registry.read(path)
    )
    process = registry.start("run", "alpha")
    try:
        until(pid_file.exists)
        process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)  # no patience
        _, stderr = process.communicate(timeout=WAIT)
        assert process.returncode in (130, -signal.SIGINT)
        assert "Traceback" not in stderr
        until(lambda: not alive(int(pid_file.read_text())))
    finally:
        stop(process)


@pytest.mark.parametrize(
    "record",
    [
        "",
        '{"write": {',
        '{"write": {"ROOT/data/alpha/processed": {"pid": PID, "cmd": "dvc repro"}}, "read": {}}',
        '{"write": {}, "read": {"ROOT/data/alpha/processed": [{"pid": PID, "cmd": "dvc repro"}]}}',
    ],
)
def test_what_a_killed_dvc_left_behind_does_not_stop_a_run(
    registry: PipelineRegistry, record: str
) -> None:
    """Half a record, or one of a process whose id another program has by now."""
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        text = record.replace("ROOT", str(registry.root)).replace("PID", str(other.pid))
        registry.write(".dvc/tmp/rwlock", text)
        registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
        done = registry.dreg("run", "alpha")
        assert done.code == 0, done.stderr
    finally:
        other.kill()
        other.wait()


def test_a_dvc_that_was_killed_while_it_noted_a_run_does_not_stop_the_next(
    registry: PipelineRegistry,
) -> None:
    for note in (registry.root / ".dvc" / "cache" / "runs").glob("*/*/*"):
        note.unlink()
    shutil.rmtree(registry.root / "data" / "alpha" / "processed")
    lock = registry.read("pipelines/alpha/dvc.lock")
    registry.write("pipelines/alpha/dvc.lock", lock.partition("  process:")[0])
    done = registry.dreg("run", "alpha")
    assert done.code == 0, done.stderr
    assert registry.read("pipelines/alpha/dvc.lock") == lock


def test_what_only_dvc_understands_is_left_to_dvc(registry: PipelineRegistry) -> None:
    registry.replace(
        "pipelines/alpha/dvc.yaml", "python scripts/process.py", "python scripts/${name}.py"
    )
    registry.write(
        "pipelines/alpha/params.yaml",
        registry.read("pipelines/alpha/params.yaml") + "name: process\n",
    )
    done = registry.dreg("run", "alpha", "--json")
    assert done.code == 0, done.stderr
    assert states(done.stdout) == {"alpha": "up to date"}
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
    done = registry.dreg("run", "alpha", "--json")
    assert done.json["datasets"][0]["stages"] == ["process", "analyze"]


def test_without_dvc_the_hint_says_what_to_install(
    registry: PipelineRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib.util

    from dreg.errors import Outside
    from dreg.registry import Registry
    from dreg.run.running import run

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *a: None if name == "dvc" else find(name, *a)
    )
    with pytest.raises(Outside, match="DVC is not installed") as raised:
        run(Registry(registry.root), ["alpha"], force=True)
    assert raised.value.hint == "pip install 'dreg[registry]'"


def test_a_module_of_the_registry_is_not_taken_for_ours(registry: PipelineRegistry) -> None:
    registry.write("dvc/__init__.py", "raise SystemExit('the wrong dvc')")
    registry.write("yaml.py", "raise SystemExit('the wrong yaml')")
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
    command = [str(Path(sys.executable).parent / "dreg"), "run", "alpha"]
    done = subprocess.run(
        command, cwd=registry.root, env=registry.environment, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("left", [b"", b"schema: '2.0'\nstages:\n  downl"])
def test_a_lock_that_a_killed_dvc_left_half_written_is_put_back(
    registry: PipelineRegistry, left: bytes
) -> None:
    assert registry.dreg("run", "alpha").code == 0
    lock = registry.root / "pipelines/alpha/dvc.lock"
    whole = lock.read_bytes()
    kept = registry.root / ".dvc/tmp/dreg/locks/alpha.lock"
    assert not kept.exists()
    kept.write_bytes(whole)
    lock.write_bytes(left)
    done = registry.dreg("run", "alpha")
    assert done.code == 0, done.stderr
    assert "dvc.lock is as it was before a run that was killed" in done.stderr
    assert lock.read_bytes() == whole
    assert not kept.exists()


def test_a_lock_that_a_first_run_left_half_written_is_no_lock(registry: PipelineRegistry) -> None:
    assert registry.dreg("run", "alpha").code == 0
    lock = registry.root / "pipelines/alpha/dvc.lock"
    whole = lock.read_bytes()
    (registry.root / ".dvc/tmp/dreg/locks/alpha.lock").write_bytes(b"")
    lock.write_bytes(b"")
    assert registry.dreg("run", "alpha").code == 0
    assert lock.read_bytes() == whole


def test_a_lock_that_somebody_else_spoilt_is_theirs_to_mend(registry: PipelineRegistry) -> None:
    assert registry.dreg("run", "alpha").code == 0
    lock = registry.root / "pipelines/alpha/dvc.lock"
    lock.write_bytes(b"")
    assert registry.dreg("run", "alpha").code == 2
    assert lock.read_bytes() == b""
