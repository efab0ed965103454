"""What nobody needs goes, late and in two steps; what is released, or could be, never does."""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dreg.adapters.git.locks import Locks
from dreg.adapters.living import machine
from dreg.adapters.objects import Store, open_store
from dreg.core.garbage import (
    ANNOUNCED,
    HOUR,
    MANIFEST,
    MANIFESTS,
    QUARANTINE,
    SWEEPS,
    Quarantine,
    in_order,
    md5s_in,
    parse_age,
    sort,
)
from dreg.core.manifest import manifest_key
from dreg.core.packed import list_key
from dreg.core.remotes import Remote, object_key
from dreg.errors import BadRequest, DregError, Outside, Refused
from dreg.gc import collecting
from dreg.gc.collecting import Collected, gc
from dreg.push import announcing
from dreg.push.announcing import Sweep, announced, sweeping, wait_for_sweeps
from dreg.registry import Registry
from tests.hand_made import METADATA, WINE, HandMade, file_of, tree
from tests.small_registry import NAME

GARBAGE = b"nobody needs this"
NOW = 1_770_000_000
DAY = 24 * HOUR


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    """A registry with one release, and one object on its remote that nobody needs."""
    hand_made.release("1.0.0")
    put(hand_made, GARBAGE)
    return hand_made


def put(made: HandMade, data: bytes) -> str:
    """The md5 of an object that is on the remote now."""
    assert made.remote is not None
    md5 = file_of("x", data).md5
    open_store(made.remote).put_bytes(object_key(md5), data)
    return md5


WAITING = "a garbage collection is deleting on"


def collect(made: HandMade, **options: object) -> Collected:
    return gc(Registry(made.path), **options)  # type: ignore[arg-type]


def age(made: HandMade, by: int = 20 * DAY) -> None:
    """As if all of it had been written and marked so long ago."""
    place = made.store / QUARANTINE
    if place.exists():
        marks = Quarantine.parse(place.read_bytes()).marks
        place.write_bytes(Quarantine({key: at - by for key, at in marks.items()}).to_bytes())
    for path in made.store.rglob("*"):
        if path.is_file():
            old = path.stat().st_mtime - by
            os.utime(path, (old, old))


def collected_for_good(made: HandMade, **options: object) -> Collected:
    """What goes, when it is collected, and again after the time."""
    collect(made, **options)
    age(made)
    return collect(made, **options)


def is_there(made: HandMade, data: bytes) -> bool:
    return made.object_path(data).is_file()


# In two steps, with time between them


def test_first_marked_and_weeks_later_deleted(wine):
    first = collect(wine)
    assert (first.marked.objects, first.deleted.objects) == (1, 0)
    assert is_there(wine, GARBAGE)
    again = collect(wine)
    assert (again.marked.objects, again.waiting.objects, again.deleted.objects) == (0, 1, 0)
    age(wine)
    last = collect(wine)
    assert last.deleted_keys == (object_key(file_of("x", GARBAGE).md5),)
    assert not is_there(wine, GARBAGE)
    assert Quarantine.parse((wine.store / QUARANTINE).read_bytes()) == Quarantine()
    assert wine.fetch("wine", DREG_REPO=str(wine.bare))["version"] == "1.0.0"


def test_a_dry_run_changes_nothing(wine):
    for _ in range(2):
        before = tree(wine.home)
        collect(wine, dry_run=True)
        assert tree(wine.home) == before
        collect(wine)
        age(wine)


def test_never_in_the_run_that_marks(wine):
    assert collect(wine, older_than=0).deleted.objects == 0
    assert is_there(wine, GARBAGE)


def test_what_is_needed_again_is_marked_no_more(wine):
    collect(wine)
    age(wine)
    wine.release("1.1.0", {**WINE, "processed/more.csv": GARBAGE})
    assert collect(wine).rescued == 1
    assert is_there(wine, GARBAGE)


def test_what_was_written_again_starts_anew(wine):
    collect(wine)
    age(wine)
    put(wine, GARBAGE)
    assert collect(wine).waiting.objects == 1
    assert is_there(wine, GARBAGE)


def test_only_dvc_s_objects_are_looked_at(wine):
    for path in ("notes.txt", "runs/ab/cd", "other/files/md5/ab/cd", "ab/cdef"):
        (wine.store / path).parent.mkdir(parents=True, exist_ok=True)
        (wine.store / path).write_text("mine")
    assert collected_for_good(wine).deleted.objects == 1
    assert (wine.store / "ab/cdef").is_file() and (wine.store / "runs/ab/cd").is_file()


def test_on_the_command_line(wine):
    done = wine.dreg("gc", "--json", cwd=wine.path)
    assert done.code == 0 and done.json["marked"] == {"objects": 1, "size": len(GARBAGE)}
    done = wine.dreg("gc", "--older-than", "36h", cwd=wine.path)
    assert "waiting   1 object," in done.stdout and "less than 1.5 days" in done.stdout
    assert "less than 1 day\n" in wine.dreg("gc", "--older-than", "1d", cwd=wine.path).stdout
    done = wine.dreg("gc", "--older-than", "0", "--dry-run", cwd=wine.path)
    assert "0 days" not in done.stdout and "waiting" not in done.stdout
    assert "marked now, to be deleted by the next `dreg gc`" in done.stdout
    assert wine.dreg("gc", "--older-than", "soon", cwd=wine.path).code == 2


def test_on_s3(ready, s3, monkeypatch):
    environment = {**s3.environment, "DREG_REMOTE": s3.url, "AWS_ENDPOINT_URL": s3.endpoint}
    ready.ok("release", NAME, **environment)
    file = ready.home / "garbage"
    file.write_bytes(GARBAGE)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    store = open_store(Remote("s3", s3.url, endpoint=s3.endpoint))
    key = object_key(file_of("x", GARBAGE).md5)
    store.put_file(key, file)
    first = ready.ok("gc", "--json", **environment).json
    assert first["unneeded"] == [key]
    last = ready.ok("gc", "--json", "--older-than", "0d", **environment).json
    assert last["deleted_keys"] == [key] and store.stat(key) is None
    assert ready.ok("fsck", "--remote", "--deep", "--json", **environment).json["problems"] == []
    assert list(store.every(SWEEPS)) == list(store.every(ANNOUNCED)) == []


# Who needs something


def lock_of(made: HandMade, data: bytes) -> str:
    return f"schema: '2.0'\nstages:\n  s:\n    outs:\n    - path: x\n      md5: {put(made, data)}\n"


def write_lock(made: HandMade, data: bytes, name: str = "wip") -> Path:
    path = made.path / "pipelines" / name / "dvc.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lock_of(made, data))
    return path


def a_branch_that_only_the_git_remote_has(made: HandMade, data: bytes) -> None:
    made.git("checkout", "-q", "-b", "theirs")
    write_lock(made, data)
    made.git("add", "--all")
    made.git("commit", "-q", "-m", "wip")
    made.git("push", "-q", "origin", "theirs")
    made.git("checkout", "-q", "main")
    made.git("branch", "-q", "-D", "theirs")
    made.git("update-ref", "-d", "refs/remotes/origin/theirs")


def a_branch_that_is_only_here(made: HandMade, data: bytes) -> None:
    made.git("checkout", "-q", "-b", "mine")
    write_lock(made, data)
    made.git("add", "--all")
    made.git("commit", "-q", "-m", "wip")
    made.git("checkout", "-q", "main")


def a_detached_head(made: HandMade, data: bytes) -> None:
    made.git("checkout", "-q", "--detach")
    write_lock(made, data)
    made.git("add", "--all")
    made.git("commit", "-q", "-m", "wip")


def an_uncommitted_lock(made: HandMade, data: bytes) -> None:
    write_lock(made, data)


def a_staged_lock_that_the_tree_lacks(made: HandMade, data: bytes) -> None:
    path = write_lock(made, data)
    made.git("add", str(path))
    path.unlink()


def a_stash(made: HandMade, data: bytes) -> None:
    write_lock(made, data)
    made.git("stash", "-q", "--include-untracked")
    (made.path / "data" / "wine" / "metadata.json").write_text("{}")
    made.git("stash", "-q")


def another_work_tree(made: HandMade, data: bytes) -> None:
    made.git("worktree", "add", "-q", "--detach", str(made.home / "beside"))
    (made.home / "beside" / "x.dvc").write_text(lock_of(made, data))


def a_lock_with_the_marks_of_a_conflict(made: HandMade, data: bytes) -> None:
    path = write_lock(made, data)
    path.write_text(f"<<<<<<< HEAD\n{path.read_text()}=======\n>>>>>>> theirs\n")


def a_tag_that_is_no_release(made: HandMade, data: bytes) -> None:
    a_detached_head(made, data)
    made.git("tag", "keep-this")
    made.git("push", "-q", "origin", "keep-this")
    made.git("checkout", "-q", "main")
    made.git("tag", "-d", "keep-this")


def an_experiment(made: HandMade, data: bytes) -> None:
    a_detached_head(made, data)
    made.git("push", "-q", "origin", "HEAD:refs/exps/ab/cdef/mine")
    made.git("checkout", "-q", "main")


def a_folder(made: HandMade, data: bytes) -> None:
    listed = json.dumps([{"md5": put(made, data), "relpath": "x.csv"}]).encode()
    md5 = file_of("x", listed).md5
    assert made.remote is not None
    open_store(made.remote).put_bytes(object_key(f"{md5}.dir"), listed)
    (made.path / "folder.dvc").write_text(f"outs:\n- md5: {md5}.dir\n  path: folder\n")


def a_release_that_is_yanked(made: HandMade, data: bytes) -> None:
    made.release("1.1.0", {"processed/x.csv": data})
    done = made.dreg("yank", "wine@1.1.0", "--reason", "wrong", cwd=made.path)
    assert done.code == 0, done.stderr


def a_prerelease(made: HandMade, data: bytes) -> None:
    made.release("2.0.0-rc.1", {"processed/x.csv": data})


def a_release_whose_tag_only_the_git_remote_has(made: HandMade, data: bytes) -> None:
    made.release("1.1.0", {"processed/x.csv": data})
    made.git("tag", "-d", "wine-v1.1.0")


def a_release_of_a_dataset_that_is_gone(made: HandMade, data: bytes) -> None:
    made.release("1.0.0", {"processed/x.csv": data}, name="beer")
    made.git("rm", "-q", "-r", "data/beer")
    made.git("commit", "-q", "-m", "no beer")
    made.git("push", "-q", "origin", "main")


def a_release_whose_tag_is_gone(made: HandMade, data: bytes) -> None:
    """Somebody's dreg.lock may have it; its manifest is there."""
    a_release_whose_tag_only_the_git_remote_has(made, data)
    made.git("push", "-q", "origin", ":refs/tags/wine-v1.1.0")


def raw_files(made: HandMade, data: bytes) -> None:
    made.release("1.1.0", {"raw/x.csv": data})


NEEDS = [
    a_branch_that_only_the_git_remote_has, a_branch_that_is_only_here, a_detached_head,
    an_uncommitted_lock, a_staged_lock_that_the_tree_lacks, a_stash, another_work_tree,
    a_lock_with_the_marks_of_a_conflict, a_tag_that_is_no_release, an_experiment, a_folder,
    a_release_that_is_yanked, a_prerelease, a_release_whose_tag_only_the_git_remote_has,
    a_release_of_a_dataset_that_is_gone, a_release_whose_tag_is_gone, raw_files,
]  # fmt: skip


@pytest.mark.parametrize("need", NEEDS, ids=lambda need: need.__name__)
def test_is_kept(wine, need: Callable[[HandMade, bytes], None]):
    data = b"somebody needs this"
    need(wine, data)
    before = wine.git("for-each-ref"), wine.git("status", "--porcelain")
    gone = collected_for_good(wine)
    assert is_there(wine, data)
    assert gone.deleted.objects == 1 and not is_there(wine, GARBAGE)
    assert (wine.git("for-each-ref"), wine.git("status", "--porcelain")) == before


def test_a_branch_that_was_deleted_needs_nothing(wine):
    data = b"not any more"
    a_branch_that_only_the_git_remote_has(wine, data)
    wine.git("push", "-q", "origin", ":theirs")
    collected_for_good(wine)
    assert not is_there(wine, data)


def test_a_lock_pins_what_no_tag_names(wine):
    """With --unreleased a manifest alone keeps nothing; a dreg.lock does."""
    wine.release("1.1.0", {"processed/x.csv": b"pinned"})
    wine.fetch("wine@1.1.0", DREG_REPO=str(wine.bare))
    wine.release("1.2.0", {"processed/x.csv": b"nobody's"})
    (wine.path / "dreg.lock").write_bytes((wine.train / "dreg.lock").read_bytes())
    for version in ("1.1.0", "1.2.0"):
        wine.git("push", "-q", "origin", f":refs/tags/wine-v{version}")
        wine.git("tag", "-d", f"wine-v{version}")
    gone = collected_for_good(wine, unreleased=True)
    assert is_there(wine, b"pinned") and not is_there(wine, b"nobody's")
    assert manifest_key(wine.made["wine-v1.2.0"].digest) in gone.deleted_keys
    assert manifest_key(wine.made["wine-v1.1.0"].digest) not in gone.deleted_keys


@pytest.mark.parametrize("seed", range(2))
def test_nothing_that_was_ever_released_goes(hand_made, seed):
    """Random turns of a registry's life, collected all the time, with no time to wait."""
    dice = random.Random(seed)
    made, version, released, garbage = hand_made, 0, [], []
    (made.path / "pipelines" / "README.md").write_text("git keeps no empty folder\n")
    made.release("0.1.0")
    for turn in range(16):
        what = dice.choice(["release", "branch", "drop", "garbage", "yank", "untag", "gc"])
        data = f"{seed} {turn}".encode()
        if what == "release":
            version += 1
            again = dice.sample(garbage, min(len(garbage), 2))
            files = {f"processed/{n}.csv": d for n, d in enumerate([data, *again])}
            made.release(f"1.{version}.0", files)
            released += files.values()
        elif what == "branch":
            a_branch_that_only_the_git_remote_has(made, data)
            garbage.append(data)
            made.git("push", "-q", "origin", ":theirs")
        elif what == "drop":
            write_lock(made, data)
            garbage.append(data)
            write_lock(made, data + b"!")
        elif what == "garbage":
            put(made, data)
            garbage.append(data)
        elif what == "untag" and version:
            name = f"wine-v1.{dice.randint(1, version)}.0"
            made.git("tag", "-d", name) if name in made.git("tag").split() else None
        elif what == "yank" and version:
            made.dreg(
                "yank", f"wine@1.{dice.randint(1, version)}.0", "--reason", "x", cwd=made.path
            )
        else:
            collect(made, older_than=0)
    age(made, by=2)  # ages are in whole seconds
    for _ in range(2):
        collect(made, older_than=0)
    assert all(is_there(made, data) for data in released)
    assert not [data for data in set(garbage) - set(released) if is_there(made, data)]
    done = made.dreg("fsck", "--deep", "--json", cwd=made.path)
    assert done.code == 0 and done.json["releases"] == version + 1, done.stdout


# When what is needed can't be known


def refused(made: HandMade, kind: type[DregError], **options: object) -> str:
    """Why nothing is collected; nothing changes but what was written down to look."""
    before = {k: v for k, v in tree(made.store).items() if not k.startswith("dreg/")}
    marks = (made.store / QUARANTINE).read_bytes()
    with pytest.raises(kind) as error:
        collect(made, older_than=0, **options)
    assert {k: v for k, v in tree(made.store).items() if not k.startswith("dreg/")} == before
    assert (made.store / QUARANTINE).read_bytes() == marks
    assert not list((made.store / SWEEPS).iterdir())
    return error.value.fact


def test_what_names_others_is_deleted_before_what_it_names():
    """A collection that is killed leaves no folder object that names what is gone."""
    keys = [object_key(md5) for md5 in ("0" * 32, "f" * 32 + ".dir", "1" * 32, "a" * 32 + ".dir")]
    assert in_order(keys) == [keys[3], keys[1], keys[0], keys[2]]


@pytest.fixture
def marked(wine) -> HandMade:
    """Everything unneeded would be deleted by the next run."""
    collect(wine)
    age(wine)
    return wine


def test_the_git_remote_is_gone(marked):
    marked.bare.rename(marked.home / "moved.git")
    refused(marked, DregError)


def test_a_manifest_is_missing(marked):
    (marked.store / manifest_key(marked.made["wine-v1.0.0"].digest)).unlink()
    assert "can't be known" in refused(marked, Outside)


def test_a_manifest_is_damaged(marked):
    (marked.store / manifest_key(marked.made["wine-v1.0.0"].digest)).write_text("{}")
    assert "can't be known" in refused(marked, DregError)


def test_a_folder_is_damaged(marked):
    a_folder(marked, b"x")
    (folder,) = marked.store.rglob("*.dir")
    folder.write_text("[]")
    assert "is damaged" in refused(marked, Refused)


def test_a_tag_says_nonsense(marked):
    marked.tag("wine-v3.0.0", "nonsense")
    assert "is not a sha256" in refused(marked, Refused)


def test_the_quarantine_is_damaged(marked):
    (marked.store / QUARANTINE).write_text('{"format": 1, "since": {"x": "yesterday"}}')
    assert "cannot be read" in refused(marked, Refused)


def test_a_release_is_announced_in_a_way_that_is_not_known(marked):
    (marked.store / ANNOUNCED).mkdir(parents=True, exist_ok=True)
    (marked.store / ANNOUNCED / "of-a-later-dreg.txt").write_text("?")
    assert "is no announcement that this dreg reads" in refused(marked, Refused)


def test_a_remote_that_another_registry_uses(marked, tmp_path):
    other = HandMade(tmp_path / "other", marked.environment, remote=marked.remote)
    other.release("1.0.0", {"processed/x.csv": b"theirs"}, name="beer")
    a_branch_that_only_the_git_remote_has(other, b"their branch's")
    assert "another registry keeps its bytes" in refused(marked, Refused)
    gone = collect(marked, older_than=0, also=[str(other.bare)])
    assert gone.deleted.objects == 1
    assert is_there(marked, b"theirs") and is_there(marked, b"their branch's")


def test_a_url_that_would_run_a_command(marked):
    assert "is not a repository URL" in refused(marked, BadRequest, also=["ext::sh -c true"])


# The clock


def test_a_clock_that_was_set_back(marked, monkeypatch):
    """Marks, and commits, of a time that has not come yet."""
    age(marked, -25 * DAY)
    assert "the clock says" in refused(marked, Refused)


@pytest.mark.parametrize(
    ("since", "now", "state"),
    [
        (NOW, NOW, "waiting"), (NOW, NOW + 13 * DAY, "waiting"), (NOW, NOW + 14 * DAY, "due"),
        (NOW, NOW - 400 * DAY, "waiting"), (None, NOW, "fresh"), (None, NOW - 400 * DAY, "fresh"),
    ],
)  # fmt: skip
def test_when_something_is_due(since, now, state):
    quarantine = Quarantine({"k": since} if since else {})
    found = sort({"k": 1}, set(), quarantine, written={}, now=now, older_than=14 * DAY)
    assert [s for s in ("fresh", "waiting", "due") if getattr(found, s)] == [state]
    kept = sort({"k": 1}, {"k"}, quarantine, written={}, now=now, older_than=14 * DAY)
    assert kept.needed == {"k": 1} and not kept.due


@pytest.mark.parametrize(("text", "hours"), [("14d", 336), ("14", 336), ("36h", 36), ("0d", 0)])
def test_ages(text, hours):
    assert parse_age(text) == hours * HOUR


def test_every_md5_in_a_lock_counts_however_it_is_written():
    md5, other = "0" * 32, "ab" * 16
    text = f"md5: {md5}\n- {{md5: '{other}.dir', x: {'f' * 64}}}\n# {'1' * 31}".encode()
    assert set(md5s_in(text)) == {md5, f"{other}.dir"}


# A release at the same moment


@pytest.fixture
def store(wine) -> Store:
    assert wine.remote is not None
    return open_store(wine.remote)


def test_what_an_announced_release_needs_is_kept(wine, store):
    """It found its object there already, and has no manifest and no tag yet."""
    collect(wine)
    age(wine)
    listed = [file_of("metadata.json", METADATA, in_git=True), file_of("x.csv", GARBAGE)]
    manifest = _manifest(listed)
    with announced(store, manifest):
        assert collect(wine, older_than=0).deleted.objects == 0
        assert is_there(wine, GARBAGE)
    assert not list(store.every(ANNOUNCED))


def test_one_announced_after_the_first_look_is_seen_by_the_second(wine, store, monkeypatch):
    collect(wine)
    age(wine)

    @contextmanager
    def announced_first(place: Store) -> Iterator[Sweep]:
        with announced(store, _manifest([file_of("x.csv", GARBAGE)])), sweeping(place) as sweep:
            yield sweep

    monkeypatch.setattr(collecting, "sweeping", announced_first)
    assert collect(wine, older_than=0).deleted.objects == 0
    assert is_there(wine, GARBAGE)


def test_a_release_waits_while_something_is_deleted(wine, store, capsys):
    order = []

    def release() -> None:
        with announced(store, _manifest([file_of("x.csv", GARBAGE)])):
            order.append("released")

    with sweeping(store):
        waits = threading.Thread(target=release)
        waits.start()
        while WAITING not in capsys.readouterr().err and waits.is_alive():
            time.sleep(0.01)
        order.append("deleted")
    waits.join()
    assert order == ["deleted", "released"]


def test_nobody_waits_for_a_collection_that_was_killed(wine, store, capsys):
    dead = json.dumps({"machine": machine(), "pid": 2**22, "start": "1"})
    store.put_bytes(f"{SWEEPS}dead.json", dead.encode())
    wait_for_sweeps(store, patience=1)
    assert WAITING not in capsys.readouterr().err
    collect(wine)
    assert not list(store.every(SWEEPS)), "and the next one removes it"


def test_one_on_another_machine_is_waited_for_but_not_for_ever(wine, store, capsys):
    # In a container of its own, say, which may have the same host name and other process numbers.
    far = {"host": socket.gethostname(), "machine": "elsewhere", "pid": 2**22, "start": "1"}
    store.put_bytes(f"{SWEEPS}far.json", json.dumps(far).encode())
    started = time.monotonic()
    wait_for_sweeps(store, patience=1)
    assert time.monotonic() - started >= 1
    assert capsys.readouterr().err.count(WAITING) == 1


@pytest.mark.skipif(
    subprocess.run(["unshare", "--pid", "--fork", "true"], check=False, capture_output=True).returncode != 0,
    reason="process numbers of its own need the right to unshare(1)",
)  # fmt: skip
def test_process_numbers_of_another_container_are_not_looked_up_here():
    said = "from dreg.adapters.living import machine; print(machine())"
    own = ["unshare", "--pid", "--fork", sys.executable, "-c", said]
    there = subprocess.run(own, check=True, capture_output=True, text=True).stdout.strip()
    assert len(there) == len(machine()) == 16
    assert there != machine()


def test_two_collections_in_one_clone_do_not_take_each_other_s_references(wine):
    mine, other = (Locks(wine.path, lambda path: path.endswith("dvc.lock")) for _ in range(2))
    for one in (mine, other):
        one.fetch([str(wine.bare)])
    seen = [tag.name for tag in mine.tags()], mine.tips()
    other.forget()
    assert ([tag.name for tag in mine.tags()], mine.tips()) == seen
    mine.forget()
    assert wine.git("for-each-ref", "refs/dreg/gc/") == ""


def test_references_of_a_collection_that_was_killed_go_with_the_next_one(wine):
    head = wine.git("rev-parse", "HEAD")
    left = f"refs/dreg/gc/{machine()}-{2**22}-1-{int(time.time())}-00/0/heads/x"
    at_work = f"refs/dreg/gc/elsewhere-1-1-{int(time.time())}-00/0/heads/x"
    for reference in (left, at_work):
        wine.git("update-ref", reference, head)
    collect(wine, dry_run=True)
    assert wine.git("for-each-ref", "--format=%(refname)", "refs/dreg/gc/").split() == [at_work]


def test_locks_that_a_killed_collection_left_stop_no_other(wine):
    head = wine.git("rev-parse", "HEAD")
    gone = f"refs/dreg/gc/{machine()}-{2**22}-1-{int(time.time())}-00/0"
    wine.git("update-ref", f"{gone}/heads/x", head)
    git_folder = wine.path / ".git"
    (git_folder / gone / "heads" / "x.lock").touch()
    killed = git_folder / "dreg-scratch-0123456789abcdef"  # which no process holds
    killed.mkdir()
    packed = git_folder / "packed-refs.lock"
    packed.touch()
    (killed / "reference-locks").write_text(str(packed))
    collect(wine, dry_run=True)
    assert wine.git("for-each-ref", "refs/dreg/gc/") == ""
    assert not packed.exists()


def test_a_killed_release_keeps_its_bytes_only_for_a_while(wine, store):
    listed = [file_of("x.csv", GARBAGE)]
    with pytest.raises(KeyboardInterrupt), announced(store, _manifest(listed)):
        store._place.delete = lambda key: None  # type: ignore[method-assign]  # killed: nothing is tidied
        raise KeyboardInterrupt
    for _ in range(2):
        assert collect(wine, older_than=0).marked.objects == 0, "it may be a slow one, and alive"
    age(wine)
    assert collect(wine).marked.objects == 1  # the announcement
    age(wine)
    assert collect(wine).deleted.objects == 1
    assert is_there(wine, GARBAGE)
    collect(wine)
    age(wine)
    collect(wine)
    assert not is_there(wine, GARBAGE)


def _manifest(listed):
    from semver import Version

    from dreg.core.manifest import Manifest
    from dreg.core.snapshot import Snapshot

    return Manifest("wine", Version.parse("3.0.0"), Snapshot.of(listed))


def test_a_list_of_packs_that_cannot_be_read_stops_nothing(wine, store, capsys):
    (manifest,) = (m[1] + m[2] for e in store.every(MANIFESTS) if (m := MANIFEST.fullmatch(e.key)))
    store.put_bytes(list_key(manifest), b"x" * 10_000_000)
    assert collect(wine).marked.objects == 1
    assert "so all packs are kept" in capsys.readouterr().err


def test_what_is_pushed_while_it_is_about_to_be_deleted_stays(wine, monkeypatch):
    collect(wine)
    age(wine)

    @contextmanager
    def pushed_first(place: Store) -> Iterator[Sweep]:
        put(wine, GARBAGE)
        with sweeping(place) as sweep:
            yield sweep

    monkeypatch.setattr(collecting, "sweeping", pushed_first)
    assert collect(wine).deleted.objects == 0
    assert is_there(wine, GARBAGE)


def test_a_push_writes_anew_what_is_marked(ready):
    ready.ok("run", NAME, "--push")
    objects = [path for path in (ready.store / "files").rglob("*") if path.is_file()]
    for path in objects:
        os.utime(path, (NOW, NOW))
    ready.ok("run", NAME, "--push")
    assert {path.stat().st_mtime for path in objects} == {NOW}, "as it was there"
    marks = {path.relative_to(ready.store).as_posix(): NOW for path in objects}
    (ready.store / QUARANTINE).parent.mkdir(exist_ok=True)
    (ready.store / QUARANTINE).write_bytes(Quarantine(marks).to_bytes())
    ready.ok("run", NAME, "--push")
    assert min(path.stat().st_mtime for path in objects) > NOW


def test_who_deletes_for_longer_than_others_wait_deletes_nothing_more(wine, monkeypatch):
    collect(wine)
    age(wine)
    monkeypatch.setattr(announcing, "DELETING", -1.0)
    with pytest.raises(Outside, match="and releases wait for it"):
        collect(wine)
    assert is_there(wine, GARBAGE)
