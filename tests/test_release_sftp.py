"""Remotes that dreg leaves to DVC, as one of them does: SSH, on a real server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from dreg.adapters.through_dvc import open_own
from dreg.core.manifest import manifest_digest, manifest_key
from dreg.core.remotes import Remote, object_key
from dreg.errors import BadRequest, Outside
from tests.sftp_server import PASSWORD
from tests.small_registry import NAME

pytest.importorskip("dvc_ssh", reason="the dev extra installs dvc-ssh")


@pytest.fixture
def on_sftp(ready, sftp):
    """A registry that has run, whose default remote is reached by SSH; the password is not committed."""
    config = ready.path / ".dvc" / "config"
    config.write_text(config.read_text() + f"['remote \"server\"']\n    url = {sftp.url}\n")
    ready.ok("remote", "use", "server")
    (ready.path / ".dvc" / "config.local").write_text(
        f"['remote \"server\"']\n    password = {PASSWORD}\n"
    )
    ready.git("add", ".dvc/config")
    ready.git("commit", "-q", "-m", "bytes on a server")
    ready.git("push", "-q")
    return ready


def released(registry):
    (one,) = registry.ok("release", NAME, "--json").json["releases"]
    return one


def objects(sftp):
    found = (sftp.folder / "store" / "files" / "md5").glob("*/*")
    return {f"files/md5/{p.parent.name}/{p.name}" for p in found}


def test_a_release_goes_through_dvc_and_every_object_and_the_manifest_are_there(on_sftp, sftp):
    one = released(on_sftp)
    cache = (on_sftp.path / ".dvc" / "cache" / "files" / "md5").glob("*/*")
    assert objects(sftp) == {object_key(p.parent.name + p.name) for p in cache}
    assert one["objects_pushed"] == len(objects(sftp))
    message = on_sftp.git("cat-file", "tag", one["tag"], folder=on_sftp.remote)
    assert (sftp.folder / "store" / manifest_key(manifest_digest(message))).is_file()
    assert one["tag"] in on_sftp.remote_tags()
    assert "push --remote server" in log(on_sftp)


def log(registry):
    return (registry.path / ".dvc" / "tmp" / "dreg" / "logs" / f"{NAME}.log").read_text()


def test_plain_dvc_pulls_what_was_released(on_sftp, sftp, tmp_path):
    released(on_sftp)
    on_sftp.git("clone", "-q", "registry.git", "plain", folder=on_sftp.home)
    plain = on_sftp.home / "plain"
    (plain / ".dvc" / "config.local").write_text(
        (on_sftp.path / ".dvc" / "config.local").read_text()
    )
    command = [sys.executable, "-m", "dvc", "pull", "--quiet"]
    subprocess.run(command, cwd=plain, env=on_sftp.environment, check=True)
    path = f"data/{NAME}/processed/train.parquet"
    assert (plain / path).read_bytes() == (on_sftp.path / path).read_bytes()


def test_wrong_bytes_on_the_server_are_written_again(on_sftp, sftp):
    """DVC only looks whether an object is there."""
    on_sftp.ok("run", NAME, "--push")
    wrong = next(
        p for p in (sftp.folder / "store").rglob("*") if p.is_file() and p.suffix != ".dir"
    )
    right = wrong.read_bytes()
    wrong.chmod(0o644)
    wrong.write_bytes(bytes(len(right)))
    assert released(on_sftp)["objects_pushed"] == 1
    assert wrong.read_bytes() == right


def test_what_the_server_lost_is_pushed_again_although_dvc_believes_it_there(on_sftp, sftp):
    on_sftp.ok("run", NAME, "--push")
    gone = next(p for p in (sftp.folder / "store").rglob("*") if p.is_file() and p.suffix != ".dir")
    gone.unlink()
    assert released(on_sftp)["objects_pushed"] == 1
    assert gone.is_file()


def test_fsck_reads_the_server(on_sftp, sftp):
    released(on_sftp)
    on_sftp.ok("fsck", "--remote", "--deep")
    wrong = next(
        p for p in (sftp.folder / "store").rglob("*") if p.is_file() and p.suffix != ".dir"
    )
    wrong.chmod(0o644)
    wrong.write_bytes(b"x" * wrong.stat().st_size)
    assert on_sftp.dreg("fsck", "--remote", "--deep").code == 1
    on_sftp.ok("remote", "check")


def test_where_a_release_comes_from_is_shown_and_proven(on_sftp, tmp_path):
    one = released(on_sftp)
    said = on_sftp.ok("show", NAME, "--provenance", "--json", DREG_CACHE=str(tmp_path)).json
    assert one["commit"] in str(said["predicate"])
    assert on_sftp.ok("reproduce", NAME, "--json", DREG_CACHE=str(tmp_path)).json["proven"]


def test_a_wrong_password_is_outside_and_is_never_shown(on_sftp):
    local = on_sftp.path / ".dvc" / "config.local"
    local.write_text(local.read_text().replace(PASSWORD, "wrong-and-secret"))
    for command in (["release", NAME], ["remote", "check"], ["run", NAME, "--push"]):
        done = on_sftp.dreg(*command)
        assert done.code == 3, done.stderr
        assert "the remote `server` at ssh://" in done.stderr
        assert "\nhint: " in done.stderr and "Traceback" not in done.stderr
        assert "wrong-and-secret" not in done.stdout + done.stderr
    assert on_sftp.remote_tags() == []


def test_a_plugin_that_is_not_installed_is_named():
    with pytest.raises(Outside, match="DVC lacks its plugin") as caught:
        open_own(Remote("cloud", "gs://bucket/x"))
    assert caught.value.hint == "pip install 'dvc[gs]'"


@pytest.mark.parametrize("url", ["git://host/x", "memory://x", "nonsense://x"])
def test_what_is_no_remote_of_dvc_is_a_bad_request(url):
    with pytest.raises(BadRequest, match="neither dreg nor DVC"):
        open_own(Remote("r", url))


def test_a_consumer_does_not_open_what_a_registry_configures_for_dvc(on_sftp, tmp_path):
    """Such a configuration may name a command to run."""
    released(on_sftp)
    for command in (("fetch", NAME), ("show", NAME, "--provenance")):
        repo = ("--repo", str(on_sftp.remote))
        done = on_sftp.dreg(*command, *repo, folder=tmp_path, DREG_CACHE=str(tmp_path / "cache"))
        assert done.code == 2
        assert "dreg cannot open the remote `server`" in done.stderr
        assert "dvc pull" in done.stderr
