"""`dreg bootstrap`: all datasets run, released once and pushed; again it changes nothing."""

from __future__ import annotations

import shutil

from tests.small_registry import NAME, SmallRegistry

BROKEN = """\
stages:
  analyze:
    cmd: python -c "raise SystemExit('no source today')"
    outs: [../../data/broken/processed]
"""
MADE_FROM = """\
stages:
  process:
    cmd: mkdir -p ../../data/NAME/processed && printf 'a\\n1\\n' > ../../data/NAME/processed/x.csv
    deps: [../../data/OTHER/processed]
    outs: [../../data/NAME/processed]
  analyze:
    cmd: python -c "from dreg.stages import profile; profile.write()"
    deps: [dataset.yaml, ../../data/NAME/processed]
    outs: [{../../data/NAME/metadata.json: {cache: false}}, ../../data/NAME/samples.parquet]
"""
CONTRACT = "title: B\ndescription: b\nlicence: CC0-1.0\nsplits: {all: {files: [processed/x.csv]}}\ncolumns: {a: int64}\n"


def states(answer: dict) -> dict[str, tuple[str, str | None]]:
    return {one["dataset"]: (one["state"], one["version"]) for one in answer["datasets"]}


def test_what_was_never_released_is_run_and_released_and_then_left_alone(ready: SmallRegistry):
    shutil.rmtree(ready.path / f"data/{NAME}/processed")
    done = ready.ok("bootstrap", "--json")
    assert states(done.json) == {NAME: ("released", "1.0.0")}
    assert ready.remote_tags() == [f"{NAME}-v1.0.0"]
    assert ready.git("status", "--porcelain") == ""
    commits = ready.git("rev-list", "--all", "--count", folder=ready.remote)

    again = ready.ok("bootstrap", "--json")
    assert states(again.json) == {NAME: ("there", "1.0.0")}
    ready.edit(f"pipelines/{NAME}/params.yaml", r"validation_share: .*", "validation_share: 0.4")
    changed = ready.ok("bootstrap", "--json")
    assert states(changed.json) == {NAME: ("there", "1.0.0")}, "a new version is dreg release's"
    assert ready.remote_tags() == [f"{NAME}-v1.0.0"]
    assert ready.git("rev-list", "--all", "--count", folder=ready.remote) == commits


def test_a_release_whose_bytes_are_gone_is_told(ready: SmallRegistry):
    ready.ok("bootstrap")
    shutil.rmtree(ready.store / "files")
    done = ready.dreg("bootstrap", "--json")
    assert done.code == 1
    assert "problems found" in done.json["datasets"][0]["why"]


def test_one_that_fails_keeps_only_itself_from_being_released(ready: SmallRegistry):
    for path, text in {
        "pipelines/broken/dvc.yaml": BROKEN,
        "pipelines/broken/dataset.yaml": CONTRACT,
        "data/broken/.gitignore": "/processed\n",
    }.items():
        (ready.path / path).parent.mkdir(parents=True, exist_ok=True)
        (ready.path / path).write_text(text)
    ready.commit_all()
    done = ready.dreg("bootstrap", "--json")
    assert done.code == 3
    assert states(done.json) == {"broken": ("failed", None), NAME: ("released", "1.0.0")}
    assert ready.remote_tags() == [f"{NAME}-v1.0.0"]


def test_of_several_that_fail_the_hint_says_what_helps_the_first(ready: SmallRegistry):
    shutil.copytree(ready.path / f"pipelines/{NAME}", ready.path / "pipelines/other")
    for path in (ready.path / "pipelines/other").rglob("*.*"):
        path.write_text(path.read_text().replace(f"data/{NAME}/", "data/other/"))
    (ready.path / "data/other").mkdir()
    shutil.copy(ready.path / f"data/{NAME}/.gitignore", ready.path / "data/other")
    ready.commit_all()
    (ready.path / "README.md").write_text("changed\n")
    done = ready.dreg("bootstrap")
    assert done.code == 1
    assert "2 datasets of 2 failed" in done.stderr
    assert "hint: other: commit or stash" in done.stderr
    assert done.stderr.endswith("then: dreg bootstrap\n")


def test_what_is_made_from_one_that_is_not_released_is_not_released_either(ready: SmallRegistry):
    for name, other in (("second", NAME), ("third", "second")):
        for path, text in {
            f"pipelines/{name}/dvc.yaml": MADE_FROM.replace("OTHER", other).replace("NAME", name),
            f"pipelines/{name}/dataset.yaml": f"{CONTRACT}upstream: [{other}@^1]\n",
            f"data/{name}/.gitignore": "/processed\n/samples.parquet\n",
        }.items():
            (ready.path / path).parent.mkdir(parents=True, exist_ok=True)
            (ready.path / path).write_text(text)
    ready.edit(
        f"pipelines/{NAME}/dataset.yaml", r"leaves: .*", "leaves: { type: int64, range: [0, 1] }"
    )
    ready.commit_all()
    done = ready.dreg("bootstrap", "--json")
    assert states(done.json) == dict.fromkeys((NAME, "second", "third"), ("failed", None))
    whys = {one["dataset"]: one["why"] for one in done.json["datasets"]}
    assert (whys["second"], whys["third"]) == (f"needs {NAME}", "needs second")
    assert ready.remote_tags() == []


def test_an_empty_registry_has_nothing_to_bootstrap(ready: SmallRegistry):
    shutil.rmtree(ready.path / "pipelines" / NAME)
    done = ready.dreg("bootstrap")
    assert (done.code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: the registry has no datasets")
