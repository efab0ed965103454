"""Fetching what is damaged, hostile, moved, unknown or out of reach: said plainly, nothing changed."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time

import pytest

from dreg.core.manifest import manifest_key
from dreg.core.snapshot import File
from tests.done import Done
from tests.hand_made import METADATA, WINE, HandMade, file_of, tree
from tests.ports import free_ports
from tests.test_objects import tiny_disk

__all__ = ["tiny_disk"]

TRAIN, VAL = WINE.values()


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    return with_release(hand_made)


def with_release(made: HandMade) -> HandMade:
    made.release("1.0.0")
    made.environment["DREG_REPO"] = str(made.bare)
    return made


def refused(made: HandMade, code: int, *arguments: str, **environment: str) -> str:
    """The error of `dreg fetch`, which must fail with `code` and change nothing."""
    before = tree(made.train)
    done = made.dreg("fetch", *arguments, **environment)
    assert (done.code, done.stdout) == (code, ""), done
    assert "\n\nhint: " in done.stderr and "Traceback" not in done.stderr
    assert tree(made.train) == before
    _, error, why = done.stderr.partition("error: ")  # before it is what was begun
    return error + why


# What is asked for does not exist


def test_nothing_to_fetch(hand_made):
    assert refused(hand_made, 2) == (
        "error: there is no dreg.lock here that says what to fetch\n\n"
        "hint: name a dataset: dreg fetch NAME@^1.0 --repo URL\n"
    )


def test_no_registry(hand_made):
    assert refused(hand_made, 2, "wine") == (
        "error: no registry to fetch from\n\nhint: name it with --repo URL, or set DREG_REPO\n"
    )


def test_an_unknown_dataset(wine):
    assert refused(wine, 2, "wien@^1.0") == (
        "error: no dataset named `wien`\n\nhint: did you mean `wine`?\n"
    )


def test_a_range_that_no_release_is_in(wine):
    wine.release("1.1.0")
    assert refused(wine, 2, "wine@^2.0") == (
        "error: no release of `wine` is in `^2.0`\n\nhint: there are: 1.0.0, 1.1.0\n"
    )


def test_a_range_that_is_none(wine):
    assert "`one` is not a version range" in refused(wine, 2, "wine@one")


@pytest.mark.parametrize("value", ["wine-v1", "wine-v9", "wine-v1.0", "1.0.0", "garbage"])
@pytest.mark.parametrize("named", [["wine"], []])
def test_a_version_in_the_environment_that_is_none_never_gives_the_latest(wine, value, named):
    wine.release("1.1.0")
    said = refused(wine, 2, *named, DVC_DATA_VERSION=value)
    assert said.startswith(f"error: DVC_DATA_VERSION is `{value}`, which is not the tag of a rele")


@pytest.mark.parametrize("value", ["", " "])
@pytest.mark.parametrize("named", [["wine"], []])
def test_a_version_that_a_workflow_left_empty_is_never_the_latest(wine, value, named):
    said = refused(wine, 2, *named, DVC_DATA_VERSION=value)
    assert said.startswith("error: DVC_DATA_VERSION is set, and empty\n")


def test_a_version_in_the_environment_is_no_matter_where_one_is_named(wine):
    assert wine.fetch("wine@1.0.0", DVC_DATA_VERSION="")["version"] == "1.0.0"


def test_a_registry_without_releases(hand_made):
    hand_made.git("push", "-q", "origin", "main")
    assert refused(hand_made, 2, "wine", "--repo", str(hand_made.bare)) == (
        f"error: `{hand_made.bare}` has no releases\n\n"
        "hint: check the URL: releases are tags NAME-v1.0.0\n"
    )


def test_no_repository_there(hand_made):
    said = refused(hand_made, 2, "wine", "--repo", str(hand_made.home / "nowhere"))
    assert "is not a git repository" in said


@pytest.mark.parametrize("repo", ["--upload-pack=touch x", "ext::sh -c 'touch x'"])
def test_a_url_that_would_run_a_command(hand_made, repo):
    assert "is not a repository URL that dreg opens" in refused(
        hand_made, 2, "wine", f"--repo={repo}"
    )


def test_a_git_server_out_of_reach(hand_made):
    (port,) = free_ports(1)
    said = refused(hand_made, 3, "wine", "--repo", f"http://127.0.0.1:{port}/r.git")
    assert said.startswith("error: the git server cannot be reached\n")


def test_output_without_a_name(wine):
    wine.fetch("wine")
    assert "-o is the folder of one dataset" in refused(wine, 2, "-o", "elsewhere")


@pytest.mark.parametrize("output", [".", "..", "/"])
def test_a_target_around_where_we_are(wine, output):
    assert "is the folder you are in" in refused(wine, 2, "wine", "-o", output)


def test_a_target_that_is_a_file(wine):
    (wine.train / "file").write_text("mine")
    assert "is not a folder" in refused(wine, 1, "wine", "-o", "file")


@pytest.mark.parametrize("output", ["data/wine", "data/deep/wine"])
def test_a_file_where_a_folder_should_be(wine, output):
    (wine.train / "data").write_text("mine")
    said = refused(wine, 1, "wine", "-o", output)
    assert said.startswith(f"error: `{output}` cannot be a folder: `{wine.train}/data` is a file\n")
    assert "hint: choose another folder with -o DIR" in said


@pytest.mark.parametrize("output", ["dreg.lock", "dreg.lock/x", "dreg.toml", ".git", ".git/data", "pyproject.toml"])  # fmt: skip
def test_a_target_where_something_else_belongs(wine, output):
    said = refused(wine, 2, "wine", "-o", output, "--force")
    assert said.startswith(f"error: `{output}` is the place of `{output.partition('/')[0]}`\n")


@pytest.mark.parametrize("name", ["dreg.lock", "dreg.toml"])
def test_a_folder_where_a_file_should_be(wine, name):
    (wine.train / name).mkdir()
    said = refused(wine, 2, "wine")
    assert said.startswith(f"error: `{name}` is a folder\n\nhint: move it away")


@pytest.fixture
def seen(open_folder):
    """As `wine`, in a folder that others may look into."""
    return with_release(HandMade(open_folder, {"DREG_CACHE": str(open_folder / "cache")}))


@pytest.fixture
def nobody(seen):
    """Runs `dreg` in the training repository as a user who owns only what is handed over."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    made = seen
    trusting, cache = made.home / "nobodys-gitconfig", made.home / "nobodys-cache"
    trusting.write_text("[safe]\n\tdirectory = *\n")
    cache.mkdir()
    os.chown(cache, 65534, 65534)

    def dreg(*arguments: str) -> Done:
        become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        done = subprocess.run(
            [*become, sys.executable, "-m", "dreg", *arguments],
            cwd=made.train,
            env={**os.environ, **made.environment, "DREG_CACHE": str(cache), "GIT_CONFIG_GLOBAL": str(trusting)},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        return Done(done.returncode, done.stdout, done.stderr)

    return dreg


@pytest.mark.parametrize("sealed", ["parent", "target", "lock"])
def test_a_place_that_may_not_be_written_to_is_said_before_anything_travels(seen, nobody, sealed):
    data = seen.train / "data"
    (data / "wine").mkdir(parents=True)
    for folder in {"parent": [seen.train], "target": [seen.train, data], "lock": [data, data / "wine"]}[sealed]:  # fmt: skip
        os.chown(folder, 65534, 65534)
    done = nobody("fetch", "wine")
    place = {"parent": data, "target": data / "wine", "lock": seen.train}[sealed]
    also = ", and `dreg.lock` belongs there" if sealed == "lock" else ""
    assert (done.code, done.stdout) == (3, "")
    assert f"error: `{place}` cannot be written to{also}\n" in done.stderr
    assert list(seen.train.rglob("*.csv")) == []


def test_a_lock_that_may_not_be_written_to_is_said_before_another_part_travels(seen, nobody):
    seen.fetch("wine@1.0.0", "--metadata-only")
    data = seen.train / "data"
    for path in (data, *data.rglob("*")):
        os.chown(path, 65534, 65534)
    done = nobody("fetch", "wine@1.0.0", "--split", "train")
    assert (done.code, done.stdout) == (3, "")
    assert f"error: `{seen.train}` cannot be written to, and `dreg.lock` belongs" in done.stderr
    assert f"see why: ls -ld {seen.train}; findmnt -T {seen.train}\n" in done.stderr
    assert list(seen.train.rglob("*.csv")) == []


def test_a_file_system_that_is_read_only(wine, tiny_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    said = refused(wine, 3, "wine", "-o", str(tiny_disk / "wine"))
    assert said.startswith(f"error: `{tiny_disk}` cannot be written to\n")


def test_a_file_system_that_became_read_only_is_no_matter_with_all_in_place(wine, tiny_disk):
    wine.fetch("wine@1.0.0", "-o", str(tiny_disk / "wine"))
    subprocess.run(["mount", "-o", "remount,ro", str(tiny_disk)], check=True)
    assert wine.fetch()["changed"] is False


@pytest.mark.parametrize("part", [[], ["--split", "train"]])
def test_a_digest_is_compared_though_an_older_dreg_did_not_note_it(wine, part):
    wine.fetch("wine@1.0.0", *part)
    receipt = wine.train / "data/wine/.dreg.json"
    as_then = receipt.read_text()
    told = json.loads(as_then)
    del told["digest"]
    receipt.write_text(json.dumps(told))
    lock = wine.train / "dreg.lock"
    right = lock.read_text()
    digest = wine.made["wine-v1.0.0"].snapshot.published.digest()
    lock.write_text(right.replace(digest, "0" * 64))
    assert f"has the digest {'0' * 12} for `wine-v1.0.0`" in refused(wine, 1)
    lock.write_text(right)
    assert wine.fetch()["changed"] is False
    if part:  # what is only a part was noted, so that the next time nobody is asked
        assert json.loads(receipt.read_text())["digest"] == digest
    shutil.rmtree(wine.bare)
    assert wine.fetch()["changed"] is False


@pytest.mark.parametrize("part", [[], ["--split", "train"]])
@pytest.mark.parametrize("there", [True, False])
def test_a_digest_that_is_not_the_locked_one(wine, part, there):
    wine.fetch("wine@1.0.0", *part)
    lock = wine.train / "dreg.lock"
    digest = wine.made["wine-v1.0.0"].snapshot.published.digest()
    lock.write_text(lock.read_text().replace(digest, "0" * 64))
    if not there:
        shutil.rmtree(wine.train / "data")
    for arguments in (["--locked"], [], ["wine@1.0.0"], ["wine@^1"]):
        said = refused(wine, 1, *arguments)
        assert f"has the digest {'0' * 12} for `wine-v1.0.0`, and its files have" in said


def test_an_empty_lock_is_a_damaged_one(wine):
    (wine.train / "dreg.lock").touch()
    assert "`dreg.lock` is empty" in refused(wine, 2, "wine")


def test_a_broken_lock(wine):
    wine.fetch("wine")
    (wine.train / "dreg.lock").write_text("<<<<<<< HEAD\n")
    said = refused(wine, 2)
    assert "`dreg.lock` is not TOML" in said and "restore dreg.lock from git" in said


# The bytes are out of reach


def test_a_folder_beside_a_registry_that_is_a_url(wine, tmp_path):
    (port,) = free_ports(1)
    daemon = subprocess.Popen(
        ["git", "daemon", "--export-all", f"--base-path={wine.home}", "--listen=127.0.0.1",
         f"--port={port}", str(wine.bare)],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until_listening(port)
        url = f"git://127.0.0.1:{port}/registry.git"
        assert refused(wine, 2, "wine", "--repo", url) == (
            "error: the remote `disk` is the folder `../../store` beside the registry, which a "
            "URL does not lead to\n\n"
            "hint: name one that can be reached from here: "
            "--remote NAME|URL|PATH or DREG_REMOTE\n"
        )
        assert wine.fetch("wine", "--repo", url, "--remote", str(wine.store))["changed"]
    finally:
        daemon.terminate()
        daemon.wait()


def _until_listening(port: int) -> None:
    for _ in range(100):
        with socket.socket() as client:
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("git daemon did not start")


def test_a_store_that_is_gone(wine):
    shutil.rmtree(wine.store)
    assert refused(wine, 3, "wine") == (
        f"error: the remote `disk` at {wine.store} is not there\n\n"
        "hint: check the path, or choose another: --remote NAME|URL|PATH or DREG_REMOTE\n"
    )


def test_an_unknown_remote(wine):
    assert refused(wine, 2, "wine", "--remote", "dsik") == (
        "error: no remote named `dsik`\n\nhint: did you mean `disk`?\n"
    )


def test_s3_with_a_wrong_key(wine, s3):
    wrong = {**s3.environment, "AWS_SECRET_ACCESS_KEY": "my-wrong-secret"}
    said = refused(wine, 3, "wine", "--remote", s3.url, AWS_ENDPOINT_URL=s3.endpoint, **wrong)
    assert said == (
        f"error: the remote `{s3.url}` ({s3.url}) at {s3.endpoint} refused access "
        "(SignatureDoesNotMatch) to the keys in the environment (AWS_ACCESS_KEY_ID)\n\n"
        "hint: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose AWS_PROFILE\n"
    )


def test_s3_without_a_bucket(wine, s3):
    environment = {**s3.environment, "AWS_ENDPOINT_URL": s3.endpoint}
    said = refused(wine, 3, "wine", "--remote", "s3://no-such-bucket", **environment)
    assert "has no bucket `no-such-bucket`" in said


def test_s3_without_the_release(wine, s3):
    environment = {**s3.environment, "AWS_ENDPOINT_URL": s3.endpoint}
    said = refused(wine, 3, "wine", "--remote", s3.url, **environment)
    assert f"lacks the object `{manifest_key(wine.made['wine-v1.0.0'].digest)}`" in said


def test_s3_out_of_reach(wine, s3):
    (port,) = free_ports(1)
    environment = {**s3.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    said = refused(wine, 3, "wine", "--remote", s3.url, **environment)
    assert "cannot be reached: Connection refused" in said


# The bytes are not those that the tag signs for


def test_a_corrupt_object(wine):
    damaged = bytearray(TRAIN)
    damaged[7] ^= 1
    wine.object_path(TRAIN).write_bytes(damaged)
    good, bad = (file_of("x", bytes(data)).sha256 for data in (TRAIN, damaged))
    assert refused(wine, 3, "wine") == (
        f"error: `processed/train.csv` arrived corrupt from the remote `disk` at {wine.store}: "
        f"expected sha256 {good}, got {bad}\n\n"
        "hint: nothing was placed; try again, and if it stays, tell the registry's owner\n"
    )
    assert not (wine.train / "data" / "wine").exists()
    wine.object_path(TRAIN).write_bytes(TRAIN)
    assert wine.fetch("wine")["changed"]


@pytest.mark.parametrize("data", [TRAIN[:-1], TRAIN + b"!", b""])
def test_a_cut_or_longer_object(wine, data):
    wine.object_path(TRAIN).write_bytes(data)
    assert "`processed/train.csv` arrived corrupt" in refused(wine, 3, "wine")


def test_much_that_arrived_is_kept_for_the_next_try(wine):
    large = {"processed/large.bin": bytes(20_000_000), "processed/small.csv": b"1\n"}
    wine.release("1.1.0", large)
    wine.object_path(b"1\n").unlink()
    done = wine.dreg("fetch", "wine")
    kept = wine.train / "data" / ".wine.dreg-new"
    assert done.code == 3
    assert f"\nwhat arrived is kept for the next try: {kept}\nerror: " in done.stderr
    wine.object_path(b"1\n").write_bytes(b"1\n")
    assert wine.fetch("wine")["downloaded"] == 2
    assert not kept.exists()


def test_a_missing_object_leaves_the_old_release_in_place(wine):
    wine.fetch("wine@1.0.0")
    wine.release("1.1.0", {**WINE, "processed/new.csv": b"new\n"})
    wine.object_path(b"new\n").unlink()
    assert "lacks the object" in refused(wine, 3, "wine@1.1.0")
    assert wine.fetch()["version"] == "1.0.0"


def test_a_tampered_manifest(wine):
    path = wine.store / manifest_key(wine.made["wine-v1.0.0"].digest)
    path.write_bytes(path.read_bytes().replace(b"train.csv", b"other.csv"))
    said = refused(wine, 3, "wine")
    assert "the manifest on the remote is not the one the tag signs for" in said


def test_a_manifest_of_another_release(wine):
    beer = wine.release("1.0.0", name="beer")
    wine.tag("wine-v1.1.0", beer.digest)
    said = refused(wine, 1, "wine")
    assert "the tag `wine-v1.1.0` signs for beer 1.0.0" in said


def test_a_manifest_trailer_that_is_no_digest(wine):
    wine.tag("wine-v1.1.0", "../../etc/passwd")
    assert "is not a sha256" in refused(wine, 1, "wine")


HOSTILE = [
    "../x",
    "/etc/x",
    "a/../../x",
    "a//x",
    "./x",
    "a\\..\\x",
    "c:x",
    "a/.",
    "x\0y",
    "",
]


@pytest.mark.parametrize("path", HOSTILE)
def test_a_path_that_leaves_the_target(wine, path):
    wine.release("1.1.0", WINE, listed=[_at(path, VAL)])
    said = refused(wine, 1, "wine")
    assert f"unsafe path {path!r}" in said
    assert sorted(p.name for p in wine.home.iterdir()) == [
        "cache", "registry", "registry.git", "store", "train",
    ]  # fmt: skip


def _at(path: str, data: bytes) -> File:
    good = file_of("x", data)
    return File(path, good.size, good.md5, good.sha256)


@pytest.mark.parametrize(
    ("paths", "words"),
    [
        (["a/Wine.csv", "a/wine.csv"], "one file where case does not count"),
        (["stra\u00dfe.csv", "STRASSE.csv"], "one file where case does not count"),
        (["caf\u00e9", "cafe\u0301"], "which are one name in Unicode, written in two ways"),
        (["a", "a/b"], "'a' as a file and 'a/b' below it"),
        (["A", "a/b"], "'A' as a file and 'a/b' below it"),
        ([".dreg.json"], "where dreg keeps its receipt"),
        (["x" * 256], "a name of more than 255 bytes"),
    ],
)
def test_paths_that_cannot_lie_side_by_side(wine, paths, words):
    wine.release("1.1.0", WINE, listed=[_at(path, VAL) for path in paths])
    assert words in refused(wine, 1, "wine")


# The tag moved


def test_a_moved_tag(wine):
    wine.fetch("wine@^1.0")
    was = wine.git("rev-parse", "wine-v1.0.0^{commit}")[:12]
    wine.release("1.0.0", {"processed/train.csv": b"other\n"}, force=True)
    now = wine.git("rev-parse", "wine-v1.0.0^{commit}")[:12]
    expected = (
        f"error: the tag `wine-v1.0.0` moved: dreg.lock has the commit {was}, "
        f"the registry now {now}\n\n"
        "hint: releases never change, so ask the registry's owner; to accept this one: "
        f"dreg fetch wine@{wine.git('rev-parse', 'wine-v1.0.0^{commit}')}\n"
    )
    assert refused(wine, 1, "wine@^1.0") == expected
    shutil.rmtree(wine.train / "data")
    assert refused(wine, 1) == expected
    commit = expected.rpartition("@")[2].strip()
    assert wine.fetch(f"wine@{commit}")["commit"] == commit
    assert wine.fetch("wine@^1.0")["changed"] is False


@pytest.fixture
def other(wine):
    """A training repository without a lock, of a user who fetched wine 1.0.0 elsewhere."""
    wine.fetch("wine@^1.0")
    project = wine.home / "other"
    project.mkdir()
    return project


@pytest.mark.parametrize("request_", ["wine@^1.0", "wine-v1.0.0"])
def test_a_moved_tag_is_refused_without_a_lock_too(wine, other, request_):
    was = wine.git("rev-parse", "wine-v1.0.0^{commit}")
    wine.release("1.0.0", {"processed/train.csv": b"other\n"}, force=True)
    now = wine.git("rev-parse", "wine-v1.0.0^{commit}")
    for _ in range(2):  # having said so changes nothing
        done = wine.dreg("fetch", request_, cwd=other)
        assert (done.code, done.stdout) == (1, "")
        assert done.stderr == (
            f"error: the tag `wine-v1.0.0` moved: it was at {was[:12]} when it was read here, "
            f"and is at {now[:12]} now\n\n"
            "hint: releases never change, so ask the registry's owner; to take what is there now: "
            f"dreg fetch wine@{now}\n"
        )
        assert list(other.iterdir()) == []
    done = wine.dreg("fetch", f"wine@{now}", cwd=other)
    assert (done.code, "fetched wine 1.0.0" in done.stdout) == (0, True), done.stderr
    assert wine.dreg("fetch", request_, cwd=other).code == 0
    assert "moved: dreg.lock has the commit" in refused(wine, 1, "wine@^1.0")  # locked here


def test_a_tag_that_was_made_anew_is_told(wine, other):
    wine.git("tag", "-f", "-a", "-m", "x", "wine-v1.0.0", "wine-v1.0.0^{commit}")
    wine.git("push", "-q", "-f", "origin", "--tags")
    done = wine.dreg("fetch", "wine", cwd=other)
    assert (done.code, "was made anew since it was read here, at the same" in done.stderr) == (1, True)  # fmt: skip


def test_another_registry_may_have_another_release_of_that_name(wine, other, tmp_path):
    two = HandMade(tmp_path / "two", wine.environment)
    two.release("1.0.0", {"processed/train.csv": b"other\n"})
    assert wine.dreg("fetch", "wine", "--repo", str(two.bare), cwd=other).code == 0


def test_a_tag_with_another_manifest_on_the_same_commit(wine):
    wine.fetch("wine")
    other = wine.release("9.9.9", {"processed/train.csv": b"other\n"}).digest
    wine.git("tag", "-f", "-a", "-m", f"x\n\nDreg-Manifest: sha256:{other}", "wine-v1.0.0",
             "wine-v1.0.0^{commit}")  # fmt: skip
    wine.git("push", "-q", "-f", "origin", "--tags")
    shutil.rmtree(wine.train / "data")
    assert "moved: dreg.lock has the manifest" in refused(wine, 1)


# Local changes


def test_local_changes_are_listed_and_kept(wine):
    wine.fetch("wine@1.0.0")
    wine.release("1.1.0", {**WINE, "processed/val.csv": b"a,b\n5,6\n"})
    folder = wine.train / "data" / "wine"
    (folder / "processed" / "val.csv").write_bytes(VAL.replace(b"3", b"9"))
    (folder / "notes.txt").write_text("mine")
    expected = (
        "error: `data/wine` has changes that fetching would lose\n"
        "  modified: processed/val.csv\n"
        "  not placed by dreg: notes.txt\n\n"
        "hint: move them away, or keep a backup of the folder: dreg fetch --force\n"
    )
    assert refused(wine, 1, "wine@^1") == expected
    assert refused(wine, 1) == expected


def test_a_change_is_told_by_size_and_by_time_and_only_then_by_content(wine):
    wine.fetch("wine")
    file = wine.train / "data" / "wine" / "processed" / "val.csv"
    placed = file.stat()

    def changed(data: bytes, time: int) -> bool:
        file.unlink()  # it may be a link to the cache's
        file.write_bytes(data)
        os.utime(file, ns=(time, time))
        return wine.dreg("fetch").code == 1

    assert changed(VAL + b"7,8\n", placed.st_mtime_ns)
    assert changed(VAL[::-1], placed.st_mtime_ns + 1)
    assert not changed(VAL, placed.st_mtime_ns + 1)
    # As git has it: what has the size and the time it was placed with is not read again.
    assert not changed(VAL[::-1], placed.st_mtime_ns)


def test_a_file_that_became_a_link_is_a_change(wine, tmp_path):
    wine.fetch("wine")
    file = wine.train / "data" / "wine" / "processed" / "val.csv"
    file.rename(tmp_path / "twin")
    file.symlink_to(str(tmp_path).rjust(len(VAL) - len("/twin"), "/") + "/twin")
    assert file.lstat().st_size == len(VAL)  # of a link it is the length of what it says
    assert file.read_bytes() == VAL
    assert "  modified: processed/val.csv\n" in refused(wine, 1)


def test_force_keeps_a_backup_that_shares_nothing_with_the_new_folder(wine):
    wine.fetch("wine")
    folder = wine.train / "data" / "wine"
    (folder / "processed" / "val.csv").write_text("mine")
    before = tree(folder)
    done = wine.dreg("fetch", "--force")
    backup = wine.train / "data" / "wine.backup-1"
    assert done.code == 0 and done.stderr.startswith("fetching wine 1.0.0: 1 file, ")
    assert done.stdout.endswith(f"  the old folder with local changes is {backup}\n")
    assert tree(backup) == before
    assert tree(folder) == {**WINE, "metadata.json": METADATA}
    (backup / "processed" / "train.csv").write_text("edited in the backup")
    assert tree(folder) == {**WINE, "metadata.json": METADATA}
    (folder / "more.txt").write_text("mine")
    assert wine.fetch("--force")["backup"] == str(wine.train / "data" / "wine.backup-2")


def test_a_folder_that_dreg_did_not_fill(wine):
    (wine.train / "data" / "wine" / "a").mkdir(parents=True)
    (wine.train / "data" / "wine" / "a" / "b").write_text("mine")
    assert "  not placed by dreg: a/b\n" in refused(wine, 1, "wine")


def test_links_in_the_target_are_not_followed(wine, tmp_path):
    wine.fetch("wine@1.0.0")
    wine.release("1.1.0", {**WINE, "processed/train.csv": b"new\n"})
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "train.csv").write_text("precious")
    folder = wine.train / "data" / "wine"
    shutil.rmtree(folder / "processed")
    (folder / "processed").symlink_to(tmp_path / "precious")
    assert "  not placed by dreg: processed\n" in refused(wine, 1, "wine@^1")
    assert wine.fetch("wine@^1", "--force")["version"] == "1.1.0"
    assert (tmp_path / "precious" / "train.csv").read_text() == "precious"
    assert not (folder / "processed").is_symlink()


def test_a_damaged_receipt_counts_as_none(wine):
    wine.fetch("wine")
    (wine.train / "data" / "wine" / ".dreg.json").write_text("{}")
    said = refused(wine, 1)
    assert "  not placed by dreg: .dreg.json\n" in said


# The disk is full


def test_a_full_disk(wine, tiny_disk):
    wine.release("1.1.0", {"processed/large.bin": bytes(500_000)})
    said = refused(wine, 3, "wine", "-o", str(tiny_disk / "wine"))
    assert said.startswith("error: the disk is full")
    assert list(tiny_disk.iterdir()) == []
    assert wine.fetch("wine@1.0.0", "-o", str(tiny_disk / "wine"))["changed"]


def test_a_disk_that_turns_out_to_be_full_is_named(wine, tiny_disk):
    pages = shutil.disk_usage(tiny_disk).free // 4096 - 1  # one is for the folder
    # With metadata.json there are bytes enough, but a page too few.
    wine.release("1.1.0", {"processed/large.bin": bytes((pages - 1) * 4096 + 1)})
    said = refused(wine, 3, "wine", "-o", str(tiny_disk / "wine"))
    assert said.startswith(f"error: the disk is full at `{tiny_disk}")
    assert "are needed" not in said
    assert not (tiny_disk / "wine").exists()


def test_a_typo_in_the_name_of_what_is_in_the_folder(wine):
    wine.fetch("wine", "-o", "data/here")
    assert "hint: did you mean `wine`?" in refused(wine, 2, "wien@^1", "-o", "data/here")


@pytest.mark.parametrize("place", ["data/wine", "data/wine/below", "data"])
def test_two_datasets_cannot_share_a_folder(wine, place):
    assert wine.dreg("fetch", "wine").code == 0
    said = refused(wine, 2, "beer", "-o", place)
    assert "would replace each other" in said
    assert "hint: give each dataset a folder of its own" in said


@pytest.mark.parametrize("request_", ["wine@", "wine@ "])
def test_a_version_that_is_empty_is_not_the_latest(wine, request_):
    said = refused(wine, 2, request_)
    assert f"`{request_}` names no version behind the `@`" in said


def test_the_folder_of_a_repository_above_is_no_place(wine):
    subprocess.run(["git", "init", "-q", str(wine.home / "above")], check=True)
    below = wine.home / "above" / "below"
    below.mkdir()
    done = wine.dreg("fetch", "wine@1.0.0", "-o", "../.git/data", cwd=below)
    assert (done.code, "is in a repository's own folder" in done.stderr) == (2, True)


def test_a_lock_with_another_version_than_the_environment_is_refused(wine):
    """`dreg.load` would give the other one."""
    wine.release("1.1.0")
    wine.fetch("wine@1.0.0")
    said = refused(wine, 1, DVC_DATA_VERSION="wine-v1.1.0")
    assert "DVC_DATA_VERSION is `wine-v1.1.0`, and dreg.lock has `wine-v1.0.0`" in said
    assert "which is not the tag of a release" in refused(wine, 2, DVC_DATA_VERSION="garbage")
    assert wine.dreg("fetch", DVC_DATA_VERSION="wine-v1.0.0").code == 0
