"""dreg.toml and [tool.dreg]: what is asked for, where it is, and whether the lock covers it."""

from __future__ import annotations

import shlex
import shutil

import pytest

from dreg.core.remotes import Remotes
from dreg.core.requests import Requests
from dreg.errors import BadRequest
from tests.hand_made import METADATA, WINE, HandMade, tree

PLACED = {**WINE, "metadata.json": METADATA}


@pytest.fixture
def asked(hand_made: HandMade) -> HandMade:
    """`wine` 1.0.0 and 1.1.0, `beer` 2.0.0; a dreg.toml that asks for both."""
    hand_made.release("1.0.0")
    hand_made.release("1.1.0", {**WINE, "processed/val.csv": b"x\n"})
    hand_made.release("2.0.0", {"processed/a.csv": b"1\n"}, name="beer")
    (hand_made.train / "dreg.toml").write_text(
        f'repo = "{hand_made.bare}"\n[datasets]\nwine = "~1.0"\n'
        'beer = { version = "^2", output = "data/b" }\n'
    )
    return hand_made


def versions(made: HandMade, *arguments: str) -> list[tuple[str, str, str]]:
    done = made.dreg("fetch", *arguments, "--json")
    assert done.code == 0, done.stderr
    return [(d["dataset"], d["version"], d["output"]) for d in done.json["datasets"]]


def test_without_a_name_all_that_is_asked_for_comes(asked):
    assert versions(asked) == [("beer", "2.0.0", "data/b"), ("wine", "1.0.0", "data/wine")]
    asked.release("1.0.1")
    assert versions(asked)[1][1] == "1.0.0"  # locked
    assert versions(asked, "wine")[0][1] == "1.0.1"  # asked for anew, in its range


def test_a_request_that_the_lock_no_longer_fits_is_resolved_anew(asked):
    versions(asked)
    toml = asked.train / "dreg.toml"
    toml.write_text(toml.read_text().replace("~1.0", "^1.1"))
    done = asked.dreg("fetch", "--locked")
    assert (done.code, done.stdout) == (1, "")
    assert "  wine is locked at 1.0.0, which is not in `^1.1`\n" in done.stderr
    assert versions(asked)[1][1] == "1.1.0"
    assert asked.dreg("fetch", "--locked").code == 0


def test_locked_refuses_what_was_never_locked_and_changes_nothing(asked):
    done = asked.dreg("fetch", "--locked")
    assert (done.code, tree(asked.train).keys()) == (1, {"dreg.toml"})
    assert "  beer is not in dreg.lock\n  wine is not in dreg.lock\n" in done.stderr


def locked(made: HandMade, *arguments: str, **environment: str) -> tuple[int, str, str]:
    """Code, output and error of `dreg fetch --locked`, which leaves dreg.lock as it is."""
    there = made.train / "dreg.lock"
    before = there.read_bytes() if there.exists() else None
    done = made.dreg("fetch", "--locked", *arguments, **environment)
    assert (there.read_bytes() if there.exists() else None) == before
    return done.code, done.stdout, done.stderr


def test_locked_with_a_name_needs_a_lock(asked):
    (asked.train / "dreg.toml").unlink()
    for environment in ({"DREG_REPO": str(asked.bare)}, {}):
        code, said, error = locked(asked, "wine@1", **environment)
        assert (code, said, "  wine is not in dreg.lock\n" in error) == (1, "", True)
    assert list(asked.train.iterdir()) == []
    assert locked(asked, DVC_DATA_VERSION="wine-v1.0.0")[0] == 1


def test_locked_with_a_name_brings_what_is_locked_and_else_nothing(asked):
    (asked.train / "dreg.toml").unlink()
    asked.fetch("wine@1.0.0", "--repo", str(asked.bare))
    kept = tree(asked.train)
    for covered in (["wine"], ["wine@^1"], ["wine-v1.0.0"], ["wine@^1", "--repo", str(asked.path)]):
        shutil.rmtree(asked.train / "data")
        assert locked(asked, *covered)[0] == 0
        assert tree(asked.train) == kept
    for other in (
        ["wine@1.1.0"],
        ["wine@main"],
        ["wine", "-o", "elsewhere"],
        ["wine", "--raw"],
        ["--raw"],
        ["wine", "--split", "train"],
        ["beer@2"],
    ):
        code, said, error = locked(asked, *other)
        assert (code, said) == (1, ""), other
        assert "dreg.lock does not cover what is asked for" in error
        assert tree(asked.train) == kept
    assert locked(asked, "wine", DVC_DATA_VERSION="wine-v1.1.0")[0] == 1


@pytest.mark.parametrize("by", ["dreg.toml", "lock"])
def test_the_command_that_a_refusal_hints_at_locks_just_that(asked, by):
    toml, lock = asked.train / "dreg.toml", asked.train / "dreg.lock"
    before = ""
    if by == "lock":
        versions(asked)
        toml.unlink()
        before = lock.read_text()
        asked.environment["DREG_REPO"] = str(asked.bare)
    for options in (
        ["wine@1.1.0"],
        ["--raw"],
        ["wine", "-o", "my data", "--raw"],
        ["wine", "--split", "train", "--split", "val", "--remote", str(asked.store)],
        ["wine", "--path", "processed/t*"],
        ["beer", "--metadata-only"],
        ["beer@^2", "--repo", str(asked.bare), "-o", "b"],
    ):
        lock.write_text(before) if before else lock.unlink(missing_ok=True)
        code, _, error = locked(asked, *options)
        assert code == 1 or options[0] == "beer@^2", options
        if code == 1:
            command = error.rpartition("bring it up to date and commit it: ")[2].strip()
            again = asked.dreg(*shlex.split(command)[1:])
            assert again.code == 0, (command, again.stderr)
        assert locked(asked, *options)[0] == 0, (options, error)


def test_a_path_of_a_repository_is_never_locked(asked):
    code, _, error = locked(asked, "--path", "data", "--repo", str(asked.bare))
    assert (code, "--locked is of what dreg.lock pins" in error) == (2, True)


def test_a_version_without_quotes_is_told_with_them(asked):
    (asked.train / "dreg.toml").write_text("[datasets]\nwine = 1.0\n")
    said = asked.dreg("fetch").stderr
    assert "`datasets.wine` in `dreg.toml` is 1.0, not text or a table\n" in said
    assert 'hint: write it between quotes: wine = "1.0"\n' in said


def test_pyproject_asks_too(asked):
    text = (asked.train / "dreg.toml").read_text()
    (asked.train / "dreg.toml").unlink()
    (asked.train / "pyproject.toml").write_text(
        text.replace("repo =", "[tool.dreg]\nrepo =").replace("[datasets]", "[tool.dreg.datasets]")
    )
    assert [name for name, *_ in versions(asked)] == ["beer", "wine"]


def test_a_remote_is_elsewhere_for_this_consumer(asked, tmp_path):
    asked.store.rename(tmp_path / "moved")
    toml = asked.train / "dreg.toml"
    toml.write_text(toml.read_text() + '[remotes]\ndisk = "../moved"\n')
    assert len(versions(asked)) == 2


def test_remotes_of_the_file_are_tried_in_order(asked, tmp_path):
    asked.store.rename(tmp_path / "moved")
    toml = asked.train / "dreg.toml"
    toml.write_text('remote = ["disk", "../moved"]\n' + toml.read_text())
    assert len(versions(asked)) == 2
    shutil.rmtree(asked.train / "data")
    shutil.rmtree(asked.home / "cache")
    assert len(versions(asked, "--remote", "nowhere/at/all", "--remote", "../moved")) == 2


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("[datasets", "is not TOML"),
        ("dataset = 1", "`dataset`, which dreg does not know"),
        ("[datasets]\nwine = 1", "`datasets.wine` in `dreg.toml` is 1, not text or a table"),
        ("[datasets]\nwine = '^'", "is not a version range"),
        ("[datasets.wine]\nsplits = 'a'", "`datasets.wine.splits`"),
        ("[datasets]\nWine = '1'", "cannot name a dataset"),
        ("remote = 1", "not a list of texts"),
        ("[datasets]\nwine = ''", "`datasets.wine.version` in `dreg.toml` is empty"),
        ("[datasets]\nwine = {version = ' '}", "`datasets.wine.version` in `dreg.toml` is empty"),
        ("repo = ''", "`repo` in `dreg.toml` is empty"),
    ],
)
def test_what_is_wrong_is_named(text, fact):
    with pytest.raises(BadRequest) as caught:
        Requests.parse(text, "dreg.toml")
    assert fact in caught.value.fact and "dreg.toml" in caught.value.fact


def test_an_endpoint_of_our_own():
    ours = Requests.parse(
        "[remotes.minio]\nendpoint = 'https://out'\nprofile = 'p'\n[remotes.new]\nurl = 's3://n'",
        "dreg.toml",
    )
    registry = Remotes.parse("['remote \"minio\"']\nurl = s3://b\nendpointurl = http://in:9000\n")
    seen = ours.as_seen_from_here(registry)
    minio = seen.named("minio")
    assert (minio.url, minio.endpoint, minio.profile) == ("s3://b", "https://out", "p")
    assert seen.named("new").url == "s3://n"


# Branches and commits


@pytest.mark.parametrize("known", [True, False])
def test_the_id_of_an_annotated_tag_is_its_release(asked, known):
    (asked.train / "dreg.toml").unlink()
    asked.environment["DREG_REPO"] = str(asked.bare)
    oid, commit = (asked.git("rev-parse", f"wine-v1.1.0{end}") for end in ("", "^{commit}"))
    if known:
        asked.fetch("wine@1.1.0")
    fetched = asked.fetch(f"wine@{oid}")
    assert (fetched["version"], fetched["commit"]) == ("1.1.0", commit)
    assert fetched["manifest"] == asked.made["wine-v1.1.0"].digest


@pytest.mark.parametrize("kind", ["branch", "commit"])
def test_a_branch_or_a_commit_is_pinned_as_a_commit(asked, kind):
    commit = asked.git("rev-parse", "wine-v1.1.0^{commit}")
    asked.git("push", "-q", "origin", f"{commit}:refs/heads/trial")
    wanted = "trial" if kind == "branch" else commit
    (asked.train / "dreg.toml").unlink()
    asked.environment["DREG_REPO"] = str(asked.bare)
    fetched = asked.fetch(f"wine@{wanted}")
    assert (fetched["version"], fetched["commit"]) == ("1.1.0", commit)
    assert asked.fetch("wine")["changed"] is False
    done = asked.dreg("fetch", "wine@nothing")
    assert (done.code, "no such branch or commit" in done.stderr) == (2, True)
