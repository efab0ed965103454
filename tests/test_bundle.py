"""One file carries a release to where no network leads, and brings the very same release."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from dreg.core.manifest import manifest_key
from tests.counting_proxy import recording
from tests.faults.proxy import LIE, PASS, Faulty
from tests.small_registry import NAME, SmallRegistry
from tests.test_signed import sign_with, ssh_key

TAG = f"{NAME}-v1.0.0"


@pytest.fixture
def released(released_once: SmallRegistry) -> SmallRegistry:
    """A registry with one release, whose `home` also holds an empty one at `other`."""
    return released_once


@pytest.fixture
def other(made_registry: SmallRegistry, tmp_path: Path) -> SmallRegistry:
    """Another registry, as it is behind an air gap: no release, other history."""
    there = made_registry.copy(tmp_path / "elsewhere")
    there.git("commit", "-q", "--allow-empty", "-m", "of its own")
    there.git("push", "-q")
    return there


def exported(registry: SmallRegistry, *arguments: str) -> Path:
    file = registry.home / "bundle.tar"
    registry.ok("export", f"{NAME}@1.0.0", "-o", str(file), *arguments)
    return file


def test_the_very_release_arrives(released, other):
    file = exported(released)
    shutil.rmtree(released.store)  # nothing of where it came from is asked
    shutil.rmtree(released.remote)
    done = other.ok("import", str(file), "--json").json
    assert (done["state"], done["version"]) == ("imported", "1.0.0")
    assert done["objects_pushed"] == done["objects"] > 0
    before = released.git("rev-parse", f"refs/tags/{TAG}", f"{TAG}^{{commit}}")
    for folder in (other.path, other.remote):
        assert (
            other.git("rev-parse", f"refs/tags/{TAG}", f"{TAG}^{{commit}}", folder=folder) == before
        )
    assert other.ok("fsck", "--remote", "--deep", "--json").json["problems"] == []
    other.git("fsck", "--strict")
    other.git("fsck", "--strict", folder=other.remote)


def test_a_yank_comes_along_if_who_signs_releases_signed_it(released, other, tmp_path):
    key = ssh_key(tmp_path, "ada")
    allowed = key.with_suffix(".allowed")
    sign_with(released, key)
    released.drop_column("leaf_mm")
    released.release("--sign")
    file = tmp_path / "b.tar"
    for by, state in ((None, False), (key, True)):
        released.git(
            "tag",
            "-f",
            *(["-s"] if by else ["-a"]),
            f"yank/{NAME}-v2.0.0",
            "-m",
            "bad",
            f"{NAME}-v2.0.0^{{commit}}",
        )
        released.git("push", "-q", "-f", "origin", f"yank/{NAME}-v2.0.0")
        file.unlink(missing_ok=True)
        released.ok("export", f"{NAME}@2.0.0", "-o", str(file))
        done = other.ok("import", str(file), "--allowed-signers", str(allowed), "--json")
        assert done.json["yanked"] is state, done.stderr
        assert ("so that yank is not imported" in done.stderr) is not state
        assert (f"yank/{NAME}-v2.0.0" in other.remote_tags()) is state


def test_a_yank_of_something_else_under_its_name_is_refused(released, other):
    released.git("commit", "-q", "--allow-empty", "-m", "other")
    released.git("tag", "-a", f"yank/{TAG}", "-m", "labels shifted", "HEAD")
    released.git("push", "-q", "origin", f"yank/{TAG}")
    done = other.dreg("import", str(exported(released)))
    assert (done.code, done.stdout) == (1, "")
    assert f"its tag object is not that of `yank/{TAG}`" in done.stderr
    assert other.remote_tags() == []


def test_no_branch_and_no_file_changes(released, other):
    head = other.git("rev-parse", "HEAD", "origin/main")
    tips = other.git("for-each-ref", "refs/heads", folder=other.remote)
    other.ok("import", str(exported(released)))
    assert other.git("rev-parse", "HEAD", "origin/main") == head
    assert other.git("for-each-ref", "refs/heads", folder=other.remote) == tips
    assert other.git("status", "--porcelain") == ""


def test_what_was_imported_is_fetched(released, other, tmp_path):
    other.ok("import", str(exported(released)))
    train = tmp_path / "train"
    train.mkdir()
    remote = str(other.store)
    fetched = other.ok(
        "fetch", f"{NAME}@^1.0", "--repo", str(other.remote), "--remote", remote, "-o", "data",
        "--json", folder=train,
    ).json["datasets"][0]  # fmt: skip
    assert (fetched["version"], fetched["protection"]) == ("1.0.0", "sha256")
    assert (train / "data" / "metadata.json").read_bytes() == (
        released.path / "data" / NAME / "metadata.json"
    ).read_bytes()


def test_the_next_release_goes_on_from_what_was_imported(released, tmp_path):
    mirror = released.copy(tmp_path / "mirror")
    mirror.git("update-ref", "-d", f"refs/tags/{TAG}", folder=mirror.remote)
    mirror.git("update-ref", "-d", f"refs/tags/{TAG}")
    mirror.ok("import", str(exported(released)))
    mirror.drop_column("leaves")
    assert mirror.release()["previous"] == "1.0.0"


def test_the_same_release_gives_the_same_bytes(released, tmp_path):
    first = exported(released).read_bytes()
    time.sleep(1.1)
    released.git("gc", "-q", "--aggressive", folder=released.remote)
    clone = tmp_path / "clone"
    released.git("clone", "-q", str(released.remote), str(clone), folder=released.home)
    other = clone / "again.tar"
    remote = str(released.store)
    released.ok("export", f"{NAME}@1.0.0", "-o", str(other), "--remote", remote, folder=clone)
    assert other.read_bytes() == first


def test_without_a_clone(released, tmp_path):
    """From a URL, as a courier would who has no registry."""
    first = exported(released).read_bytes()
    done = released.ok(
        "export", f"{NAME}@^1", "--repo", f"file://{released.remote}", "-o", "b.tar", "--json",
        folder=tmp_path,
    ).json  # fmt: skip
    assert (tmp_path / "b.tar").read_bytes() == first
    assert done["sha256"] == hashlib.sha256(first).hexdigest()


def test_from_a_shallow_checkout_without_tags(released, tmp_path):
    first = exported(released).read_bytes()
    clone = tmp_path / "ci"
    url = f"file://{released.remote}"
    released.git("clone", "-q", "--depth=1", "--no-tags", url, str(clone), folder=released.home)
    remote = str(released.store)
    released.ok("export", NAME, "-o", "b.tar", "--remote", remote, folder=clone)
    assert (clone / "b.tar").read_bytes() == first


def test_every_tar_and_git_read_it(released, tmp_path):
    file = exported(released)
    with tarfile.open(file) as tar:
        members = tar.getmembers()
        assert {(m.type, m.mtime, m.uid, m.gid, m.mode) for m in members} == {
            (tarfile.REGTYPE, 0, 0, 0, 0o644)
        }
    subprocess.run(["tar", "-xf", file, "-C", tmp_path], check=True, capture_output=True)
    heads = subprocess.run(
        ["git", "bundle", "list-heads", tmp_path / "git.bundle"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert heads.stdout.split()[1] == f"refs/tags/{TAG}"
    about = json.loads((tmp_path / "dreg-bundle.json").read_text())
    assert about["schema"] == "dreg.bundle/1"
    text = (tmp_path / "manifest.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == about["manifest"]


def test_importing_again_changes_nothing(released, other):
    file = exported(released)
    other.ok("import", str(file))
    before = other.git("for-each-ref", folder=other.remote)
    done = other.ok("import", str(file), "--json").json
    assert (done["state"], done["objects_pushed"]) == ("unchanged", 0)
    assert other.git("for-each-ref", folder=other.remote) == before


def test_importing_again_repairs(released, other):
    file = exported(released)
    done = other.ok("import", str(file), "--json").json
    digest = done["manifest"]
    victim = next(
        path for path in other.store.rglob("*") if path.is_file() and "files" in path.parts
    )
    victim.chmod(0o644)
    victim.write_bytes(b"rotten")
    (other.store / manifest_key(digest)).unlink()
    done = other.ok("import", str(file), "--json").json
    assert (done["state"], done["objects_pushed"]) == ("imported", 1)
    assert other.ok("fsck", "--remote", "--json").json["problems"] == []


def test_another_release_of_that_name_stays(released, other):
    file = exported(released)
    other.ok("run", NAME)
    other.ok("release", NAME)
    before = other.git("for-each-ref", folder=other.remote)
    stored = sorted(path for path in other.store.rglob("*"))
    done = other.dreg("import", str(file))
    assert done.code == 1
    assert f"there is another `{TAG}` on origin already" in done.stderr
    assert other.git("for-each-ref", folder=other.remote) == before
    assert sorted(path for path in other.store.rglob("*")) == stored


def test_a_yanked_release_arrives_yanked(released, other):
    released.ok("yank", f"{NAME}@1.0.0", "--reason", "labels shifted")
    done = released.ok("export", f"{NAME}@1.0.0", "-o", "bundle.tar")
    assert "is yanked" in done.stderr
    other.ok("import", str(released.path / "bundle.tar"))
    assert f"yank/{TAG}" in other.remote_tags()
    (listed,) = [d for d in other.ok("list", "--json").json["datasets"] if d["name"] == NAME]
    assert listed["yanked"] == ["1.0.0"]


def test_a_release_that_is_signed_stays_so(ready, other, tmp_path):
    ada = ssh_key(tmp_path, "ada")
    allowed = ada.with_suffix(".allowed")
    sign_with(ready, ada)
    ready.ok("release", NAME, "--sign")
    file = exported(ready)
    other.ok("import", str(file), "--allowed-signers", str(allowed))
    assert "BEGIN SSH SIGNATURE" in other.git("cat-file", "tag", TAG, folder=other.remote)


def test_a_signature_is_demanded(released, other, tmp_path):
    allowed = tmp_path / "allowed"
    allowed.write_text("a@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDu\n")
    done = other.dreg("import", str(exported(released)), "--allowed-signers", str(allowed))
    assert done.code == 1 and "is not signed" in done.stderr
    assert other.remote_tags() == []


def test_damaged_bytes_are_not_exported(released):
    objects = [path for path in (released.store / "files").rglob("*") if path.is_file()]
    victim = max(objects, key=lambda path: path.stat().st_size)
    data = bytearray(victim.read_bytes())
    data[len(data) // 2] ^= 1
    victim.chmod(0o644)
    victim.write_bytes(data)
    done = released.dreg("export", f"{NAME}@1.0.0", "-o", "b.tar")
    assert done.code == 3 and "corrupt" in done.stderr
    assert not [p for p in released.path.iterdir() if "b.tar" in p.name]


def test_a_file_of_the_users_stays(released):
    (released.path / "notes.tar").write_text("mine")
    done = released.dreg("export", NAME, "-o", "notes.tar")
    assert done.code == 1 and "is there already" in done.stderr
    assert (released.path / "notes.tar").read_text() == "mine"


def test_export_again_over_its_own_file(released):
    first = exported(released).read_bytes()
    assert exported(released).read_bytes() == first


@pytest.mark.parametrize("file", ["nowhere.tar", "data"])
def test_no_such_file(other, file):
    assert other.dreg("import", file).code == 2


def test_s3_to_s3(ready, other, s3):
    environment = {**s3.environment, "DREG_REMOTE": s3.url + "/a", "AWS_ENDPOINT_URL": s3.endpoint}
    ready.ok("release", NAME, **environment)
    ready.ok("export", NAME, "-o", "b.tar", **environment)
    environment["DREG_REMOTE"] = s3.url + "/b"
    done = other.ok("import", str(ready.path / "b.tar"), **environment)
    assert "consumers need --remote or DREG_REMOTE" in done.stderr
    assert other.ok("fsck", "--remote", "--deep", "--json", **environment).json["problems"] == []


def test_an_import_announces_itself_and_writes_the_manifest_last(ready, other, s3):
    environment = {**s3.environment, "DREG_REMOTE": s3.url + "/a", "AWS_ENDPOINT_URL": s3.endpoint}
    ready.ok("release", NAME, **environment)
    ready.ok("export", NAME, "-o", "b.tar", **environment)
    with recording(s3.port) as proxy:
        environment |= {"DREG_REMOTE": s3.url + "/b", "AWS_ENDPOINT_URL": proxy.endpoint}
        other.ok("import", str(ready.path / "b.tar"), **environment)
        written = [path for method, path in proxy.asked if method == "PUT"]
        last = proxy.asked[-1]
    first, *objects, manifest = written
    assert "/dreg/announced/" in first
    assert all("/files/md5/" in path for path in objects)
    folders = [path.endswith(".dir") for path in objects]
    assert any(folders) and folders == sorted(folders), "a folder's after the files it names"
    assert "/dreg/manifests/" in manifest
    assert last[0] in ("POST", "DELETE"), "the announcement goes when all is done"


@pytest.mark.parametrize("what", ["/files/md5/", "/dreg/manifests/"])
def test_what_a_store_takes_and_does_not_keep_is_no_import(ready, other, s3, what):
    """All is proven before the manifest is written, and the manifest before the tag."""
    environment = {**s3.environment, "DREG_REMOTE": s3.url + "/a", "AWS_ENDPOINT_URL": s3.endpoint}
    ready.ok("release", NAME, **environment)
    ready.ok("export", NAME, "-o", "b.tar", **environment)
    proxy = Faulty(s3.port)
    try:
        environment |= {"DREG_REMOTE": s3.url + "/b", "AWS_ENDPOINT_URL": proxy.endpoint}
        written = []

        def lying(number: int, method: str, path: str) -> str:
            written.append(path) if method == "PUT" else None
            return LIE if what in path else PASS

        proxy.decide = lying
        done = other.dreg("import", str(ready.path / "b.tar"), **environment)
        assert (done.code, done.stdout) == (3, ""), done
        assert other.remote_tags() == other.git("tag", "--list").split() == []
        assert any("/dreg/manifests/" in path for path in written) == (what == "/dreg/manifests/")
        proxy.decide = lambda number, method, path: PASS
        other.ok("import", str(ready.path / "b.tar"), **environment)
        assert (
            other.ok("fsck", "--remote", "--deep", "--json", **environment).json["problems"] == []
        )
    finally:
        proxy.down()


def test_killed_at_any_moment_the_same_command_completes(released, other):
    """Three times at moments spread over the whole of it; after each, what a tag promises is there."""
    file = exported(released)
    started = time.monotonic()
    trial = other.copy(other.home / "trial")
    trial.ok("import", str(file))
    took = time.monotonic() - started
    for part in range(3):
        trial = other.copy(other.home / f"trial-{part}")
        process = subprocess.Popen(
            [sys.executable, "-m", "dreg", "import", str(file)],
            cwd=trial.path, env={**os.environ, **trial.environment},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        time.sleep(took * (0.4 + 0.2 * part))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert trial.git("status", "--porcelain") == ""
        if TAG in trial.remote_tags():
            assert trial.ok("fsck", "--remote", "--json").json["problems"] == []
        trial.ok("import", str(file))
        assert trial.remote_tags() == [TAG]
        assert trial.ok("fsck", "--remote", "--deep", "--json").json["problems"] == []


def test_export_killed_leaves_no_file_of_that_name(released):
    process = subprocess.Popen(
        [sys.executable, "-m", "dreg", "export", NAME, "-o", "b.tar"],
        cwd=released.path, env={**os.environ, **released.environment},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    part = released.path / ".b.tar.part"
    deadline = time.monotonic() + 120
    while not part.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not (released.path / "b.tar").exists() or not part.exists()
    released.ok("export", NAME, "-o", "b.tar")
    assert not part.exists() and (released.path / "b.tar").exists()


def test_what_was_imported_is_shown_without_a_pipeline_here(released, other):
    file = exported(released)
    shutil.rmtree(other.path / "pipelines" / NAME)
    other.commit_all()
    other.git("push", "-q")
    other.ok("import", str(file))
    for request in (NAME, f"{NAME}@1.0.0"):
        assert other.ok("show", request, "--json").json["tag"] == TAG
    subjects = other.ok("show", NAME, "--provenance").json["subject"]
    assert subjects == released.ok("show", NAME, "--provenance").json["subject"]
    assert "no dataset named `none`" in other.dreg("show", "none").stderr
