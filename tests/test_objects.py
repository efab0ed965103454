"""Objects on a remote: every kind keeps the same promises; S3 is a real server."""

from __future__ import annotations

import hashlib
import http.server
import os
import shutil
import subprocess
import threading
from functools import partial

import pytest

from dreg.adapters.objects import Missing, many, open_store
from dreg.core.remotes import Remote
from dreg.errors import BadRequest, Outside
from tests.ports import free_ports
from tests.s3_server import KEY, SECRET

LARGE = bytes(range(256)) * (80 * 1024)  # 20 MB: in several parts on S3


@pytest.fixture(params=["folder", "s3", "s3 below a prefix", "azure"])
def store(request, tmp_path, monkeypatch):
    if request.param == "folder":
        return open_store(Remote("disk", str(tmp_path / "store")))
    if request.param == "azure":
        return open_store(Remote("cloud", request.getfixturevalue("azure") + "/a/prefix"))
    s3 = request.getfixturevalue("s3")
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    below = "/a/prefix" if "prefix" in request.param else ""
    return open_store(Remote("local", s3.url + below, endpoint=s3.endpoint))


def sums(data: bytes) -> dict:
    return {
        "size": len(data),
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


def test_an_object_is_there_with_its_bytes_until_deleted(store):
    assert store.size("a/b") is None
    store.put_bytes("a/b", b"hello")
    assert (store.size("a/b"), store.get_bytes("a/b", 5)) == (5, b"hello")
    store.put_bytes("a/b", b"")
    assert (store.size("a/b"), store.get_bytes("a/b", 5)) == (0, b"")
    store.delete("a/b")
    assert store.size("a/b") is None
    store.delete("a/b")


@pytest.mark.parametrize("data", [b"", b"small", LARGE], ids=["empty", "small", "large"])
def test_files_go_and_come_back_with_progress(store, tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    sent, received = [], []
    store.put_file("key", tmp_path / "file", sent.append)
    into = tmp_path / "new" / "folder" / "copy"
    assert (
        store.download("key", into, **sums(data), advance=received.append) == sums(data)["sha256"]
    )
    assert into.read_bytes() == data
    assert sum(sent) == sum(received) == len(data)


def test_what_is_missing_is_named(store, tmp_path):
    store.put_bytes("other", b"")
    with pytest.raises(Missing, match="lacks the object `files/md5/ab/c`"):
        store.get_bytes("files/md5/ab/c", 10)
    with pytest.raises(Missing):
        store.download("files/md5/ab/c", tmp_path / "x" / "y", **sums(b""))
    assert list((tmp_path / "x").iterdir()) == []


def test_an_object_over_the_limit_is_not_read(store):
    store.put_bytes("key", b"12345")
    with pytest.raises(Outside, match="larger than 4 bytes"):
        store.get_bytes("key", 4)


@pytest.mark.parametrize("wrong", ["size", "md5", "sha256"])
def test_bytes_that_do_not_check_out_are_never_placed(store, tmp_path, wrong):
    store.put_bytes("key", b"damaged")
    expected = {**sums(b"damaged"), wrong: {"size": 3, "md5": "0" * 32, "sha256": "0" * 64}[wrong]}
    with pytest.raises(Outside) as caught:
        store.download("key", tmp_path / "x" / "y", **expected, called="processed/train.csv")
    assert "`processed/train.csv` arrived corrupt" in caught.value.fact
    assert f"expected {wrong} {expected[wrong]}, got {sums(b'damaged')[wrong]}" in caught.value.fact
    assert list((tmp_path / "x").iterdir()) == []


def test_many_threads_may_use_a_store(store, tmp_path):
    contents = {f"k/{i}": f"object {i}".encode() * (i + 1) for i in range(200)}
    many([partial(store.put_bytes, key, data) for key, data in contents.items()])
    jobs = [partial(store.download, k, tmp_path / k, **sums(d)) for k, d in contents.items()]
    assert many(jobs) == [sums(data)["sha256"] for data in contents.values()]
    assert all((tmp_path / key).read_bytes() == data for key, data in contents.items())


def test_the_first_failure_ends_the_rest():
    done = []

    def job(i):
        if i == 3:
            raise Outside("no", hint="none")
        done.append(i)

    with pytest.raises(Outside, match="no"):
        many([partial(job, i) for i in range(10_000)], in_flight=2)
    assert len(done) < 10_000
    assert many([]) == []


def test_a_folder_is_written_whole_or_not_at_all(tmp_path):
    store = open_store(Remote("disk", str(tmp_path / "store")))
    store.put_bytes("a/b", b"old")

    class Torn(Exception):
        pass

    def torn(n):
        raise Torn

    (tmp_path / "file").write_bytes(b"new bytes")
    with pytest.raises(Torn):
        store.put_file("a/b", tmp_path / "file", torn)
    assert store.get_bytes("a/b", 10) == b"old"
    assert [path.name for path in (tmp_path / "store" / "a").iterdir()] == ["b"]


def test_a_folder_that_is_not_there(tmp_path):
    store = open_store(Remote("disk", str(tmp_path / "nowhere")))
    assert store.size("a") is None
    with pytest.raises(Outside, match="is not there") as caught:
        store.get_bytes("a", 1)
    assert "DREG_REMOTE" in caught.value.hint


def test_a_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    open_store(Remote("disk", "~/store")).put_bytes("a", b"1")
    assert (tmp_path / "store" / "a").read_bytes() == b"1"


@pytest.mark.parametrize("url", ["", "../beside", "gs://", "azure://c/x", "s3://", "ssh://host/x"])
def test_what_cannot_be_opened_is_a_bad_request(url):
    with pytest.raises(BadRequest) as caught:
        open_store(Remote("r", url))
    assert "`r`" in caught.value.fact


def test_a_web_server_is_read(tmp_path):
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "key").write_bytes(b"hello")
    handler = partial(QuietHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        store = open_store(Remote("web", f"http://127.0.0.1:{server.server_port}/store"))
        assert (store.size("key"), store.get_bytes("key", 9)) == (5, b"hello")
        assert store.size("other") is None
        with pytest.raises(Missing):
            store.get_bytes("other", 9)
        with pytest.raises(Outside, match="501"):
            store.put_bytes("key", b"x")
        server.shutdown()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


# Who one is to S3: the standard AWS chain, and nothing of it in messages.


def s3_store(s3, **options):
    return open_store(Remote("local", s3.url, endpoint=s3.endpoint, **options))


def test_without_any_credentials(s3):
    with pytest.raises(Outside, match="no credentials for the remote `local`") as caught:
        s3_store(s3)
    assert "AWS_ACCESS_KEY_ID" in caught.value.hint and "AWS_PROFILE" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong-secret"}, "SignatureDoesNotMatch"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "InvalidAccessKeyId"),
    ],
)
def test_refused_credentials_name_endpoint_and_identity(s3, monkeypatch, change, reason):
    for name, value in {**s3.environment, **change}.items():
        monkeypatch.setenv(name, value)
    store = s3_store(s3)
    for attempt in (
        lambda: store.get_bytes("a", 1),
        lambda: store.put_bytes("a", b""),
        lambda: store.size("a"),
    ):
        with pytest.raises(Outside) as caught:
            attempt()
        said = f"{caught.value.fact} {caught.value.hint}"
        assert s3.endpoint in said and "keys in the environment" in said
        assert "wrong-secret" not in said and SECRET not in said
    with pytest.raises(Outside, match=reason):
        store.get_bytes("a", 1)


@pytest.fixture
def profiles(tmp_path, monkeypatch):
    """A shared credentials file with the profile `storage`."""
    file = tmp_path / "credentials"
    file.write_text(
        f"[storage]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n"
        "[stranger]\naws_access_key_id = x\naws_secret_access_key = y\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    return file


def test_a_profile_from_the_environment(s3, profiles, monkeypatch):
    monkeypatch.setenv("AWS_PROFILE", "storage")
    s3_store(s3).put_bytes("a", b"1")
    monkeypatch.setenv("AWS_PROFILE", "stranger")
    with pytest.raises(Outside, match="to profile `stranger`"):
        s3_store(s3).get_bytes("a", 1)
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(Outside, match="nobody"):
        s3_store(s3)


def test_the_profile_of_the_remote(s3, profiles):
    store = s3_store(s3, profile="storage")
    store.put_bytes("a", b"1")
    assert store.get_bytes("a", 1) == b"1"


def test_the_credentials_file_of_the_remote(s3, profiles, monkeypatch):
    monkeypatch.delenv("AWS_SHARED_CREDENTIALS_FILE")
    store = s3_store(s3, profile="storage", credentials=str(profiles))
    store.put_bytes("a", b"1")
    assert store.get_bytes("a", 1) == b"1"


def test_keys_in_the_environment_come_first(s3, profiles, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    store = s3_store(s3, profile="stranger")
    store.put_bytes("a", b"1")
    assert store.get_bytes("a", 1) == b"1"


def test_the_environment_overrides_the_endpoint(s3, monkeypatch):
    for name, value in {**s3.environment, "AWS_ENDPOINT_URL": s3.endpoint}.items():
        monkeypatch.setenv(name, value)
    store = open_store(Remote("minio", s3.url, endpoint="http://minio.cluster.internal:9000"))
    store.put_bytes("a", b"1")
    assert s3.endpoint in store.location


def test_a_password_in_the_endpoint_is_not_shown(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    endpoint = s3.endpoint.replace("://", "://user:hidden@")
    assert "hidden" not in open_store(Remote("r", s3.url, endpoint=endpoint)).location


def test_nobody_listens(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    (port,) = free_ports(1)
    store = open_store(Remote("local", s3.url, endpoint=f"http://127.0.0.1:{port}"))
    with pytest.raises(Outside, match="cannot be reached: Connection refused"):
        store.get_bytes("a", 1)


def test_a_bucket_that_is_not_there(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    store = open_store(Remote("local", "s3://no-such-bucket", endpoint=s3.endpoint))
    with pytest.raises(Outside, match="has no bucket `no-such-bucket`"):
        store.get_bytes("a", 1)


@pytest.fixture
def tiny_disk(tmp_path):
    """A file system of 64 kB."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    mounted = os.geteuid() == 0 and shutil.which("mount")
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if not mounted or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("mounting a tmpfs needs root and the right to mount")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_leaves_no_part_behind(store, tiny_disk):
    store.put_bytes("key", LARGE)
    with pytest.raises(OSError, match="No space left"):
        store.download("key", tiny_disk / "file", **sums(LARGE))
    assert list(tiny_disk.iterdir()) == []
    small = open_store(Remote("disk", str(tiny_disk / "store")))
    with pytest.raises(OSError, match="No space left"):
        small.put_bytes("key", LARGE)
    assert small.size("key") is None
