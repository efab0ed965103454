"""`dreg status`: run, changed, released, and what it does with files that cannot be read."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.pipeline_registry import PipelineRegistry
from tests.small_registry import NAME, SmallRegistry


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> PipelineRegistry:
    """alpha has run and is released; beta never ran. Copied, never changed."""
    registry = PipelineRegistry.make(tmp_path_factory.mktemp("ran") / "registry", "alpha", "beta")
    assert registry.dreg("run", "alpha").code == 0
    registry.commit()
    for version in ("1.0.0", "0.9.0", "1.0.0-rc.1"):
        registry.git("tag", "--annotate", f"alpha-v{version}", "--message", version)
    registry.git("tag", "alpha-vague")
    return registry


@pytest.fixture
def registry(ran: PipelineRegistry, tmp_path: Path) -> PipelineRegistry:
    shutil.copytree(ran.root, tmp_path / "registry", symlinks=True)
    return PipelineRegistry(tmp_path / "registry")


def row(registry: PipelineRegistry, name: str = "alpha") -> dict[str, object]:
    done = registry.dreg("status", name, "--json")
    assert (done.code, done.stderr) == (0, ""), done.stderr
    (only,) = done.json["datasets"]
    return dict(only)


def test_a_table_for_people(registry: PipelineRegistry) -> None:
    done = registry.dreg("status")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == (
        "DATASET  STATE       RELEASE            WHY\n"
        "alpha    up to date  released as 1.0.0\n"
        "beta     never run   not released\n"
    )


def test_an_object_for_programs(registry: PipelineRegistry) -> None:
    assert registry.dreg("status", "--json").json == {
        "datasets": [
            {
                "name": "alpha",
                "state": "up to date",
                "why": [],
                "released": "1.0.0",
                "last": "1.0.0",
            },
            {"name": "beta", "state": "never run", "why": [], "released": None, "last": None},
        ]
    }


def test_a_change_says_what_changed_and_since_when(registry: PipelineRegistry) -> None:
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
    registry.write("pipelines/alpha/scripts/analyze.py", "#")
    assert row(registry) == {
        "name": "alpha",
        "state": "changed",
        "why": ["params process.factor", "scripts/analyze.py"],
        "released": None,
        "last": "1.0.0",
    }
    assert registry.dreg("status", "alpha").stdout.splitlines()[1] == (
        "alpha    changed  changed since 1.0.0  params process.factor; scripts/analyze.py"
    )


def test_run_again_but_not_released_again(registry: PipelineRegistry) -> None:
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
    assert registry.dreg("run", "alpha").code == 0
    assert row(registry) == {
        "name": "alpha",
        "state": "up to date",
        "why": [],
        "released": None,
        "last": "1.0.0",
    }


def test_a_fresh_clone_misses_only_the_data(registry: PipelineRegistry, tmp_path: Path) -> None:
    clone = registry.clone(tmp_path / "clone")
    assert row(clone) == {
        "name": "alpha",
        "state": "missing",
        "why": ["data/alpha/raw missing", "data/alpha/processed missing"],
        "released": "1.0.0",
        "last": "1.0.0",
    }


def test_what_only_dvc_understands_is_asked_of_dvc(registry: PipelineRegistry) -> None:
    for name in ("alpha", "beta"):
        registry.replace(
            f"pipelines/{name}/dvc.yaml", "python scripts/process.py", "python scripts/${script}"
        )
        registry.write(
            f"pipelines/{name}/params.yaml",
            registry.read(f"pipelines/{name}/params.yaml") + "script: process.py\n",
        )
    done = registry.dreg("status")
    assert (done.code, done.stderr) == (0, "")
    assert [line.split()[1:3] for line in done.stdout.splitlines()[1:]] == [
        ["up", "to"],
        ["never", "run"],
    ]
    registry.replace("pipelines/alpha/params.yaml", "factor: 2", "factor: 3")
    shutil.rmtree(registry.root / "data/alpha/raw")
    found = row(registry)
    assert found["state"] == "changed"
    assert found["why"] == [
        "data/alpha/raw missing",
        "params process.factor",
    ]
    registry.replace("pipelines/alpha/params.yaml", "factor: 3", "factor: 2")
    assert (row(registry)["state"], row(registry)["why"]) == (
        "missing",
        ["data/alpha/raw missing"],
    )


@pytest.mark.parametrize(
    ("file", "text", "fact"),
    [
        ("dvc.yaml", "stages: [\n", "pipelines/beta/dvc.yaml:2:1 is not YAML: "),
        ("dvc.yaml", "", "`pipelines/beta/dvc.yaml` has no stages"),
        (
            "dvc.lock",
            "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n",
            "pipelines/beta/dvc.lock:2 has the marks of a merge conflict",
        ),
        ("dvc.lock", "", "`pipelines/beta/dvc.lock` is not a lock that DVC wrote"),
        ("params.yaml", "a: 1\na: 2\n", "pipelines/beta/params.yaml:2:1 is not YAML: the key `a`"),
    ],
)
def test_one_broken_dataset_does_not_hide_the_others(
    registry: PipelineRegistry, file: str, text: str, fact: str
) -> None:
    registry.write(f"pipelines/beta/{file}", text)
    done = registry.dreg("status")
    assert done.code == 2
    assert done.stdout.splitlines()[1] == "alpha    up to date  released as 1.0.0"
    assert done.stdout.splitlines()[2].startswith("beta     broken      not released")
    assert done.stderr.startswith(f"error: {fact}")
    assert "\n\nhint: " in done.stderr
    done = registry.dreg("status", "--json")
    assert [item["state"] for item in done.json["datasets"]] == ["up to date", "broken"]
    assert done.json["error"]["exit_code"] == 2
    assert registry.dreg("status", "alpha").code == 0


def test_an_unknown_name_suggests_the_closest(registry: PipelineRegistry) -> None:
    done = registry.dreg("status", "alhpa")
    assert (done.code, done.stdout, done.stderr) == (
        2,
        "",
        "error: no dataset named `alhpa`\n\nhint: did you mean `alpha`?\n",
    )


def test_an_empty_registry(tmp_path: Path) -> None:
    done = PipelineRegistry.make(tmp_path / "empty").dreg("status")
    assert (done.code, done.stdout, done.stderr) == (
        0,
        "no datasets; make one with `dreg new NAME --kind tabular`\n",
        "",
    )


def test_nothing_is_written_into_the_tree(registry: PipelineRegistry) -> None:
    registry.dreg("status")
    assert registry.git("status", "--porcelain") == ""


def test_a_release_whose_tag_is_not_in_the_clone_is_told(released_once) -> None:
    """As in a checkout of a CI job: `not released` alone would mislead."""
    released_once.git(
        "clone", "-q", "--no-tags", "registry.git", "clone", folder=released_once.home
    )
    clone = released_once.home / "clone"
    commands = (("status",), ("show", NAME), ("diff", NAME))
    told = f"warning: `data/{NAME}/CHANGELOG.md` tells of 1.0.0, and its tag is not in this clone: git fetch --tags\n"
    for command in commands:
        assert told in released_once.ok(*command, folder=clone).stderr, command
    released_once.git("fetch", "-q", "--tags", folder=clone)
    for command in commands:
        assert "tells of" not in released_once.ok(*command, folder=clone).stderr, command


def test_what_was_written_into_a_changelog_by_hand_tells_of_no_tag(released_once) -> None:
    changelog = released_once.path / "data" / NAME / "CHANGELOG.md"
    changelog.write_text(f"# Changelog\n\n## 2.0.0\n\nplanned\n\n{changelog.read_text()}")
    assert released_once.ok("status").stderr == ""


def test_status_stays_light(registry: PipelineRegistry) -> None:
    code = (
        "import sys\nfrom dreg.cli import run\nrun(['status'])\n"
        "heavy = {'dvc', 'git', 'numpy', 'pandas', 'pyarrow', 'ray', 'obstore', 'botocore', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = registry.python(code)
    assert (done.code, done.stderr) == (0, "[]\n")


def test_a_source_that_was_edited_is_told_and_not_passed_over(ready: SmallRegistry) -> None:
    sample = f"pipelines/{NAME}/sample/seedlings.csv"
    declared = (ready.path / sample).read_text()
    (ready.path / sample).write_text(f"{declared}21,4,9,mint\n")
    (told,) = ready.ok("status", NAME, "--json").json["datasets"]
    assert (told["state"], told["why"]) == (
        "changed",
        ["sample/seedlings.csv is not what params.yaml declares"],
    )
    done = ready.dreg("run", NAME)
    assert done.code == 1
    assert (
        f"`sample/seedlings.csv` of `{NAME}` is not the file that `pipelines/{NAME}/params.yaml` declares"
        in done.stderr
    )
    [found] = re.findall("was found with (sha256: .*), (size: .*)", done.stderr)
    ready.commit_all()
    assert f"`{NAME}` is not up to date" in ready.dreg("release", NAME).stderr
    # Declared as it is told, it is taken.
    for line in found:
        ready.edit(f"pipelines/{NAME}/params.yaml", rf"{line.partition(':')[0]}: .*", line)
    ready.ok("run", NAME)
    assert ready.ok("check", NAME, "--json").json["datasets"][0]["samples"] == 61


def test_a_source_that_was_edited_is_had_back_as_the_hint_says(ready: SmallRegistry) -> None:
    sample = ready.path / f"pipelines/{NAME}/sample/seedlings.csv"
    sample.write_text("nothing")
    hint = ready.dreg("run", NAME).stderr.rpartition("take it back: ")[2]
    ready.git(*hint.strip().removeprefix("git ").split())
    ready.ok("run", NAME)


def test_a_comparison_with_what_was_measured_before_says_so(ready: SmallRegistry) -> None:
    assert "warning" not in ready.ok("diff", NAME).stderr
    ready.edit(f"pipelines/{NAME}/params.yaml", "0.25", "0.4")
    assert (
        f"warning: `{NAME}` is not up to date (params process), and this is about what was measured before: "
        f"dreg run {NAME}\n"
    ) in ready.ok("diff", NAME).stderr


@pytest.mark.parametrize("command", ["diff", "check", "show"])
def test_a_profile_that_is_gone_is_not_called_never_run(ready: SmallRegistry, command: str) -> None:
    (ready.path / f"data/{NAME}/metadata.json").unlink()
    done = ready.dreg(command, NAME)
    assert done.code == 2
    assert (
        f"error: `{NAME}` has no profile: somebody removed the file, or a run failed" in done.stderr
    )
    ready.ok(*done.stderr.rpartition("hint: dreg ")[2].split())
    ready.ok(command, NAME)
