"""How much a release asks of the remote, and that what it doesn't ask is there all the same."""

from __future__ import annotations

import json
import re

import pytest

from dreg.adapters.objects import open_store
from dreg.core.packed import LISTS, PACKS
from dreg.core.remotes import OBJECTS, Remote
from tests import forked
from tests.counting_proxy import recording
from tests.many_files import FILES, MANY
from tests.small_registry import NAME

MANIFESTS = "/dreg/manifests/"
LISTING = re.compile(r"/[^/]+\?.*list-type=2")


@pytest.fixture
def asked(s3):
    """What goes to the S3 server through the proxy, which `through` names."""
    with recording(s3.port) as proxy:
        yield proxy


@pytest.fixture
def bucket(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return open_store(Remote("local", s3.url, endpoint=s3.endpoint))


def release(registry, proxy=None):
    through = {"AWS_ENDPOINT_URL": proxy.endpoint} if proxy else {}
    (released,) = registry.ok("release", MANY, "--json", **through).json["releases"]
    return released


def retitle(registry, title="Other"):
    registry.edit(f"pipelines/{MANY}/dataset.yaml", "^title: .*", f"title: {title}")
    registry.ok("run", MANY)


def kinds(proxy):
    """The requests as words: what is asked for, not how it is called."""
    found = []
    for method, path in proxy.asked:
        what = "object" if OBJECTS in path else "manifest" if MANIFESTS in path else "note"
        if PACKS in path:
            what = "list of packs" if LISTS in path else "pack"
        if LISTING.match(path):
            what = "listing of notes" if "dreg%2F" in path else "listing"
        found.append(f"{method} {what}")
    return found


def test_a_release_with_nothing_new_asks_for_a_handful(many_files, asked):
    assert release(many_files)["objects_pushed"] == FILES + 2
    retitle(many_files)
    released = release(many_files, asked)
    assert (released["version"], released["objects_pushed"]) == ("1.0.1", 0)
    assert kinds(asked) == [
        "HEAD manifest", "GET manifest",  # the last release's, on this remote
        "GET listing",  # and what it names is there still
        "PUT note", "GET listing of notes",  # no garbage collection deletes from here on
        "GET listing",
        "GET list of packs", "GET pack", "PUT list of packs",  # the last release's pack will do
        "PUT manifest", "HEAD manifest",
        "POST note",
    ]  # fmt: skip


def test_what_was_released_already_asks_nothing(many_released, asked):
    assert release(many_released, asked)["state"] == "unchanged"
    assert asked.asked == []


def test_a_first_release_lists_before_and_after_and_writes_children_first(many_files, asked):
    release(many_files, asked)
    said = kinds(asked)
    assert said == [
        "GET listing",
        "PUT note", "GET listing of notes",
        *["PUT object"] * (FILES + 2),
        "GET listing",
        "HEAD pack", "PUT pack", "PUT list of packs",
        "PUT manifest", "HEAD manifest",
        "POST note",
    ]  # fmt: skip
    objects = [path for method, path in asked.asked if method == "PUT" and OBJECTS in path]
    assert [path.endswith(".dir") for path in objects] == [False] * (FILES + 1) + [True]


def test_one_more_file_costs_three_objects(many_released, asked):
    many_released.edit(f"pipelines/{MANY}/params.yaml", f"files: {FILES}", f"files: {FILES + 1}")
    many_released.ok("run", MANY)
    assert release(many_released, asked)["objects_pushed"] == 3  # it, the folder, the sample index
    said = kinds(asked)
    assert (said.count("PUT object"), said.count("GET listing"), len(said)) == (3, 2, 15)


def test_an_object_that_went_since_the_last_release_is_pushed_again(many_released, bucket):
    """`dvc gc --cloud`, a lifecycle rule, a person: the last manifest is there, and is no proof."""
    (page,) = bucket.listed(OBJECTS)
    gone, size = next((key, one.size) for key, one in page if not key.endswith(".dir"))
    bucket.delete(gone)
    retitle(many_released)
    assert release(many_released)["objects_pushed"] == 1
    assert bucket.size(gone) == size


def test_after_dvc_gc_everything_is_pushed_again(many_files, bucket):
    """DVC leaves the manifests, which are not its own."""
    release(many_files)
    many_files.git("clone", "-q", "registry.git", "other", folder=many_files.home)
    other = many_files.home / "other"
    many_files.git("rm", "-q", "-r", f"pipelines/{MANY}", folder=other)
    dvc(many_files, other, "gc", "--workspace", "--cloud", "--force")
    assert list(bucket.listed(OBJECTS)) == []
    retitle(many_files)
    assert release(many_files)["objects_pushed"] == FILES + 2


def test_another_remote_has_no_manifest_that_vouches(many_released, s3):
    retitle(many_released)
    elsewhere = f"{s3.url}/elsewhere"
    config = many_released.path / ".dvc" / "config.local"
    config.write_text(
        f"['remote \"two\"']\n    url = {elsewhere}\n    endpointurl = {s3.endpoint}\n"
    )
    done = many_released.ok("release", MANY, "--json", DREG_REMOTE="two")
    assert done.json["releases"][0]["objects_pushed"] == FILES + 2


def test_what_the_last_release_has_is_not_needed_here(many_released, bucket):
    """A CI job that measured one more file need not bring the others."""
    cache = many_released.path / ".dvc" / "cache" / "files" / "md5"
    for path in cache.glob("*/*"):
        if path.suffix != ".dir":
            path.unlink()
    for path in (many_released.path / "data" / MANY / "processed").rglob("*.txt"):
        path.unlink()
    title = "^title: .*"
    many_released.edit(f"pipelines/{MANY}/dataset.yaml", title, "title: Other")
    many_released.ok("run", MANY)
    assert release(many_released)["objects_pushed"] == 0


# `dreg run --push`


def test_a_second_push_of_the_same_asks_for_a_few(many_files, asked):
    through = {"AWS_ENDPOINT_URL": asked.endpoint}
    many_files.ok("run", MANY, "--push", **through)
    note = "HEAD note"  # is anything marked to be deleted?
    assert kinds(asked) == [note, "GET listing", *["PUT object"] * (FILES + 2)]
    asked.asked.clear()
    many_files.ok("run", MANY, "--push", **through)
    assert set(asked.methods) == {"HEAD"}
    assert len(asked.asked) <= 11


def test_a_push_brings_back_what_a_remote_lost(many_files, bucket):
    many_files.ok("run", MANY, "--push")
    (page,) = bucket.listed(OBJECTS)
    for key, _ in page:
        bucket.delete(key)
    many_files.ok("run", MANY, "--push")
    assert [len(page) for page in bucket.listed(OBJECTS)] == [FILES + 2]


def test_a_damaged_cache_is_not_pushed(many_files, bucket):
    cache = many_files.path / ".dvc" / "cache" / "files" / "md5"
    damaged = next(path for path in cache.glob("*/*") if path.suffix != ".dir")
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"X")
    damaged.chmod(0o444)  # as DVC leaves what it has checked
    done = many_files.dreg("run", MANY, "--push")
    assert done.code == 3
    assert "is damaged: it has md5" in done.stderr
    keys = [key for page in bucket.listed(OBJECTS) for key, _ in page]
    assert f"{OBJECTS}{damaged.parent.name}/{damaged.name}" not in keys
    assert not any(key.endswith(".dir") for key in keys)


@pytest.mark.parametrize("how", ["release", "run --push"])
@pytest.mark.parametrize("kind", ["bucket", "folder"])
def test_plain_dvc_pulls_and_gets_what_was_pushed(many_files, tmp_path, how, kind):
    if kind == "folder":
        many_files.ok("remote", "use", "disk")
        many_files.commit_all()
    if how == "release":
        release(many_files)
    else:
        many_files.ok("run", MANY, "--push")
        many_files.git("push", "-q", "origin", "main")
    many_files.git("clone", "-q", "registry.git", "clone", folder=many_files.home)
    clone = many_files.home / "clone"
    dvc(many_files, clone, "pull")
    made = many_files.path / "data" / MANY / "processed" / "000"
    pulled = clone / "data" / MANY / "processed" / "000"
    assert {p.name: p.read_bytes() for p in pulled.iterdir()} == {
        p.name: p.read_bytes() for p in made.iterdir()
    }
    dvc(many_files, tmp_path, "get", str(clone), f"data/{MANY}/processed", "-o", "got")
    assert len(list((tmp_path / "got").rglob("*.txt"))) == FILES


def dvc(registry, folder, *arguments):
    done = forked.dvc(*arguments, "--quiet", cwd=folder, env=registry.environment)
    assert done.code == 0, done.stderr


def test_a_release_asks_the_git_remote_thrice_and_starts_git_some_forty_times(
    released_once, tmp_path
):
    released_once.drop_column("leaf_mm")
    released_once.ok("run", NAME)
    trace = tmp_path / "trace"
    released_once.ok("release", NAME, GIT_TRACE2_EVENT=str(trace))
    events = [json.loads(line) for line in trace.read_text().splitlines()]
    started = [one["argv"] for one in events if one["event"] == "start" and "/" not in one["sid"]]
    assert [asked[1] for asked in started if asked[1] in ("fetch", "ls-remote", "push")] == [
        "ls-remote", "ls-remote", "push",  # the branch's tip, which is here; the tags; branch and tag
    ]  # fmt: skip
    assert len(started) < 50


def test_a_tip_that_is_not_here_is_fetched(released_once, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    released_once.git("clone", "-q", "registry.git", str(elsewhere), folder=released_once.home)
    (elsewhere / "NEWS.md").write_text("new\n")
    for arguments in (["add", "--all"], ["commit", "-q", "-m", "news"], ["push", "-q"]):
        released_once.git(*arguments, folder=elsewhere)
    released_once.drop_column("leaf_mm")
    released_once.ok("run", NAME)
    released_once.ok("release", NAME)
    assert released_once.git("show", "HEAD~1:NEWS.md") == "new"
