"""Yanking: recorded on the git remote, obeyed by every range, and nobody's lock stops working."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreg.core.manifest import manifest_key
from dreg.core.version import parse_tag
from dreg.core.yank import Records, Yank, record_message, records, yank_of_tag
from tests.hand_made import WINE, HandMade, tree
from tests.small_registry import NAME

REASON = "labels shifted"


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    """Releases 1.0.0, 1.1.0 and 1.2.0 of `wine`."""
    for minor in range(3):
        hand_made.release(f"1.{minor}.0", {**WINE, "processed/n.csv": f"{minor}\n".encode()})
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


def registry(made: HandMade, *arguments: str, cwd=None) -> dict:
    """A command in the registry, which must succeed; its answer."""
    done = made.dreg(*arguments, "--json", cwd=cwd or made.path, DREG_REPO="")
    assert done.code == 0, done.stderr
    return done.json


def yank(made: HandMade, version: str, reason: str = REASON, **where) -> dict:
    return registry(made, "yank", f"wine@{version}", "--reason", reason, **where)


def warnings(stderr: str) -> list[str]:
    return [line for line in stderr.splitlines() if line.startswith("warning:")]


# The record


def test_a_yank_is_an_annotated_tag_that_says_who_when_and_why(wine):
    answer = yank(wine, "1.2.0")
    assert (answer["state"], answer["record"]) == ("yanked", "yank/wine-v1.2.0")
    assert (answer["latest"], answer["pushed_to"]) == ("1.1.0", str(wine.bare))
    assert (answer["yank"]["reason"], answer["yank"]["by"]) == (REASON, "Ada")
    assert answer["yank"]["at"].startswith("20")
    shown = wine.git("cat-file", "tag", "yank/wine-v1.2.0", cwd=wine.bare)
    assert "tagger Ada <ada@example.com>" in shown
    trailers = wine.git("for-each-ref", "refs/tags/yank/", "--format=%(contents:trailers)")
    assert trailers == f"Dreg-Yank: wine-v1.2.0\nDreg-Reason: {REASON}"
    commit = wine.git("rev-parse", "wine-v1.2.0^{commit}")
    assert wine.git("rev-parse", "yank/wine-v1.2.0^{commit}", cwd=wine.bare) == commit
    assert wine.git("status", "--porcelain") == ""


def test_the_answer_for_people(wine):
    done = wine.dreg("yank", "wine@1.2.0", "--reason", REASON, cwd=wine.path)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout == (
        f"yanked wine 1.2.0: {REASON}\n"
        f"  record    yank/wine-v1.2.0 on {wine.bare}\n"
        "  ranges    resolve to 1.1.0, if nothing else is asked for\n"
    )


def test_yanking_twice_says_so(wine):
    yank(wine, "1.2.0")
    done = wine.dreg("yank", "wine-v1.2.0", "--reason", REASON, cwd=wine.path)
    assert (done.code, done.stderr) == (0, "")
    done = wine.dreg("yank", "wine-v1.2.0", "--reason", "another", cwd=wine.path)
    assert done.code == 0
    assert "warning: the reason `another` was not recorded: the first one stays" in done.stderr
    assert done.stdout.startswith(f"wine 1.2.0 is yanked already: {REASON}\n")
    assert wine.git("tag", "--list", "yank/*", cwd=wine.bare) == "yank/wine-v1.2.0"


def test_yanked_taken_back_and_yanked_again_every_record_stays(wine):
    yank(wine, "1.2.0")
    assert registry(wine, "unyank", "wine@1.2.0", "--reason", "they were right")["state"] == (
        "unyanked"
    )
    assert wine.fetch("wine")["version"] == "1.2.0"
    assert registry(wine, "unyank", "wine@1.2.0")["state"] == "unchanged"
    again = yank(wine, "1.2.0", "not quite")
    assert (again["record"], again["yank"]["reason"]) == ("yank/wine-v1.2.0@2", "not quite")
    assert wine.fetch("wine")["version"] == "1.1.0"
    assert registry(wine, "unyank", "wine@1.2.0")["record"] == "unyank/wine-v1.2.0@2"
    assert wine.fetch("wine")["version"] == "1.2.0"
    assert wine.git("tag", "--list", "*yank/*", cwd=wine.bare).split() == [
        "unyank/wine-v1.2.0",
        "unyank/wine-v1.2.0@2",
        "yank/wine-v1.2.0",
        "yank/wine-v1.2.0@2",
    ]
    said = wine.git("tag", "--list", "unyank/wine-v1.2.0", "--format=%(contents:trailers)")
    assert said == "Dreg-Unyank: wine-v1.2.0\nDreg-Reason: they were right"


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("wine@9.0.0", "--reason", "x"), "`wine` has no release 9.0.0"),
        (("beer@1.0.0", "--reason", "x"), "no dataset named `beer`"),
        (("wine", "--reason", "x"), "`wine` does not name one version"),
        (("wine@^1", "--reason", "x"), "`wine@^1` does not name one version"),
        (("wine@1.0.0", "--reason", "  "), "`--reason` is empty"),
        (("wine@1.0.0", "--reason", "a\nb"), "`--reason` has more than one line"),
        (("wine@1.0.0",), "missing option `--reason`"),
    ],
)
def test_what_cannot_be_yanked(wine, arguments, fact):
    done = wine.dreg("yank", *arguments, cwd=wine.path)
    assert (done.code, done.stderr.splitlines()[0]) == (2, f"error: {fact}")
    assert "yank/" not in wine.git("tag", "--list", cwd=wine.bare)


def test_an_unknown_version_says_what_there_is(wine):
    done = wine.dreg("yank", "wine@9.0.0", "--reason", "x", cwd=wine.path)
    assert "hint: there are: 1.0.0, 1.1.0, 1.2.0" in done.stderr


def test_without_a_git_remote_it_stays_here(wine):
    wine.git("remote", "remove", "origin")
    assert yank(wine, "1.2.0")["pushed_to"] is None
    assert registry(wine, "list")["datasets"][0]["version"] == "1.1.0"
    assert registry(wine, "unyank", "wine@1.2.0")["state"] == "unyanked"
    assert registry(wine, "list")["datasets"][0]["version"] == "1.2.0"


def test_a_git_remote_of_another_name_is_refused(wine):
    wine.git("remote", "rename", "origin", "upstream")
    done = wine.dreg("yank", "wine@1.2.0", "--reason", REASON, cwd=wine.path)
    assert done.code == 1
    assert wine.git("tag", "--list", "yank/*") == ""


def test_a_git_server_that_declines_leaves_no_record(wine):
    hook = wine.bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho no yanks today >&2\nexit 1\n")
    hook.chmod(0o755)
    done = wine.dreg("yank", "wine@1.2.0", "--reason", REASON, cwd=wine.path)
    assert done.code == 1
    assert (
        "the git server declined the push of `yank/wine-v1.2.0`; nothing was changed there"
        in done.stderr
    )
    assert "no yanks today" in done.stderr
    assert not {"released", "branch"} & set(done.stderr.replace(",", " ").split())
    assert wine.git("tag", "--list", "yank/*") == ""


def test_killed_after_the_push_the_same_command_finishes(wine):
    yank(wine, "1.2.0")
    wine.git("tag", "-d", "yank/wine-v1.2.0")  # as if it had not come to that
    assert yank(wine, "1.2.0")["state"] == "unchanged"
    assert wine.git("tag", "--list", "yank/*") == "yank/wine-v1.2.0"


def test_from_a_shallow_clone_without_tags(wine, tmp_path):
    wine.git("clone", "-q", "--depth=1", "--no-tags", wine.bare.as_uri(), "ci", cwd=tmp_path)
    (tmp_path / "ci" / "pipelines").mkdir()
    assert yank(wine, "1.0.0", cwd=tmp_path / "ci")["state"] == "yanked"
    assert wine.git("tag", "--list", "yank/*", cwd=wine.bare) == "yank/wine-v1.0.0"


def test_two_who_yank_at_once_make_one_record(wine, tmp_path):
    wine.git("clone", "-q", str(wine.bare), "second", cwd=tmp_path)
    (tmp_path / "second" / "pipelines").mkdir()
    answers = []

    def go(folder, reason):
        answers.append(yank(wine, "1.2.0", reason, cwd=folder))

    threads = [
        threading.Thread(target=go, args=(folder, reason))
        for folder, reason in ((wine.path, "one"), (tmp_path / "second", "two"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 2
    assert {answer["yank"]["reason"] for answer in answers} in ({"one"}, {"two"})
    assert wine.git("tag", "--list", "yank/*", cwd=wine.bare) == "yank/wine-v1.2.0"


def test_a_lost_race_is_looked_at_again(wine, tmp_path):
    """Somebody else's push arrives between our look and ours: a hook of ours makes it."""
    wine.git("clone", "-q", str(wine.bare), "second", cwd=tmp_path)
    wine.git(
        "tag",
        "-a",
        "-m",
        "theirs",
        "yank/wine-v1.2.0",
        "wine-v1.2.0^{commit}",
        cwd=tmp_path / "second",
    )
    hook = wine.path / ".git" / "hooks" / "pre-push"
    hook.write_text(f"#!/bin/sh\ngit -C {tmp_path / 'second'} push -q --no-verify origin --tags\n")
    hook.chmod(0o755)
    answer = yank(wine, "1.2.0", "ours")
    assert (answer["state"], answer["yank"]["reason"]) == ("unchanged", "theirs")


def test_a_record_made_with_plain_git_counts(wine):
    wine.git("tag", "-a", "-m", "by hand", "yank/wine-v1.2.0", "wine-v1.2.0^{commit}")
    wine.git("push", "-q", "origin", "yank/wine-v1.2.0")
    assert wine.fetch("wine")["version"] == "1.1.0"
    assert registry(wine, "unyank", "wine@1.2.0")["record"] == "unyank/wine-v1.2.0"
    assert wine.fetch("wine")["version"] == "1.2.0"


@given(st.text(max_size=30), st.integers(1, 3))
def test_no_record_is_ever_taken_for_a_release(text, number):
    for tag in (f"yank/{text}", f"unyank/wine-v{number}.0.0@{number}", f"yank/wine-v1.0.{number}"):
        assert parse_tag(tag) is None


def test_what_tags_say_about_a_release():
    tag = "wine-v1.0.0-rc.1"
    assert records(["wine-v1.0.0", "yank/v1", "yank/wine", f"yank/{tag}@0", f"yank/a/{tag}"]) == {}
    assert records([f"yank/{tag}"])[tag].yanked == f"yank/{tag}"
    assert records([f"yank/{tag}", f"unyank/{tag}"])[tag].yanked is None
    assert records([f"yank/{tag}@2", f"unyank/{tag}"])[tag].yanked == f"yank/{tag}@2"
    assert records([f"yank/{tag}@2", f"unyank/{tag}"])[tag].newest == f"yank/{tag}@2"
    assert records([f"yank/{tag}", f"unyank/{tag}"])[tag].newest == f"unyank/{tag}"
    assert records([]).get(tag, Records(tag)).newest is None
    assert Records(tag, 1, 1).next_yank == f"yank/{tag}@2"
    assert Records(tag, 2, 1).next_unyank == f"unyank/{tag}@2"
    assert yank_of_tag(f"unyank/{tag}@12") == tag
    assert yank_of_tag("yank/nothing") is None


def test_what_a_record_says():
    message = record_message("yank", "wine-v1.0.0", "Dreg-Reason: twice")
    assert message.startswith("yank wine 1.0.0\n\n")
    assert Yank.of(message).reason == "Dreg-Reason: twice"
    assert Yank.of("by hand\n\nand more").reason == "by hand"
    assert str(Yank.of(None)) == "no reason given"


# Obeyed


@pytest.mark.parametrize("wanted", ["wine", "wine@latest", "wine@^1.0", "wine@>=1.1", "wine@*"])
def test_no_range_resolves_to_it(wine, wanted):
    yank(wine, "1.2.0")
    done = wine.dreg("fetch", wanted)
    assert (done.code, warnings(done.stderr)) == (0, [])
    assert "fetched wine 1.1.0" in done.stdout


@pytest.mark.parametrize("wanted", ["wine@1.2.0", "wine@=1.2.0", "wine@==1.2.0", "wine-v1.2.0"])
def test_just_that_version_still_works_and_warns(wine, wanted):
    yank(wine, "1.2.0")
    done = wine.dreg("fetch", wanted, "--json")
    assert (done.code, warnings(done.stderr)) == (0, [f"warning: wine 1.2.0 is yanked: {REASON}"])
    (fetched,) = done.json["datasets"]
    assert (fetched["version"], fetched["yanked"]["reason"]) == ("1.2.0", REASON)


def test_a_range_of_nothing_else_says_why(wine):
    yank(wine, "1.2.0")
    done = wine.dreg("fetch", "wine@~1.2")
    assert done.code == 2
    assert done.stderr == (
        "error: every release of `wine` in `~1.2` is yanked\n\n"
        f"hint: see why: dreg show wine@1.2.0 --repo {wine.bare}; just that one can still be had: "
        f"dreg fetch wine@1.2.0 --repo {wine.bare}\n"
    )


def test_a_lock_still_works_and_warns_once(wine):
    wine.fetch("wine@^1.0")
    yank(wine, "1.2.0")
    said = [f"warning: wine 1.2.0 is yanked: {REASON}"]
    done = wine.dreg("fetch")  # in place: nobody is asked
    assert (done.code, warnings(done.stderr)) == (0, [])
    subprocess.run(["rm", "-r", wine.train / "data"], check=True)
    done = wine.dreg("fetch", "--quiet", "--json")
    assert (done.code, warnings(done.stderr)) == (0, said)
    (fetched,) = done.json["datasets"]
    assert (fetched["version"], fetched["yanked"]["reason"]) == ("1.2.0", REASON)
    assert tree(wine.train / "data" / "wine")["processed/n.csv"] == b"2\n"
    done = wine.dreg("fetch")  # what the registry said last is still known
    assert (done.code, warnings(done.stderr)) == (0, said)


def test_a_locked_range_leaves_it_and_says_why(wine):
    wine.fetch("wine@^1.0")
    yank(wine, "1.2.0")
    done = wine.dreg("fetch", "wine")
    assert (done.code, warnings(done.stderr)) == (
        0,
        [f"warning: wine 1.2.0, which dreg.lock has, is yanked: {REASON}"],
    )
    assert "fetched wine 1.2.0 -> 1.1.0" in done.stdout


def test_a_registry_that_does_not_answer_keeps_nobody_from_what_is_in_place(wine):
    wine.fetch("wine@1.2.0")
    yank(wine, "1.2.0")
    wine.bare.rename(wine.home / "away.git")
    assert wine.fetch()["yanked"] is None


def test_several_locked_datasets_ask_their_registry_once(wine, tmp_path):
    wine.release("3.0.0", {"processed/a.csv": b"1\n"}, name="beer")
    wine.fetch("wine")
    wine.fetch("beer")
    trace = tmp_path / "trace"
    wine.dreg("fetch", GIT_TRACE=str(trace))
    assert not trace.exists()  # all is in place
    subprocess.run(["rm", "-r", wine.train / "data"], check=True)
    wine.dreg("fetch", GIT_TRACE=str(trace))
    assert trace.read_text().count("built-in: git ls-remote") == 1
    assert "git fetch" not in trace.read_text()


def test_a_range_asks_nothing_more_for_it(wine, tmp_path):
    yank(wine, "1.2.0")
    trace = tmp_path / "trace"
    wine.dreg("fetch", "wine@^1", GIT_TRACE=str(trace))
    assert trace.read_text().count("built-in: git ls-remote") == 1


@pytest.mark.parametrize("repo", [(), ("--repo", "registry.git")])
def test_list_and_show_skip_it_and_say_so(wine, repo):
    yank(wine, "1.2.0")
    where = {"cwd": wine.home if repo else wine.path, "DREG_REPO": ""}
    (pipelines := wine.path / "pipelines" / "wine").mkdir()
    (pipelines / "dvc.yaml").write_text("stages: {}\n")
    (listed,) = wine.dreg("list", *repo, "--json", **where).json["datasets"]
    assert (listed["version"], listed["releases"], listed["yanked"]) == ("1.1.0", 3, ["1.2.0"])
    told = wine.dreg("list", *repo, **where).stdout.splitlines()
    assert told[0].split() == ["DATASET", "LATEST", "SAMPLES", "SIZE", "RELEASES", "YANKED"]
    assert told[1].split()[-1] == "1.2.0"


def test_completion_offers_what_can_be_used(wine, monkeypatch):
    from dreg.commands import complete_request, complete_yanked

    yank(wine, "1.2.0")
    monkeypatch.chdir(wine.path)
    assert complete_request("wine@") == ["wine@1.1.0", "wine@1.0.0"]
    assert complete_yanked("wine@") == ["wine@1.2.0"]


# Who is affected


def test_the_lock_here_and_what_is_made_from_it_are_named(released_once):
    downstream = released_once.path / "pipelines" / "report"
    downstream.mkdir()
    (downstream / "dvc.yaml").write_text("stages: {}\n")
    contract = (released_once.path / "pipelines" / NAME / "dataset.yaml").read_text()
    (downstream / "dataset.yaml").write_text(f"{contract}\nupstream: [{NAME}]\n")
    released_once.ok("fetch", f"{NAME}@^1.0", "-o", "fetched")
    done = released_once.ok("yank", f"{NAME}@1.0.0", "--reason", REASON, "--json")
    assert done.json["affected"] == [
        {"kind": "lock", "who": "dreg.lock", "how": "^1.0", "instead": None},
        {"kind": "dataset", "who": "pipelines/report", "how": "upstream", "instead": None},
    ]
    told = released_once.ok("yank", f"{NAME}@1.0.0", "--reason", REASON).stdout
    assert "  affected  dreg.lock has it; `^1.0` has nothing else\n" in told
    assert f"  affected  pipelines/report is made from {NAME}\n" in told


def test_releases_made_from_it_are_named_by_their_bytes(ready, tmp_path):
    """A downstream dataset reads a file of the release; the pin is the release that has its bytes."""
    first = ready.release()
    ready.ok("new", "report", "--kind", "tabular")
    ready.edit(
        "pipelines/report/dvc.yaml",
        r"^( +)- scripts/process.py$",
        rf"\1- scripts/process.py\n\1- ../../data/{NAME}/processed/val.csv",
    )
    contract = ready.path / "pipelines/report/dataset.yaml"
    contract.write_text(f"{contract.read_text()}\nupstream: [{NAME}@^1.0]\n")
    ready.ok("run", "report")
    (made,) = ready.ok("release", "report", "--json").json["releases"]
    message = ready.git("cat-file", "tag", "report-v1.0.0")
    assert "Dreg-Upstream: toy-v1.0.0" in message
    manifest = json.loads((ready.store / manifest_key(made["manifest"])).read_text())
    (pin,) = manifest["upstream"]
    assert pin == {
        "dataset": NAME, "version": "1.0.0", "tag": "toy-v1.0.0", "commit": first["commit"],
        "manifest": first["manifest"],
    }  # fmt: skip
    done = ready.ok("yank", f"{NAME}@1.0.0", "--reason", REASON, "--json")
    assert {
        "kind": "release",
        "who": "report-v1.0.0",
        "how": "upstream",
        "instead": None,
    } in done.json["affected"]
    told = ready.ok("yank", f"{NAME}@1.0.0", "--reason", REASON).stdout
    assert "  affected  report-v1.0.0 was made from it\n" in told


def test_locks_elsewhere_and_runs_are_named(released_once, tmp_path):
    training = tmp_path / "trainings" / "one"
    training.mkdir(parents=True)
    released_once.ok(
        "fetch", f"{NAME}@^1.0", "--repo", str(released_once.remote), "-o", "data", folder=training
    )
    store = tmp_path / "mlruns"
    code = (
        f"import mlflow; mlflow.set_tracking_uri({store.as_uri()!r})\n"
        "with mlflow.start_run(run_name='baseline'): mlflow.log_param('data_version', 'toy-v1.0.0')\n"
        "with mlflow.start_run(run_name='theirs'):\n"
        f"    mlflow.log_params({{'data_version': 'toy-v1.0.0', 'data_commit': {'deadbeef' * 5!r}}})\n"
        "with mlflow.start_run(run_name='copied'):\n"
        "    mlflow.log_params({'data_version': 'toy-v1.0.0', 'data_repo': 'https://example.com/d'})\n"
    )
    quiet = {"MLFLOW_ALLOW_FILE_STORE": "true", "MLFLOW_DISABLE_TELEMETRY": "true"}
    subprocess.run(
        [sys.executable, "-c", code],
        env={**released_once.environment, **quiet},
        check=True,
        cwd=tmp_path,
    )
    done = released_once.ok(
        "yank", f"{NAME}@1.0.0", "--reason", REASON, "--json",
        "--locks", str(tmp_path / "trainings"), "--tracking", store.as_uri(),
    )  # fmt: skip
    lock, copied, run = done.json["affected"]
    assert copied["how"] == ("copied (it names the registry https://example.com/d, and no commit)")
    assert (lock["kind"], lock["how"]) == ("lock", "^1.0")
    assert lock["who"].endswith("trainings/one/dreg.lock")
    assert (run["kind"], run["how"]) == ("run", "baseline")


def test_a_folder_of_locks_that_is_not_there_is_told_before_anything_is_yanked(ready):
    ready.release()
    done = ready.dreg("yank", f"{NAME}@1.0.0", "--reason", REASON, "--locks", "nowhere")
    assert (done.code, "there is no folder `nowhere`" in done.stderr) == (2, True)
    assert "yank" not in ready.git("tag", "--list")


def test_a_store_of_runs_that_does_not_answer_keeps_nobody_from_yanking(released_once):
    done = released_once.ok(
        "yank", f"{NAME}@1.0.0", "--reason", REASON, "--tracking", "http://127.0.0.1:9"
    )
    assert "yanked toy 1.0.0" in done.stdout
    assert "which runs are affected is not known" in done.stderr


# The next release


def test_the_next_release_is_compared_with_the_last_good_one_and_numbered_above_all(released_once):
    released_once.drop_column("leaf_mm")
    assert released_once.release()["version"] == "2.0.0"
    released_once.ok("yank", f"{NAME}@2.0.0", "--reason", "the column was needed")
    assert released_once.ok("diff", NAME, "--json").json["old"] == "1.0.0"
    done = released_once.dreg("release", NAME)
    assert done.code == 1
    assert f"the tree has the data of `{NAME}` 2.0.0, which is yanked" in done.stderr
    released_once.drop_column("leaves")
    released_once.ok("run", NAME)
    assert released_once.ok("diff", NAME, "--json").json["next"] == "3.0.0"
    released = released_once.release()
    assert (released["previous"], released["version"], released["bump"]) == (
        "1.0.0",
        "3.0.0",
        "major",
    )


def test_going_back_to_the_last_good_release_is_nothing_to_release(released_once):
    contract = released_once.path / "pipelines" / NAME / "dataset.yaml"
    before = contract.read_text()
    released_once.drop_column("leaf_mm")
    released_once.release()
    released_once.ok("yank", f"{NAME}@2.0.0", "--reason", "the column was needed")
    contract.write_text(before)
    released = released_once.release()
    assert (released["state"], released["version"]) == ("unchanged", "1.0.0")


def test_where_every_release_is_yanked_the_next_one_is_compared_with_the_last(released_once):
    released_once.ok("yank", f"{NAME}@1.0.0", "--reason", REASON)
    done = released_once.dreg("release", NAME)
    assert (done.code, "which is yanked" in done.stderr) == (1, True)
    released_once.drop_column("leaf_mm")
    released = released_once.release()
    assert (released["previous"], released["version"]) == ("1.0.0", "2.0.0")
    shown = released_once.ok("show", NAME, "--json").json
    assert (shown["version"], shown["yanked"]) == ("2.0.0", None)
    shown = released_once.ok("show", f"{NAME}@1.0.0", "--json").json
    assert shown["yanked"]["reason"] == REASON
    assert f"yanked    {REASON} (A, 20" in released_once.ok("show", f"{NAME}@1.0.0").stdout
    (standing,) = released_once.ok("status", "--json").json["datasets"]
    assert standing["released"] == "2.0.0"


def test_a_registry_that_never_answers_costs_three_seconds(wine):
    wine.fetch("wine@1.2.0")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/registry.git"
        shutil.rmtree(wine.train / "data")
        start = time.monotonic()
        done = wine.dreg("fetch", "--repo", url)  # all is in dreg's cache
        assert (done.code, done.stderr) == (0, "wine 1.2.0: 4 files in the cache\n")
        assert 3 <= time.monotonic() - start < 60
