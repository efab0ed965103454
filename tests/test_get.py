"""Any path of any DVC repository: what `dvc get` brings, of DVC 3 and of DVC 2."""

from __future__ import annotations

import hashlib
import json

import pytest

from tests import forked
from tests.hand_made import HandMade, tree

TEXT = b"one\r\ntwo\r\n"


@pytest.fixture(scope="module")
def made_plain(tmp_path_factory) -> HandMade:
    """A repository with a folder and a file of DVC's, and a file of git's, at the tag v1; pushed."""
    home = tmp_path_factory.mktemp("plain")
    made = HandMade(home, {"DREG_CACHE": str(home / "cache")})
    (made.path / "models" / "bert" / "deep").mkdir(parents=True)
    (made.path / "models" / "bert" / "weights.bin").write_bytes(b"w" * 1000)
    (made.path / "models" / "bert" / "deep" / "vocab.txt").write_bytes(TEXT)
    (made.path / "models" / "one.bin").write_bytes(b"one")
    (made.path / "notes.md").write_text("of git's\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_SITE_CACHE_DIR", str(home / "site"))
        for command in (("add", "models/bert", "models/one.bin"), ("push",)):
            done = forked.dvc(*command, "-q", cwd=made.path)
            assert done.code == 0, done.stderr
    made.tag("v1", None)
    return made


@pytest.fixture
def plain(made_plain: HandMade, tmp_path, monkeypatch) -> HandMade:
    """A copy of the test's own."""
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    return made_plain.copy(tmp_path)


def get(made: HandMade, path: str, *options: str) -> dict:
    done = made.dreg("fetch", "--repo", str(made.bare), "--path", path, *options, "--json")
    assert done.code == 0, done.stderr
    return done.json


@pytest.mark.parametrize("path", ["models/bert", "models/bert/deep", "models/one.bin", "notes.md"])
def test_it_brings_what_dvc_get_brings(plain, path):
    got = get(plain, path, "--rev", "v1", "-o", "ours")
    command = ("get", "-q", str(plain.path), path, "--rev", "v1", "-o", "theirs")
    done = forked.dvc(*command, cwd=plain.train)
    assert done.code == 0, done.stderr
    ours, theirs = plain.train / "ours", plain.train / "theirs"
    if theirs.is_dir():
        assert tree(ours) == tree(theirs)
    else:
        assert ours.read_bytes() == theirs.read_bytes()
    assert got["protection"] == ("git" if path == "notes.md" else "md5")
    assert get(plain, path, "--rev", "v1", "-o", "ours")["changed"] is False


@pytest.mark.parametrize("what", [["--path", "notes.md"], ["bert"]])
def test_a_revision_that_is_not_there_is_told_without_ranges(plain, what):
    done = plain.dreg("fetch", *what, "--repo", str(plain.bare), "--rev", "nope")
    assert (done.code, done.stderr) == (
        2,
        f"error: `{plain.bare}` has no tag, branch or commit `nope`\n\n"
        f"hint: see what there is: git ls-remote {plain.bare}\n",
    )


@pytest.mark.parametrize("path", ["../../etc", "a/../../b", "models/../.."])
def test_a_path_out_of_the_repository_is_a_bad_request(plain, path):
    done = plain.dreg("fetch", "--repo", str(plain.bare), "--path", path, "--rev", "v1")
    assert (done.code, done.stdout) == (2, "")
    assert f"error: --path '{path}' leads out of the repository\n" in done.stderr
    assert "owner" not in done.stderr


def test_without_a_revision_it_is_the_default_branch(plain):
    assert get(plain, "models/one.bin")["output"] == "one.bin"
    assert (plain.train / "one.bin").read_bytes() == b"one"


@pytest.mark.parametrize("branches", [["main"], ["main", "other"], ["trunk"]])
def test_a_head_that_leads_nowhere_is_done_without(plain, branches):
    plain.git("symbolic-ref", "HEAD", "refs/heads/gone", cwd=plain.bare)
    for branch in branches:
        plain.git("push", "-q", "origin", f"main:refs/heads/{branch}")
    if "main" not in branches:
        plain.git("push", "-q", "--delete", "origin", "main")
    get(plain, "models/one.bin", "-o", "one")
    assert (plain.train / "one").read_bytes() == b"one"
    (plain.train / "dreg.lock").unlink(missing_ok=True)
    doctor = plain.dreg("doctor", "--repo", str(plain.bare))
    assert "has no tag, branch or commit `HEAD`" not in doctor.stdout + doctor.stderr


def test_a_head_that_leads_nowhere_among_many_branches_is_said(plain):
    plain.git("symbolic-ref", "HEAD", "refs/heads/gone", cwd=plain.bare)
    plain.git("push", "-q", "origin", "main:refs/heads/a", "main:refs/heads/b")
    plain.git("push", "-q", "--delete", "origin", "main")
    done = plain.dreg("fetch", "--repo", str(plain.bare), "--path", "models/one.bin")
    assert (done.code, "has no tag, branch or commit `HEAD`" in done.stderr) == (2, True)


@pytest.mark.parametrize(("path", "output"), [("models/one.bin", ".git/x"), ("models/one.bin", "dreg.lock"), ("models/bert", "dreg.toml"), ("models/bert", ".")])  # fmt: skip
def test_it_is_never_brought_where_something_else_belongs(plain, path, output):
    command = ("fetch", "--repo", str(plain.bare), "--path", path, "-o", output, "--force")
    done = plain.dreg(*command)
    assert (done.code, tree(plain.train)) == (2, {}), done.stderr
    assert "hint: name a folder" in done.stderr


def test_what_is_in_the_way_is_kept(plain):
    (plain.train / "one.bin").write_text("mine")
    done = plain.dreg("fetch", "--repo", str(plain.bare), "--path", "models/one.bin")
    assert (done.code, (plain.train / "one.bin").read_text()) == (1, "mine")
    backup = get(plain, "models/one.bin", "--force")["backup"]
    assert (plain.train / backup).read_text() == "mine"


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        ("models/brt", [], "has nothing at `models/brt`"),
        ("models/bert", ["--rev", "v9"], "has no tag, branch or commit `v9`"),
    ],
)
def test_what_is_not_there(plain, path, options, said):
    done = plain.dreg("fetch", "--repo", str(plain.bare), "--path", path, *options)
    assert done.code in (1, 2) and said in done.stderr
    assert tree(plain.train) == {}


# DVC 2: objects at the remote's root, md5 of a text with Unix line ends


@pytest.fixture
def old(hand_made: HandMade) -> HandMade:
    """A release by hand as DVC 2 left it: a folder with a Windows text, and a file."""
    data = hand_made.path / "data" / "cats"
    data.mkdir(parents=True)

    def kept(content: bytes, ending: str = "") -> str:
        md5 = hashlib.md5(content.replace(b"\r\n", b"\n")).hexdigest() + ending
        path = hand_made.store / md5[:2] / md5[2:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return md5

    listed = [{"md5": kept(TEXT), "relpath": "a.txt"}, {"md5": kept(b"b"), "relpath": "x/b.txt"}]
    folder = kept(json.dumps(listed).encode(), ".dir")
    (data / "processed.dvc").write_text(f"outs:\n- md5: {folder}\n  path: processed\n  size: 11\n")
    (data / "labels.dvc").write_text(f"outs:\n- md5: {kept(b'cat')}\n  path: labels\n  size: 3\n")
    (data / "metadata.json").write_text("{}")
    hand_made.tag("cats-v1.0.0", None)
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


OLD = {"labels": b"cat", "processed/a.txt": TEXT, "processed/x/b.txt": b"b"}


def test_a_release_of_dvc_2(old):
    assert old.fetch("cats")["protection"] == "md5"
    assert tree(old.train / "data" / "cats") == {**OLD, "metadata.json": b"{}"}


def test_a_path_of_dvc_2(old):
    get(old, "data/cats/processed", "-o", "out")
    assert tree(old.train / "out") == {"a.txt": TEXT, "x/b.txt": b"b"}


def test_a_text_of_dvc_2_that_is_another(old):
    md5 = hashlib.md5(TEXT.replace(b"\r\n", b"\n")).hexdigest()
    (old.store / md5[:2] / md5[2:]).write_bytes(b"one\r\ntwa\r\n")
    done = old.dreg("fetch", "cats")
    assert (done.code, f"expected md5 {md5}" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["wine@1", "--rev", "v1", "--path", "x"], "hint: leave one of them out"),
        (["--rev", "v1"], "hint: name it: dreg fetch NAME --rev V, or --path DIR --rev V"),
    ],
)
def test_a_revision_is_of_something(hand_made, options, said):
    done = hand_made.dreg("fetch", *options)
    assert (done.code, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ("--require-signed",),
        ("--allowed-signers", "/nonexistent"),
        ("--split", "train"),
        ("--columns", "a"),
        ("--metadata-only",),
        ("--raw",),
        ("--rev", ""),
        ("--rev=--upload-pack=touch x",),
    ],
)
def test_what_a_path_does_not_have_is_refused(plain, options):
    revision = () if "--rev" in options[0] else ("--rev", "v1")
    done = plain.dreg("fetch", "--repo", str(plain.bare), "--path", "notes.md", *revision, *options)
    assert (done.code, "\n\nhint: " in done.stderr) == (2, True), done.stderr
    assert tree(plain.train) == {}


def test_a_path_is_not_brought_over_a_locked_dataset(plain):
    plain.release("1.0.0")
    plain.fetch("wine@1.0.0", "--repo", str(plain.bare), "-o", "data/wine")
    before = tree(plain.train)
    for place in ("data/wine", "data/wine/deep", "data"):
        done = plain.dreg(
            "fetch", "--repo", str(plain.bare), "--path", "models/bert", "--rev", "v1", "-o", place
        )
        assert (done.code, "where `wine` is, would replace each other" in done.stderr) == (2, True)
    assert tree(plain.train) == before
