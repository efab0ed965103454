"""Large objects in parts; networks that fail; remotes tried in order. The server is a real one."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import time
from datetime import timedelta

import pytest

from dreg.adapters.objects import Stores, open_store
from dreg.adapters.objects.opening import RETRY
from dreg.adapters.objects.parts import PART
from dreg.adapters.objects.patience import TRIES
from dreg.core.remotes import Remote
from dreg.errors import Outside
from tests.hand_made import METADATA, S3_REMOTE, HandMade, tree
from tests.relay import relay

LARGE = bytes(range(251)) * (4 * PART // 251) + b"the end"


def sums(data: bytes) -> dict:
    return {
        "size": len(data),
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }


@pytest.fixture
def through(s3, monkeypatch):
    """A store whose requests go through the relay, which has large and small objects behind it."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    direct = open_store(Remote("local", s3.url, endpoint=s3.endpoint))
    direct.put_bytes("large", LARGE)
    direct.put_bytes("small", b"small")

    def opened(between):
        return open_store(Remote("local", s3.url, endpoint=between.endpoint))

    return opened


def test_a_large_object_is_had_in_parts_at_once(through, s3, tmp_path):
    with relay(s3.port) as between:
        through(between).download("large", tmp_path / "copy", **sums(LARGE))
        assert between.connections > 1
        assert len(LARGE) < between.received < len(LARGE) * 1.01
    assert (tmp_path / "copy").read_bytes() == LARGE
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


@pytest.mark.parametrize(
    "faults", [["busy"] * 3, [100_000, 200_000, 1_000_000], ["busy", 70_000]], ids=str
)
@pytest.mark.parametrize("key", ["large", "small"])
def test_an_overloaded_or_broken_connection_is_tried_again(through, s3, tmp_path, key, faults):
    data = LARGE if key == "large" else b"small"
    with relay(s3.port, *faults) as between:
        through(between).download(key, tmp_path / "copy", **sums(data))
    assert (tmp_path / "copy").read_bytes() == data


def test_a_silent_connection_is_given_up(through, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_TIMEOUT", "2")
    with relay(s3.port, "silent", "silent") as between:
        through(between).download("large", tmp_path / "copy", **sums(LARGE))
    assert (tmp_path / "copy").read_bytes() == LARGE


@pytest.mark.parametrize("key", ["large", "small"])
def test_a_silent_connection_is_tried_again_however_long_that_took(
    through, s3, tmp_path, key, monkeypatch
):
    monkeypatch.setenv("DREG_TIMEOUT", "1")
    monkeypatch.setitem(
        RETRY, "retry_timeout", timedelta(seconds=0.5)
    )  # as 10 s and DREG_TIMEOUT=30
    data = LARGE if key == "large" else b"small"
    with relay(s3.port, "silent", "silent") as between:
        through(between).download(key, tmp_path / "copy", **sums(data))
    assert (tmp_path / "copy").read_bytes() == data


def test_a_server_that_never_answers_is_given_up(through, s3, tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_TIMEOUT", "0.3")
    monkeypatch.setitem(RETRY, "max_retries", 0)
    with (
        relay(s3.port, *["silent"] * 10) as between,
        pytest.raises(Outside, match="failed: timed out"),
    ):
        through(between).download("small", tmp_path / "copy", **sums(b"small"))
    assert between.connections == TRIES


def test_parts_that_were_left_damaged_are_fetched_once_more(through, s3, tmp_path):
    expected = sums(LARGE)
    left = tmp_path / f".dreg-part-{expected['sha256']}"
    left.write_bytes(bytes(len(LARGE)))
    left.with_suffix(".done").write_bytes(b"\1\1")
    with relay(s3.port) as between:
        through(between).download("large", tmp_path / "copy", **expected)
    assert (tmp_path / "copy").read_bytes() == LARGE
    assert [path.name for path in tmp_path.iterdir()] == ["copy"]


def test_a_large_object_of_other_bytes_is_never_placed(through, s3, tmp_path):
    wrong = {**sums(LARGE), "sha256": "0" * 64}
    with relay(s3.port) as between, pytest.raises(Outside, match="expected sha256 000"):
        through(between).download("large", tmp_path / "copy", **wrong)
    assert list(tmp_path.iterdir()) == []


def test_a_killed_fetch_goes_on_where_it_stopped(tmp_path, s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    with relay(s3.port) as between:
        config = "[core]\n    remote = local\n" + S3_REMOTE.format(
            url=s3.url, endpoint=between.endpoint
        )
        remote = Remote("local", s3.url, endpoint=s3.endpoint)
        made = HandMade(tmp_path, {"DREG_CACHE": str(tmp_path / "cache")}, remote, config)
        data = os.urandom(20 * PART)
        made.release("1.0.0", {"processed/large.bin": data})
        process = subprocess.Popen(
            made.command("fetch", "wine", "--repo", str(made.bare)),
            cwd=made.train,
            env={**os.environ, **made.environment},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        parts = made.train / "data" / ".wine.dreg-parts"
        deadline = time.monotonic() + 120
        while not any(b"\1" in path.read_bytes() for path in parts.glob("*.done")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.002)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        before = sum(path.read_bytes().count(b"\1") for path in parts.glob("*.done"))
        assert before < 20
        between.received = 0
        made.fetch("wine", "--repo", str(made.bare))
        assert between.received < (20 - before) * PART * 1.02
    assert tree(made.train / "data" / "wine") == {
        "processed/large.bin": data,
        "metadata.json": METADATA,
    }
    assert [path.name for path in (made.train / "data").iterdir()] == ["wine"]


# Several remotes


def test_remotes_are_tried_in_order(tmp_path):
    stores = [Remote(name, str(tmp_path / name)) for name in ("gone", "damaged", "good")]
    data = b"right"
    open_store(stores[1]).put_bytes("key", b"wrong")
    open_store(stores[2]).put_bytes("key", data)
    both = Stores(stores)
    assert both.get_bytes("key", 10) == b"wrong"  # what is not verified comes from the first
    both.download("key", tmp_path / "copy", **sums(data))
    assert (tmp_path / "copy").read_bytes() == data
    with pytest.raises(Outside, match="gone") as caught:
        both.get_bytes("other", 10)
    assert len(caught.value.details) == 2
