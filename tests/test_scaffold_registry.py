"""`dreg init`: what it makes, and every way in which it makes nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from dreg import __version__
from dreg.adapters import new_folders
from dreg.scaffold.plan import carry_out
from dreg.scaffold.registry import plan_registry
from tests import forked
from tests.done import Done

ADA = "[user]\n\tname = Ada\n\temail = ada@example.com\n"
FILES = [
    ".dvc/.gitignore",
    ".dvc/config",
    ".dvcignore",
    ".env.docker",
    ".env.minikube",
    ".gitattributes",
    ".github/workflows/data-review-comment.yaml",
    ".github/workflows/data-review.yaml",
    ".github/workflows/run-data-pipelines.yaml",
    ".gitignore",
    "README.md",
    "data/README.md",
    "pipelines/README.md",
    "requirements.txt",
]


def dreg(*arguments: str, cwd: Path, env: Mapping[str, str] | None = None) -> Done:
    return forked.dreg(arguments, cwd=cwd, env={**os.environ, **(env or {})})


def git(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(["git", *arguments], cwd=cwd, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def everything(folder: Path) -> list[str]:
    """Paths of all that is below `folder`, git's own files aside."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return sorted(path for path in found if ".git/" not in f"{path}/")


def refusal(fact: str, hint: str) -> str:
    return f"error: {fact}\n\nhint: {hint}\n"


def test_a_new_registry_is_a_git_repository_with_one_commit_of_all_its_files(tmp_path):
    made = dreg("init", "soil", cwd=tmp_path)
    assert (made.code, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        f"wrote 14 files in {tmp_path}/soil",
        *(f"  {path}" for path in FILES),
        "",
        "next: cd soil",
        "next: dreg new my-dataset --kind tabular",
    ]
    soil = tmp_path / "soil"
    assert git("ls-files", cwd=soil).splitlines() == FILES
    assert git("status", "--porcelain", cwd=soil) == ""
    assert git("log", "--format=%an %s", "main", cwd=soil) == "Ada Start the registry"
    assert everything(tmp_path) == sorted(
        f"soil/{path}".rstrip("/")
        for path in ["", *FILES, ".dvc", ".github", ".github/workflows", "data", "pipelines"]
    )


def test_dvc_takes_it_for_its_own_and_changes_nothing_in_it(tmp_path):
    dreg("init", "soil", cwd=tmp_path)
    soil = tmp_path / "soil"

    def dvc(*arguments: str) -> str:
        done = forked.dvc(*arguments, cwd=soil)
        assert done.code == 0, done.stderr
        return done.stdout

    configured = dvc("config", "--list").splitlines()
    assert {"core.remote=disk", "core.analytics=false", "core.check_update=false"} <= {*configured}
    assert dvc("remote", "list").split() == [
        *("disk", f"{tmp_path}/soil-store", "(default)"),
        *("local", "s3://dvcstore"),
        *("minio", "s3://dvcstore"),
    ]
    assert "no data or pipelines" in dvc("status")
    assert git("status", "--porcelain", cwd=soil) == ""


def test_an_empty_folder_becomes_a_registry_where_it_is(tmp_path):
    folder = tmp_path / "soil"
    folder.mkdir()
    made = dreg("init", ".", cwd=folder)
    assert (made.code, made.stderr) == (0, "")
    assert made.stdout.endswith("\nnext: dreg new my-dataset --kind tabular\n")
    assert "next: cd" not in made.stdout
    assert git("ls-files", cwd=folder).splitlines() == FILES
    assert git("status", "--porcelain", cwd=folder) == ""
    assert "url = ../../soil-store\n" in (folder / ".dvc/config").read_text()


def test_folders_above_it_are_made_too(tmp_path):
    assert dreg("init", "a/b/soil", cwd=tmp_path).code == 0
    assert git("ls-files", cwd=tmp_path / "a/b/soil").splitlines() == FILES
    assert sorted(path.name for path in tmp_path.rglob(".dreg-new-*")) == []


def test_an_empty_clone_gets_the_files_and_no_commit(tmp_path):
    git("init", "--quiet", "soil", cwd=tmp_path)
    made = dreg("init", "soil", cwd=tmp_path)
    assert (made.code, made.stderr) == (0, "")
    assert made.stdout.splitlines()[-3:] == [
        "next: cd soil",
        "next: git add --all && git commit -m 'Start the registry'",
        "next: dreg new my-dataset --kind tabular",
    ]
    untracked = git("status", "--porcelain", "--untracked-files=all", cwd=tmp_path / "soil")
    assert untracked.splitlines() == [f"?? {path}" for path in FILES]


def test_a_title_reaches_the_readme_as_plain_text(tmp_path):
    title = "{{ 7*7 }} {% raw %} <Soil>\n# & \"more\": 'all'"
    assert dreg("init", "soil", "--name", title, cwd=tmp_path).code == 0
    first = (tmp_path / "soil/README.md").read_text().splitlines()[0]
    assert first == "# {{ 7*7 }} {% raw %} <Soil> # & \"more\": 'all'"


def test_a_folder_with_an_odd_name_gets_a_store_that_needs_no_quotes(tmp_path):
    made = dreg("init", "my soil, #1", cwd=tmp_path)
    assert (made.code, made.stderr) == (0, "")
    assert "\nnext: cd 'my soil, #1'\n" in made.stdout
    config = (tmp_path / "my soil, #1/.dvc/config").read_text()
    assert "    url = ../../my-soil-1-store\n" in config


def test_a_users_own_ignore_rules_do_not_thin_the_first_commit(tmp_path):
    (tmp_path / "ignore").write_text(".env*\n*.txt\ndata/\n")
    (tmp_path / "gitconfig").write_text(f"{ADA}[core]\n\texcludesFile = {tmp_path}/ignore\n")
    env = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    assert dreg("init", "soil", cwd=tmp_path, env=env).code == 0
    assert git("ls-files", cwd=tmp_path / "soil").splitlines() == FILES


def test_a_clone_has_the_same_bytes_wherever_git_changes_line_ends(tmp_path):
    dreg("init", "soil", cwd=tmp_path)
    dreg("new", "crops", "--kind", "tabular", cwd=tmp_path / "soil")
    sample = tmp_path / "soil" / "pipelines" / "crops" / "sample" / "windows.csv"
    sample.write_bytes(b"a,b\r\n1,2\r\n")
    git("-c", "core.autocrlf=true", "add", "--all", cwd=tmp_path / "soil")
    git("commit", "-q", "-m", "a dataset", cwd=tmp_path / "soil")
    git("-c", "core.autocrlf=true", "clone", "-q", "soil", "clone", cwd=tmp_path)
    for path in git("ls-files", cwd=tmp_path / "soil").splitlines():
        copied = (tmp_path / "clone" / path).read_bytes()
        assert copied == (tmp_path / "soil" / path).read_bytes(), path


def test_a_dry_run_lists_the_files_and_writes_none(tmp_path):
    made = dreg("init", "soil", "--dry-run", cwd=tmp_path)
    assert (made.code, made.stderr) == (0, "")
    assert made.stdout.splitlines()[:3] == [
        f"would write 14 files in {tmp_path}/soil",
        "  .dvc/.gitignore",
        "  .dvc/config",
    ]
    assert everything(tmp_path) == []


def test_json_has_the_files_the_commit_and_the_next_commands(tmp_path):
    made = dreg("init", "soil", "--json", cwd=tmp_path)
    assert (made.code, made.stderr) == (0, "")
    assert json.loads(made.stdout) == {
        "name": "soil",
        "kind": "registry",
        "root": f"{tmp_path}/soil",
        "files": FILES,
        "written": True,
        "commit": git("rev-parse", "HEAD", cwd=tmp_path / "soil"),
        "next": ["cd soil", "dreg new my-dataset --kind tabular"],
    }


def test_the_workflows_are_those_that_render_makes_and_install_this_dreg(tmp_path):
    dreg("init", "soil", cwd=tmp_path)
    checked = dreg("ci", "render", "--check", cwd=tmp_path / "soil")
    assert (checked.code, checked.stdout) == (0, "3 files are as they should be\n")
    for path in (tmp_path / "soil/.github/workflows").iterdir():
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            steps = [step.get("run", "") for step in job["steps"]]
            install = "python -m pip install --quiet --requirement requirements.txt"
            assert {install, f"{install} 'dreg[k8s]'"} & set(steps)
    required = (tmp_path / "soil/requirements.txt").read_text()
    assert required == f"dreg[registry]=={__version__}\n"


# Where nothing is made


def test_a_folder_that_is_not_empty_is_refused(tmp_path):
    (tmp_path / "soil").mkdir()
    (tmp_path / "soil/notes.txt").write_text("mine")
    for where, cwd in (("soil", tmp_path), (".", tmp_path / "soil")):
        made = dreg("init", where, cwd=cwd)
        assert (made.code, made.stdout, made.stderr) == (
            1,
            "",
            refusal(
                f"`{tmp_path}/soil` is not empty: it has `notes.txt`",
                "name a new or an empty folder: dreg init my-registry",
            ),
        )
    assert everything(tmp_path) == ["soil", "soil/notes.txt"]


def test_a_registry_is_not_made_twice(tmp_path):
    dreg("init", "soil", cwd=tmp_path)
    made = dreg("init", "soil", cwd=tmp_path)
    assert (made.code, made.stdout, made.stderr) == (
        1,
        "",
        refusal(
            f"`{tmp_path}/soil` is a registry already",
            f"make a dataset in it: dreg -C {tmp_path}/soil new NAME --kind tabular",
        ),
    )


def test_a_folder_inside_another_git_repository_is_refused(tmp_path):
    git("init", "--quiet", "monorepo", cwd=tmp_path)
    made = dreg("init", "monorepo/teams/soil", cwd=tmp_path)
    assert (made.code, made.stdout, made.stderr) == (
        1,
        "",
        refusal(
            f"`{tmp_path}/monorepo/teams/soil` lies in the git repository `{tmp_path}/monorepo`, "
            "and a registry is one of its own",
            "name a folder outside it",
        ),
    )
    assert everything(tmp_path) == ["monorepo"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "soil").write_text("mine")
    made = dreg("init", "soil", cwd=tmp_path)
    assert (made.code, made.stdout, made.stderr) == (
        1,
        "",
        refusal(f"`{tmp_path}/soil` is a file", "name a new or an empty folder"),
    )


def test_git_must_know_who_commits_before_anything_is_written(tmp_path):
    (tmp_path / "gitconfig").write_text("[user]\n\tuseConfigOnly = true\n")
    env = {
        "GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig"),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "HOME": str(tmp_path),
    }
    anonymous = {k: v for k, v in os.environ.items() if not k.startswith(("GIT_", "EMAIL"))}
    made = subprocess.run(
        [sys.executable, "-m", "dreg", "init", "soil"],
        cwd=tmp_path,
        env={**anonymous, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (made.returncode, made.stdout, made.stderr) == (
        3,
        "",
        refusal(
            "git does not know who you are, and a registry starts with a commit",
            'git config --global user.name "Your Name"; '
            "git config --global user.email you@example.com",
        ),
    )
    assert everything(tmp_path) == ["gitconfig"]


def test_a_failing_commit_leaves_nothing(tmp_path):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\necho not today >&2\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (tmp_path / "gitconfig").write_text(f"{ADA}[core]\n\thooksPath = {hooks}\n")
    env = {"GIT_CONFIG_GLOBAL": str(tmp_path / "gitconfig")}
    made = dreg("init", "soil", cwd=tmp_path, env=env)
    assert (made.code, made.stdout) == (3, "")
    assert made.stderr.startswith("error: `git commit` failed\n  not today\n")
    assert everything(tmp_path) == ["gitconfig", "hooks", "hooks/pre-commit"]


def test_git_must_be_installed(tmp_path):
    made = dreg("init", "soil", cwd=tmp_path, env={"PATH": str(tmp_path)})
    assert (made.code, made.stdout, made.stderr) == (
        3,
        "",
        refusal("git is not installed", "install git, then run the command again"),
    )
    assert everything(tmp_path) == []


def test_what_appears_in_the_meantime_is_kept_and_nothing_of_ours_stays(tmp_path):
    folder = tmp_path / "soil"
    folder.mkdir()
    plan = plan_registry(folder, None)
    (folder / "README.md").write_text("mine")  # sorts after most of ours: those are taken back
    with pytest.raises(Exception, match=r"README.md` appeared in the meantime"):
        carry_out(plan)
    assert everything(tmp_path) == ["soil", "soil/README.md"]
    assert (folder / "README.md").read_text() == "mine"


def test_a_move_that_fails_takes_back_those_before_it(tmp_path):
    for name in ("a", "b"):
        (tmp_path / "from" / name).mkdir(parents=True)
    (tmp_path / "to").mkdir()
    moves = [(tmp_path / "from" / n, tmp_path / "to" / n) for n in ("a", "missing", "b")]
    with pytest.raises(FileNotFoundError):
        new_folders.move(moves)
    assert everything(tmp_path) == ["from", "from/a", "from/b", "to"]


def test_its_storage_is_set_up_as_this_registrys(tmp_path):
    """Guide and template stay in step: what is written about one holds for the other."""
    ours = Path(__file__).parents[1]
    dreg("init", "dreg", cwd=tmp_path)
    for path in (
        ".dvc/config",
        ".dvc/.gitignore",
        ".env.docker",
        ".env.minikube",
        ".gitattributes",
    ):
        assert (tmp_path / "dreg" / path).read_text() == (ours / path).read_text()
