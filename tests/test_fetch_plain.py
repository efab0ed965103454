"""Fetching from a plain DVC repository that dreg never released: real DVC, no manifest."""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tomllib

import pytest

from tests import forked
from tests.hand_made import HandMade, tree

DVC_YAML = """stages:
  process:
    cmd: python make.py
    deps: [make.py]
    outs:
      - ../../data/cats/processed
      - ../../data/cats/labels.txt
      - ../../data/cats/metadata.json: {cache: false}
"""
MAKE = """from pathlib import Path
data = Path("../../data/cats")
(data / "processed" / "deep").mkdir(parents=True, exist_ok=True)
(data / "processed" / "a.txt").write_text("a" * 100)
(data / "processed" / "deep" / "b c.txt").write_text("b\\r\\n")
(data / "labels.txt").write_text("cat\\n")
(data / "metadata.json").write_text('{"dataset": {"name": "cats"}}')
"""
PLACED = {
    "extra.bin": b"extra",
    "labels.txt": b"cat\n",
    "metadata.json": b'{"dataset": {"name": "cats"}}',
    "processed/a.txt": b"a" * 100,
    "processed/deep/b c.txt": b"b\r\n",
}


def dvc(made: HandMade, *arguments: str) -> None:
    environment = {**os.environ, "DVC_SITE_CACHE_DIR": str(made.home / "site")}
    done = forked.dvc(*arguments, "-q", cwd=made.path, env=environment)
    assert done.code == 0, done.stderr


@pytest.fixture(scope="module")
def made_cats(tmp_path_factory) -> HandMade:
    """`cats` at the tag cats-v1.0.0: outs of a stage, a file of its own, a raw folder; pushed."""
    home = tmp_path_factory.mktemp("cats")
    made = HandMade(home, {"DREG_CACHE": str(home / "cache")})
    pipeline, data = made.path / "pipelines" / "cats", made.path / "data" / "cats"
    pipeline.mkdir(parents=True)
    (pipeline / "dvc.yaml").write_text(DVC_YAML.replace("python", sys.executable))
    (pipeline / "make.py").write_text(MAKE)
    (data / "raw").mkdir(parents=True)
    (data / "raw" / "r.txt").write_text("raw")
    (data / "extra.bin").write_bytes(b"extra")
    (data / "README.md").write_text("only documentation")
    dvc(made, "add", "data/cats/extra.bin", "data/cats/raw")
    dvc(made, "repro", "pipelines/cats/dvc.yaml")
    dvc(made, "push")
    made.tag("cats-v1.0.0", None)
    made.environment["DREG_REPO"] = str(made.bare)
    return made


@pytest.fixture
def cats(made_cats: HandMade, tmp_path) -> HandMade:
    """A copy of the test's own."""
    return made_cats.copy(tmp_path)


def test_a_plain_dvc_repository_is_fetched_and_the_answer_says_what_protects_it(cats):
    fetched = cats.fetch("cats@^1")
    assert tree(cats.train / "data" / "cats") == PLACED
    assert (fetched["manifest"], fetched["protection"], fetched["files"]) == (None, "md5", 5)
    assert fetched["downloaded"] == 100 + 3 + 4 + 5
    (pin,) = tomllib.loads((cats.train / "dreg.lock").read_text())["dataset"]
    assert "manifest" not in pin
    done = cats.dreg("fetch")
    assert (done.code, done.stdout, done.stderr) == (
        0,
        "cats 1.0.0 is in place in data/cats (5 files, 141 B)\n"
        "  made without dreg: no manifest, so only md5 protects these files\n",
        "",
    )


def tracked(made: HandMade, *paths: str) -> None:
    """Have DVC track files at these paths."""
    for path in paths:
        (made.path / path).parent.mkdir(parents=True, exist_ok=True)
        (made.path / path).write_bytes(path.encode())
    tops = sorted({path.partition("//")[0] for path in paths})
    dvc(made, "add", *tops)
    dvc(made, "push")


@pytest.mark.parametrize(
    ("paths", "placed"),
    [
        (["imgs//a.png", "imgs//deep/b.png"], {"a.png", "deep/b.png"}),  # imgs.dvc at the root
        (["imgs.zip"], {"imgs.zip"}),
        (["some/where/imgs.tar.gz"], {"imgs.tar.gz"}),
        (["some/imgs/train.csv", "some/imgs/val.csv"], {"train.csv", "val.csv"}),
        (["a/b/imgs//far.png", "imgs.zip", "a/imgs//near.png"], {"near.png"}),
    ],
)
def test_what_dvc_tracks_anywhere_is_a_dataset_by_its_name(cats, paths, placed):
    tracked(cats, *paths)
    cats.tag("imgs-v1.0.0", None)
    cats.git("tag", "v1.0")
    cats.git("push", "-q", "origin", "v1.0")
    assert cats.fetch("imgs@^1")["protection"] == "md5"
    assert set(tree(cats.train / "data/imgs")) == placed
    for file in placed:
        assert any(path.replace("//", "/").endswith(file) for path in paths)
    (pin,) = tomllib.loads((cats.train / "dreg.lock").read_text())["dataset"]
    assert (pin["request"], pin["version"], pin["output"]) == ("^1", "1.0.0", "data/imgs")
    assert cats.dreg("fetch", "--locked").code == 0


@pytest.mark.parametrize("revision", ["v1.0", "main", "2024", "COMMIT"])
def test_a_dataset_at_any_revision_of_a_repository_without_releases(cats, revision):
    tracked(cats, "imgs//a.png")
    cats.git("tag", "-d", "cats-v1.0.0")
    cats.git("push", "-q", "--delete", "origin", "cats-v1.0.0")
    cats.tag("v1.0", None)
    cats.git("tag", "2024")
    cats.git("push", "-q", "origin", "2024")
    commit = cats.git("rev-parse", "HEAD")
    said = commit if revision == "COMMIT" else revision
    got = cats.fetch("imgs", "--repo", str(cats.bare), "--rev", said)
    assert (got["commit"], got["version"]) == (commit, f"0.0.0+g{commit[:12]}")
    assert tree(cats.train / "data/imgs") == {"a.png": b"imgs//a.png"}
    for arguments in ((), ("imgs",), ("imgs", "--rev", said), ("--locked",)):
        assert cats.fetch(*arguments)["changed"] is False


@pytest.mark.parametrize("revision", ["main", "refs/heads/main"])
def test_a_branch_moves_on_when_it_is_asked_to(cats, revision):
    tracked(cats, "imgs//a.png")
    cats.tag("v1", None)
    first = cats.fetch(f"imgs@{revision}")
    assert cats.dreg("outdated").stdout == "everything in dreg.lock is up to date\n"
    tracked(cats, "imgs//b.png")
    cats.tag("v2", None)
    commit = cats.git("rev-parse", "HEAD")
    assert cats.fetch()["commit"] == first["commit"], "locked"
    (standing,) = cats.dreg("outdated", "--json").json["datasets"]
    assert standing["update"] == f"0.0.0+g{commit[:12]}"
    said = cats.dreg("update", "--explain")
    assert f"imgs {first['version']} -> 0.0.0+g{commit[:12]} (no profile to compare)" in said.stdout
    said = cats.dreg("update").stdout
    assert f"fetched imgs {first['version']} -> 0.0.0+g{commit[:12]} into data/imgs" in said
    assert set(tree(cats.train / "data/imgs")) == {"a.png", "b.png"}
    back = cats.fetch("imgs", "--rev", first["commit"])
    assert back["commit"] == first["commit"], "no release moved: it is another commit"
    assert cats.dreg("outdated").stdout == "everything in dreg.lock is up to date\n"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["imgs@1", "--rev", "v1"], "both say which one is meant"),
        (["imgs", "--rev", "^1.0"], "hint: a range goes with the name: NAME@^1.0"),
        (["imgs", "--rev", "1.x"], "hint: a branch of that name is imgs@refs/heads/1.x"),
        (["imgs", "--rev", "nowhere"], "has no tag, branch or commit `nowhere`"),
        (["nothing", "--rev", "main"], "DVC tracks nothing of `nothing` in "),
    ],
)
def test_a_revision_that_is_none(cats, options, said):
    done = cats.dreg("fetch", *options)
    assert (done.code in (1, 2), said in done.stderr) == (True, True), done.stderr
    assert not (cats.train / "dreg.lock").exists()


def test_raw_when_asked_for(cats):
    cats.fetch("cats", "--raw")
    assert tree(cats.train / "data" / "cats") == {**PLACED, "raw/r.txt": b"raw"}


def test_a_lightweight_tag_will_do(cats):
    cats.git("tag", "cats-v1.0.1")
    cats.git("push", "-q", "origin", "--tags")
    assert cats.fetch("cats")["version"] == "1.0.1"


def test_a_newer_tag_downloads_only_what_differs(cats):
    cats.fetch("cats")
    make = cats.path / "pipelines" / "cats" / "make.py"
    make.write_text(make.read_text().replace("cat\\n", "cat\\ndog\\n"))
    dvc(cats, "repro", "pipelines/cats/dvc.yaml")
    dvc(cats, "push")
    cats.tag("cats-v1.1.0", None)
    assert cats.fetch("cats")["downloaded"] == len("cat\ndog\n")
    assert (cats.train / "data" / "cats" / "labels.txt").read_text() == "cat\ndog\n"


def refused(made: HandMade, code: int) -> str:
    done = made.dreg("fetch", "cats")
    assert (done.code, done.stdout) == (code, "")
    assert tree(made.train) == {}
    return done.stderr


def test_a_corrupt_file(cats):
    path = cats.object_path(b"cat\n")
    path.chmod(0o644)
    path.write_bytes(b"dog\n")
    md5 = [hashlib.md5(data).hexdigest() for data in (b"cat\n", b"dog\n")]
    assert f"`labels.txt` arrived corrupt from the remote `disk` at {cats.store}: expected md5 " \
        f"{md5[0]}, got {md5[1]}" in refused(cats, 3)  # fmt: skip


def folder_object(made: HandMade):
    (path,) = [p for p in made.store.glob("files/md5/*/*.dir") if b"a.txt" in p.read_bytes()]
    path.chmod(0o644)
    return path


def test_a_corrupt_list_of_a_folder(cats):
    path = folder_object(cats)
    path.write_bytes(path.read_bytes().replace(b"a.txt", b"x.txt"))
    assert "the list of `data/cats/processed` arrived corrupt" in refused(cats, 3)


def test_a_list_with_a_path_that_leaves_the_folder(cats):
    hostile = json.loads(folder_object(cats).read_bytes())
    hostile[0]["relpath"] = "../../../x"
    list_instead(cats, json.dumps(hostile).encode())
    assert "unsafe path 'processed/../../../x'" in refused(cats, 1)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "its list of files is no JSON ("),
        ("7", "its list of files has something else than paths and md5s"),
        ('{"relpath": 1}', "its list of files has something else than paths and md5s"),
        ('["a"]', "its list of files has something else than paths and md5s"),
        ('[{"relpath": "a", "md5": 7}]', "its list of files has something else than paths and md5s"),
        ('[{"relpath": "a", "md5": "7"}]', "its list of files has something else than paths and md5s"),
    ],
)  # fmt: skip
def test_a_list_in_another_shape(cats, text, words):
    list_instead(cats, text.encode())
    assert words in refused(cats, 1)


def list_instead(cats, text: bytes) -> None:
    """The folder at the tag has another list of files, which has the checksum that it should have."""
    path = folder_object(cats)
    md5 = hashlib.md5(text).hexdigest()
    (cats.store / "files" / "md5" / md5[:2]).mkdir(exist_ok=True)
    (cats.store / "files" / "md5" / md5[:2] / f"{md5[2:]}.dir").write_bytes(text)
    lock = cats.path / "pipelines" / "cats" / "dvc.lock"
    old = "".join(path.parts[-2:])
    lock.write_text(lock.read_text().replace(old, f"{md5}.dir"))
    cats.git("tag", "-d", "cats-v1.0.0")
    cats.git("push", "-q", "origin", ":cats-v1.0.0")
    cats.tag("cats-v1.0.0", None)


def test_a_missing_object(cats):
    cats.object_path(b"a" * 100).unlink()
    assert "lacks the object `files/md5/" in refused(cats, 3)


@pytest.mark.parametrize(
    ("old", "new", "code", "words"),
    [
        ("hash: md5", "hash: etag", 1, "is kept by something else than md5"),
        ("schema: '2.0'", "stages: {a: {outs: 7}}\n#", 1, "cannot be read"),
        ("schema: '2.0'", "schema: [", 2, "is not YAML"),
    ],
)
def test_a_lock_in_another_shape(cats, old, new, code, words):
    lock = cats.path / "pipelines" / "cats" / "dvc.lock"
    text = lock.read_text().replace(old, new)
    lock.write_text(text.partition("#")[0] if "#" in new else text)
    cats.tag("cats-v1.1.0", None)
    assert words in refused(cats, code)


def test_a_tag_at_which_dvc_tracks_nothing(cats):
    cats.git("rm", "-q", "-r", "pipelines/cats", "data/cats/extra.bin.dvc", "data/cats/raw.dvc")
    cats.tag("cats-v1.1.0", None)
    assert "DVC tracks nothing of `cats` in " in refused(cats, 1)


def test_another_tag_of_the_locked_commit_is_another_version(cats):
    """Made by hand: two versions of the same bytes."""
    cats.git("tag", "-a", "-m", "the same", "cats-v1.0.1", "cats-v1.0.0^{commit}")
    cats.git("push", "-q", "origin", "cats-v1.0.1")
    assert cats.fetch("cats@1.0.0")["version"] == "1.0.0"
    assert cats.fetch("cats@1.0.1")["version"] == "1.0.1"
    (pin,) = tomllib.loads((cats.train / "dreg.lock").read_text())["dataset"]
    assert (pin["request"], pin["version"], pin["tag"]) == ("1.0.1", "1.0.1", "cats-v1.0.1")
    (cats.train / "dreg.toml").write_text('[datasets]\ncats = "1.0.1"\n')
    assert cats.dreg("fetch", "--locked").code == 0


def test_a_branch_that_is_gone_is_told(cats):
    cats.git("push", "-q", "origin", "cats-v1.0.0^{commit}:refs/heads/dev")
    cats.fetch("cats@dev")
    cats.git("push", "-q", "origin", ":refs/heads/dev")
    (one,) = json.loads(cats.dreg("outdated", "--json").stdout)["datasets"]
    assert one["gone"] is True
