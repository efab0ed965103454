"""Fetching: the right release, exactly its bytes, pinned; nothing done twice."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib

import pytest

from dreg.core.remotes import Remote
from dreg.core.snapshot import Snapshot
from tests.hand_made import METADATA, S3_REMOTE, WINE, HandMade, file_of, tree
from tests.s3_server import SECRET
from tests.small_registry import NAME

PLACED = {**WINE, "metadata.json": METADATA}


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    """Releases 1.0.0 and 1.1.0 of `wine`; a training repository that knows where they are."""
    hand_made.release("1.0.0")
    hand_made.release("1.1.0", {**WINE, "processed/val.csv": b"a,b\n5,6\n"})
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


@pytest.fixture
def on_s3(tmp_path, s3, monkeypatch) -> HandMade:
    """A registry whose bytes are on S3."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    config = "[core]\n    remote = local\n" + S3_REMOTE.format(url=s3.url, endpoint=s3.endpoint)
    remote = Remote("local", s3.url, endpoint=s3.endpoint)
    return HandMade(tmp_path, {"DREG_CACHE": str(tmp_path / "cache")}, remote, config)


def lock(made: HandMade) -> dict:
    return tomllib.loads((made.train / "dreg.lock").read_text())["dataset"][0]


def without_network(made: HandMade) -> None:
    """Nothing that a fetch could ask is there any more."""
    for folder in (made.bare, made.store, made.home / "cache"):
        shutil.rmtree(folder, ignore_errors=True)


# Which release


def test_the_newest_release_in_the_range(wine):
    wine.release("2.0.0", {"processed/all.csv": b"x\n"})
    fetched = wine.fetch("wine@^1.0")
    manifest = wine.made["wine-v1.1.0"]
    assert fetched == {
        "dataset": "wine",
        "version": "1.1.0",
        "previous": None,
        "tag": "wine-v1.1.0",
        "commit": wine.git("rev-parse", "wine-v1.1.0^{commit}"),
        "manifest": manifest.digest,
        "output": "data/wine",
        "files": 3,
        "size": manifest.snapshot.size,
        "downloaded": manifest.snapshot.size - len(METADATA),
        "changed": True,
        "protection": "sha256",
        "backup": None,
        "yanked": None,
    }
    assert tree(wine.train / "data" / "wine") == {**PLACED, "processed/val.csv": b"a,b\n5,6\n"}


@pytest.mark.parametrize(
    ("request_", "version"),
    [
        ("wine", "1.1.0"),
        ("wine@latest", "1.1.0"),
        ("wine@1.0.0", "1.0.0"),
        ("wine@~1.0", "1.0.0"),
        ("wine@<1.1", "1.0.0"),
        ("wine-v1.0.0", "1.0.0"),
    ],
)
def test_ways_to_say_which(wine, request_, version):
    assert wine.fetch(request_)["version"] == version


def test_the_environment_names_the_version_for_existing_consumers(wine):
    assert wine.fetch("wine", DVC_DATA_VERSION="wine-v1.0.0")["version"] == "1.0.0"
    assert wine.fetch("wine@1.1.0", DVC_DATA_VERSION="wine-v1.0.0")["version"] == "1.1.0"
    assert wine.fetch("wine@^1", DVC_DATA_VERSION="other-v7.0.0")["version"] == "1.1.0"


def test_the_environment_alone_is_a_request_where_there_is_no_lock(wine):
    assert wine.fetch(DVC_DATA_VERSION="wine-v1.0.0")["version"] == "1.0.0"
    assert wine.dreg("fetch", DVC_DATA_VERSION="wine-v1.1.0").code == 1  # the lock says otherwise


def test_a_bare_name_stays_in_the_locked_range(wine):
    wine.fetch("wine@~1.0")
    wine.release("1.0.1", {"processed/val.csv": b"z\n"})
    assert wine.fetch("wine")["version"] == "1.0.1"
    assert lock(wine)["request"] == "~1.0"


# Where from


def test_dvc_repo_is_understood_too(wine):
    del wine.environment["DREG_REPO"]
    assert wine.fetch("wine", DVC_REPO=str(wine.bare))["version"] == "1.1.0"


@pytest.mark.parametrize("kind", ["bare", "work tree", "file url", "relative"])
def test_kinds_of_registries(wine, kind):
    repo = {
        "bare": str(wine.bare),
        "work tree": str(wine.path),
        "file url": wine.bare.as_uri(),
        "relative": "../registry.git",
    }[kind]
    assert wine.fetch("wine", "--repo", repo)["version"] == "1.1.0"
    assert lock(wine)["repo"] == repo


def test_inside_a_registry_it_is_that_one(wine):
    del wine.environment["DREG_REPO"]
    done = wine.dreg("fetch", "wine", "-o", "fetched", "--json", cwd=wine.path)
    assert (done.code, "warning" in done.stderr) == (0, False)
    assert tree(wine.path / "fetched").keys() == PLACED.keys()


def test_a_local_registry_may_have_another_default_remote(wine, tmp_path):
    (tmp_path / "moved").parent.mkdir(exist_ok=True)
    wine.store.rename(tmp_path / "moved")
    (wine.path / ".dvc" / "config.local").write_text("['remote \"disk\"']\nurl = ../../moved\n")
    assert wine.fetch("wine", "--repo", str(wine.path))["version"] == "1.1.0"


def test_the_remote_may_be_named_or_given_as_a_path(wine, tmp_path):
    wine.store.rename(tmp_path / "moved")
    assert wine.fetch("wine", "--remote", "../moved")["version"] == "1.1.0"
    shutil.rmtree(wine.train / "data")
    assert wine.fetch("wine", DREG_REMOTE=str(tmp_path / "moved"))["changed"]


def test_from_s3(on_s3):
    on_s3.release()
    fetched = on_s3.fetch("wine", "--repo", str(on_s3.bare))
    assert (fetched["changed"], fetched["protection"]) == (True, "sha256")
    assert tree(on_s3.train / "data" / "wine") == PLACED
    assert SECRET not in (on_s3.train / "dreg.lock").read_text()


def test_from_s3_at_the_endpoint_of_the_consumer(on_s3, s3):
    on_s3.release()
    config = on_s3.path / ".dvc" / "config"
    config.write_text(config.read_text().replace(s3.endpoint, "http://minio.cluster.internal:9000"))
    on_s3.release("1.0.1", {"processed/a.csv": b"1\n"})
    repo = ("--repo", str(on_s3.bare))
    assert on_s3.fetch("wine", *repo, AWS_ENDPOINT_URL=s3.endpoint)["version"] == "1.0.1"


def test_thousands_of_small_files(on_s3):
    files = {f"processed/{i % 7}/{i}.txt": f"sample {i}\n".encode() for i in range(500)}
    on_s3.release("1.0.0", files)
    fetched = on_s3.fetch("wine", "--repo", str(on_s3.bare))
    assert fetched["files"] == 501
    assert tree(on_s3.train / "data" / "wine") == {**files, "metadata.json": METADATA}


# What is placed, and what is written about it


def test_the_answer_for_people(wine):
    done = wine.dreg("fetch", "wine@1.0.0", "-o", "data/w")
    assert (done.code, done.stdout, done.stderr) == (
        0,
        "fetched wine 1.0.0 into data/w (3 files, 4.1 kB; downloaded 4.0 kB)\n",
        "wine@1.0.0 is wine-v1.0.0\nfetching wine 1.0.0: 2 files, 4.0 kB\n",  # a line a phase
    )
    done = wine.dreg("fetch", "wine@^1")
    assert (done.code, done.stdout, done.stderr) == (
        0,
        "fetched wine 1.0.0 -> 1.1.0 into data/w (3 files, 3.3 kB; downloaded 8 B)\n",
        "wine@^1 is wine-v1.1.0\nfetching wine 1.1.0: 1 file, 8 B\n",
    )
    done = wine.dreg("fetch", "wine@1.0.0", "-o", "data/again", "--quiet")
    assert (done.code, done.stderr) == (0, "")
    shutil.rmtree(wine.train / "data/again")
    done = wine.dreg("fetch", "wine@^1", "-o", "data/w")
    done = wine.dreg("fetch")
    assert (done.code, done.stdout, done.stderr) == (
        0,
        "wine 1.1.0 is in place in data/w (3 files, 3.3 kB)\n",
        "",
    )


def test_the_lock_pins_what_was_fetched(wine):
    fetched = wine.fetch("wine@^1.0", "-o", "data/w")
    published = wine.made["wine-v1.1.0"].snapshot.published
    assert lock(wine) == {
        "name": "wine",
        "request": "^1.0",
        "repo": str(wine.bare),
        "version": "1.1.0",
        "tag": "wine-v1.1.0",
        "commit": fetched["commit"],
        "manifest": f"sha256:{fetched['manifest']}",
        "digest": f"sha256:{published.digest()}",
        "output": "data/w",
    }


def test_raw_files_are_placed_only_when_asked_for(wine):
    wine.release("1.2.0", {**WINE, "raw/wine.txt": b"raw\n"})
    assert wine.fetch("wine")["files"] == 3
    assert wine.fetch("wine", "--raw")["downloaded"] == len(b"raw\n")
    assert tree(wine.train / "data" / "wine") == {**PLACED, "raw/wine.txt": b"raw\n"}
    shutil.rmtree(wine.train / "data")
    assert wine.fetch()["files"] == 4  # the lock says so
    digest = wine.made["wine-v1.2.0"].snapshot.published.digest()
    assert lock(wine)["digest"] == f"sha256:{digest}"


def test_several_datasets(wine):
    wine.release("3.0.0", {"processed/a.csv": b"1\n"}, name="beer")
    wine.fetch("wine")
    wine.fetch("beer", "-o", "beer")
    shutil.rmtree(wine.train / "data")
    shutil.rmtree(wine.train / "beer")
    done = wine.dreg("fetch", "--json")
    assert [(d["dataset"], d["output"], d["changed"]) for d in done.json["datasets"]] == [
        ("beer", "beer", True),
        ("wine", "data/wine", True),
    ]


def test_a_user_and_password_in_a_url_are_not_public():
    from dreg.adapters.git import public_url

    assert public_url("https://me:token@example.com/a/b") == "https://example.com/a/b"
    assert public_url("https://token@example.com/a") == "https://example.com/a"
    assert public_url("https://example.com/a@b") == "https://example.com/a@b"
    assert public_url("git@example.com:a/b") == "git@example.com:a/b"
    assert public_url("ssh://git@example.com/a") == "ssh://git@example.com/a"


def test_locked_names_are_completed(wine, monkeypatch):
    from dreg.commands.fetch import complete_locked

    monkeypatch.chdir(wine.train)
    assert complete_locked("") == []
    wine.fetch("wine")
    assert complete_locked("w") == ["wine"]
    assert complete_locked("x") == []


# Only what is needed


def test_again_with_everything_in_place_needs_no_network(wine):
    wine.fetch("wine@1.1.0")
    before = (wine.train / "dreg.lock").stat().st_mtime_ns
    without_network(wine)
    for again in (wine.fetch(), wine.fetch("wine@1.1.0"), wine.fetch("wine-v1.1.0")):
        assert (again["changed"], again["downloaded"], again["version"]) == (False, 0, "1.1.0")
    assert (wine.train / "dreg.lock").stat().st_mtime_ns == before
    assert not (wine.home / "cache").exists()


def test_a_range_asks_only_whether_there_is_something_newer(wine):
    wine.fetch("wine@^1")
    shutil.rmtree(wine.store)
    shutil.rmtree(wine.home / "cache")
    assert wine.fetch("wine@^1")["changed"] is False
    assert not (wine.home / "cache").exists()


def test_a_newer_release_downloads_only_what_differs(wine):
    wine.fetch("wine@1.0.0")
    train = wine.train / "data" / "wine" / "processed" / "train.csv"
    inode = train.stat().st_ino
    moved = wine.fetch("wine@^1")
    assert (moved["previous"], moved["version"], moved["downloaded"]) == ("1.0.0", "1.1.0", 8)
    assert train.stat().st_ino == inode
    back = wine.fetch("wine@1.0.0")
    assert (back["previous"], back["downloaded"]) == ("1.1.0", 0)  # it is in dreg's cache
    assert tree(wine.train / "data" / "wine") == PLACED


def test_files_gone_from_a_release_are_gone_from_the_folder(wine):
    wine.fetch("wine@1.0.0")
    wine.release("2.0.0", {"processed/only.csv": b"1\n"})
    wine.fetch("wine@2")
    assert tree(wine.train / "data" / "wine").keys() == {"metadata.json", "processed/only.csv"}
    assert [path.name for path in (wine.train / "data").iterdir()] == ["wine"]


def test_what_was_deleted_is_brought_back(wine):
    wine.fetch("wine@1.0.0")
    (wine.train / "data" / "wine" / "processed" / "val.csv").unlink()
    again = wine.fetch()
    assert (again["changed"], again["downloaded"]) == (True, 0)  # it is in dreg's cache
    assert tree(wine.train / "data" / "wine") == PLACED


def test_a_file_that_was_only_touched_is_no_change(wine):
    wine.fetch("wine@1.0.0")
    os.utime(wine.train / "data" / "wine" / "processed" / "val.csv", (1, 1))
    assert wine.fetch()["changed"] is False


def test_an_empty_folder_may_be_the_target(wine):
    (wine.train / "data" / "wine").mkdir(parents=True)
    assert wine.fetch("wine")["changed"] is True


def test_a_link_to_a_bigger_disk_is_followed(wine, tmp_path):
    (tmp_path / "big" / "wine").mkdir(parents=True)
    (wine.train / "data").mkdir()
    (wine.train / "data" / "wine").symlink_to(tmp_path / "big" / "wine")
    wine.fetch("wine@1.0.0")
    wine.fetch("wine@1.1.0")
    assert (wine.train / "data" / "wine").is_symlink()
    assert tree(tmp_path / "big" / "wine").keys() == PLACED.keys()


def test_the_same_bytes_at_two_paths(wine):
    wine.release("1.2.0", {"processed/a.csv": b"same\n", "processed/b.csv": b"same\n"})
    wine.fetch("wine")
    assert tree(wine.train / "data" / "wine") == {
        "metadata.json": METADATA,
        "processed/a.csv": b"same\n",
        "processed/b.csv": b"same\n",
    }


def test_an_empty_file(wine):
    wine.release("1.2.0", {"processed/empty.csv": b""})
    wine.fetch("wine")
    assert tree(wine.train / "data" / "wine")["processed/empty.csv"] == b""


def test_names_in_any_script(wine):
    files = {"processed/ein Maß.csv": b"1\n", "processed/数据/ﬁ.csv": b"2\n"}
    wine.release("1.2.0", files)
    wine.fetch("wine")
    assert tree(wine.train / "data" / "wine") == {**files, "metadata.json": METADATA}


def test_metadata_comes_from_the_commit_and_is_verified(wine):
    entries = [file_of("metadata.json", b"another text", in_git=True)]
    wine.release("1.2.0", {}, listed=list(Snapshot.of(entries).files))
    done = wine.dreg("fetch", "wine")
    assert (done.code, done.stdout) == (3, "")
    assert "`metadata.json` arrived corrupt from the commit of wine 1.2.0" in done.stderr


def test_existing_training_code_reads_its_figure(wine):
    wine.fetch("wine")
    metadata = json.loads((wine.train / "data" / "wine" / "metadata.json").read_text())
    assert metadata["metrics"]["train"]["mean"] == 0.5


# Light enough for a training image

HEAVY = ("dvc", "git", "pandas", "pyarrow", "numpy", "ray", "torch", "botocore", "yaml", "asyncio")


def test_a_fetch_from_s3_imports_nothing_heavy(on_s3):
    on_s3.release()
    code = (
        "import json, sys; from dreg.cli import run; code = run(sys.argv[1:]); "
        "print(json.dumps(sorted({m.partition('.')[0] for m in sys.modules})), file=sys.stderr); "
        "sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "fetch", "wine", "--repo", str(on_s3.bare)],
        cwd=on_s3.train,
        env={**os.environ, **on_s3.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("fetched wine 1.0.0")
    modules = set(json.loads(done.stderr.splitlines()[-1]))
    assert {"dreg", "obstore"} <= modules
    assert modules.isdisjoint(HEAVY)


# What dreg itself released


@pytest.mark.slow
def test_what_dreg_released_is_fetched_by_range(ready):
    ready.commit_all()
    ready.ok("release", NAME)
    train = ready.home / "train"
    train.mkdir()
    done = ready.ok("fetch", f"{NAME}@^1.0", "--repo", str(ready.remote), "--json", folder=train)
    (fetched,) = done.json["datasets"]
    assert (fetched["version"], fetched["protection"]) == ("1.0.0", "sha256")
    profile = json.loads((train / "data" / NAME / "metadata.json").read_text())
    assert profile["splits"]
    placed = tree(train / "data" / NAME)
    for path, data in placed.items():
        assert (ready.path / "data" / NAME / path).read_bytes() == data
    assert not any(path.startswith("raw/") for path in placed)
