"""What a release and fsck know of objects on a store, and how few questions that takes."""

from __future__ import annotations

import hashlib
import http.server
import threading
from functools import partial

import obstore
import pytest

from dreg.adapters.inspection import Wanted, inspect
from dreg.adapters.objects import many, open_store
from dreg.core.remotes import Remote, object_key
from dreg.core.stored import MOST_PARTS, State, Stored, part_size, parts_etag
from dreg.errors import Outside

LARGE = bytes(range(256)) * (80 * 1024)  # 20 MB: in several parts on S3


def wanted(data: bytes, **known) -> Wanted:
    md5 = hashlib.md5(data).hexdigest()
    return Wanted(object_key(md5), md5, len(data), **known)


@pytest.fixture
def bucket(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return open_store(Remote("local", s3.url + "/below", endpoint=s3.endpoint))


@pytest.fixture(params=["folder", "bucket"])
def store(request, tmp_path):
    if request.param == "folder":
        return open_store(Remote("disk", str(tmp_path / "store")))
    return request.getfixturevalue("bucket")


@pytest.fixture
def questions(monkeypatch):
    """The requests that obstore is asked to make, by kind; they are made all the same."""
    asked: list[str] = []
    for kind in ("head", "get"):
        real = getattr(obstore, kind)

        def counted(*arguments, _kind=kind, _real=real, **options):
            asked.append(_kind)
            return _real(*arguments, **options)

        monkeypatch.setattr(obstore, kind, counted)
    real_list = obstore.list

    def pages(*arguments, **options):
        for page in real_list(*arguments, **options):
            asked.append("page")
            yield page

    monkeypatch.setattr(obstore, "list", pages)
    return asked


@pytest.mark.parametrize("around", [0, 30], ids=["few", "many"])
def test_right_missing_truncated_and_corrupted_are_told_apart(store, around):
    right, gone, short, other = (wanted(name) for name in (b"right", b"gone", b"short", b"other"))
    store.put_bytes(right.key, b"right")
    store.put_bytes(short.key, b"shor")
    store.put_bytes(other.key, b"OTHER")
    more = [wanted(b"%d" % n) for n in range(around)]
    for n, each in enumerate(more):
        store.put_bytes(each.key, b"%d" % n)
    states = inspect(store, [right, gone, short, other, *more])
    assert states[:4] == [State.RIGHT, State.MISSING, State.WRONG_SIZE, State.WRONG_BYTES]
    assert set(states[4:]) <= {State.RIGHT}


def test_without_a_size_the_checksum_decides(store):
    store.put_bytes("files/md5/a", b"[]")
    md5 = hashlib.md5(b"[]").hexdigest()
    asked = [Wanted("files/md5/a", md5), Wanted("files/md5/a", "0" * 32)]
    assert inspect(store, asked) == [State.RIGHT, State.WRONG_BYTES]


def test_many_objects_are_proven_by_one_listing_and_nothing_is_read(bucket, questions):
    objects = [b"%d" % n for n in range(300)]
    for data in objects:
        bucket.put_bytes(wanted(data).key, data)
    assert set(inspect(bucket, [wanted(data) for data in objects])) == {State.RIGHT}
    assert questions == ["page"]


def test_a_few_objects_are_asked_for_one_by_one(bucket, questions):
    bucket.put_bytes(wanted(b"a").key, b"a")
    assert inspect(bucket, [wanted(b"a"), wanted(b"b")]) == [State.RIGHT, State.MISSING]
    assert questions == ["head", "head"]


@pytest.fixture
def small_pages(monkeypatch):
    monkeypatch.setattr("dreg.adapters.objects.bucket.PAGE", 20)
    monkeypatch.setattr("dreg.adapters.looking_up.PAGE", 20)


def test_the_first_page_tells_that_a_listing_is_much_longer_than_what_is_asked_for(
    bucket, questions, small_pages
):
    objects = fill(bucket, 600)
    asked = [wanted(data) for data in [*objects[:20], b"gone"]]
    assert inspect(bucket, asked) == [State.RIGHT] * 20 + [State.MISSING]
    assert questions.count("page") == 1
    assert questions.count("head") == len(asked)


def test_a_long_listing_is_read_in_stretches_and_each_object_is_found(
    bucket, questions, small_pages
):
    objects = fill(bucket, 600)
    bucket.put_bytes("files/md5/zz-not-of-dvc", b"")
    asked = [wanted(data) for data in [*objects, b"gone"]]
    assert inspect(bucket, asked) == [State.RIGHT] * 600 + [State.MISSING]
    assert "head" not in questions
    assert 31 <= questions.count("page") <= 31 + 16


def test_a_listing_without_an_order_is_read_to_its_end(bucket, monkeypatch):
    objects = fill(bucket, 100)
    real = bucket._place.pages

    def shuffled(prefix, after=""):
        assert not after
        yield from ([*page[50:], *page[:50]] for page in real(prefix))

    monkeypatch.setattr(bucket._place, "pages", shuffled)
    assert set(inspect(bucket, [wanted(data) for data in objects])) == {State.RIGHT}


def fill(store, number: int) -> list[bytes]:
    objects = [b"%d" % n for n in range(number)]
    many([partial(store.put_bytes, wanted(data).key, data) for data in objects])
    return objects


def test_an_upload_in_parts_is_proven_by_its_local_bytes_else_read(bucket, tmp_path, questions):
    (tmp_path / "large").write_bytes(LARGE)
    here = wanted(LARGE, source=tmp_path / "large")
    bucket.put_file(here.key, tmp_path / "large")
    assert inspect(bucket, [here], read=True) == [State.RIGHT]
    assert questions == ["head"]
    assert inspect(bucket, [wanted(LARGE)]) == [State.UNREAD]
    assert "get" not in questions
    assert inspect(bucket, [wanted(LARGE)], read=True) == [State.RIGHT]
    assert questions[-1] == "get"


def test_an_upload_in_parts_with_other_bytes_is_found(bucket, tmp_path):
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "other").write_bytes(LARGE[:-1] + b"x")
    here = wanted(LARGE, source=tmp_path / "large")
    bucket.put_file(here.key, tmp_path / "other")
    assert inspect(bucket, [here], read=True) == [State.WRONG_BYTES]
    assert inspect(bucket, [here], deep=True) == [State.WRONG_BYTES]


def test_an_etag_that_is_no_md5_of_the_bytes_convicts_nobody(bucket, monkeypatch):
    """AWS with KMS reports 32 hex digits that are not the MD5."""
    each = wanted(b"encrypted")
    bucket.put_bytes(each.key, b"encrypted")
    monkeypatch.setattr(bucket._place, "stat", lambda key: Stored(9, "0" * 32))
    assert inspect(bucket, [each]) == [State.RIGHT]


def test_deep_reads_what_the_store_vouches_for(bucket, monkeypatch):
    """A store may keep the ETag of bytes that have rotted since."""
    each = wanted(b"promised")
    bucket.put_bytes(each.key, b"PROMISED")
    monkeypatch.setattr(bucket._place, "stat", lambda key: Stored(8, each.md5))
    assert inspect(bucket, [each]) == [State.RIGHT]
    assert inspect(bucket, [each], deep=True) == [State.WRONG_BYTES]


def test_a_web_server_proves_nothing_but_size(tmp_path):
    each = wanted(b"hello")
    path = tmp_path / each.key
    path.parent.mkdir(parents=True)
    path.write_bytes(b"HELLO")
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        store = open_store(Remote("web", f"http://127.0.0.1:{server.server_port}"))
        assert inspect(store, [each] * 20) == [State.UNREAD] * 20
        assert inspect(store, [each], read=True) == [State.WRONG_BYTES]
        server.shutdown()


def test_an_etag_in_parts_is_the_md5_of_md5s():
    parts = iter([b"ab", b"c", b""])
    inner = hashlib.md5(b"ab").digest() + hashlib.md5(b"c").digest()
    assert parts_etag(lambda n: next(parts), 2) == hashlib.md5(inner).hexdigest() + "-2"
    assert Stored(20_000_000, "0" * 32 + "-3").part_sizes == (8 * 1024 * 1024,)
    assert Stored(20_000_000, "0" * 32 + "-7").part_sizes == ()
    assert Stored(5, "W/xyz").md5 is None


@pytest.mark.parametrize("size", [1, 80 * 10**9, 5 * 1024**4])
def test_an_object_has_no_more_parts_than_s3_takes(size):
    part = part_size(size)
    assert -(-size // part) <= MOST_PARTS
    assert Stored(size, f"{'0' * 32}-{-(-size // part)}").part_sizes[0] == part


def test_a_manifest_on_the_store_vouches_for_bytes_not_for_presence(store, tmp_path):
    """What was verified when it was written is not read again; that it is there still is asked."""
    (tmp_path / "large").write_bytes(LARGE)
    key = wanted(LARGE).key
    store.put_file(key, tmp_path / "large")
    store.put_bytes(wanted(b"short").key, b"shor")
    since = store.stat(key).touched
    here, gone, short = (wanted(data, vouched=since) for data in (LARGE, b"gone", b"short"))
    reads = []
    store._place.read = reads.append
    states = inspect(store, [here, gone, short], read=True)
    assert states == [State.RIGHT, State.MISSING, State.WRONG_SIZE]
    assert reads == []


def test_what_was_touched_since_the_manifest_was_written_is_read(store, tmp_path):
    """By the store's own times. In a bucket, too: uploaded in parts, no ETag proves it."""
    (tmp_path / "large").write_bytes(LARGE)
    (tmp_path / "other").write_bytes(LARGE[:-1] + b"x")
    key = wanted(LARGE).key
    store.put_file(key, tmp_path / "large")
    since = store.stat(key).touched
    assert since > 0
    reads, real = [], store._place.read
    store._place.read = lambda key: reads.append(key) or real(key)
    assert inspect(store, [wanted(LARGE, vouched=since)], read=True) == [State.RIGHT]
    assert reads == []
    assert inspect(store, [wanted(LARGE, vouched=since - 1)], read=True) == [State.RIGHT]
    assert reads == [key]
    store.put_file(key, tmp_path / "other")
    assert inspect(store, [wanted(LARGE, vouched=since - 1)], read=True) == [State.WRONG_BYTES]


def test_what_was_sent_in_parts_is_proven_by_the_etag_that_the_store_gave(bucket, tmp_path):
    (tmp_path / "large").write_bytes(LARGE)
    here = wanted(LARGE)
    said = bucket.put_file(here.key, tmp_path / "large", md5=here.md5)
    assert said is not None and said.etag.endswith("-3")
    assert inspect(bucket, [wanted(LARGE, sent=said.etag)]) == [State.RIGHT]
    assert inspect(bucket, [wanted(LARGE, sent="0" * 32 + "-3")]) == [State.UNREAD]


@pytest.mark.parametrize("data", [b"small", LARGE], ids=["one part", "several parts"])
def test_damaged_local_bytes_leave_no_object(store, tmp_path, data):
    (tmp_path / "file").write_bytes(data[:-1] + b"x")
    each = wanted(data)
    with pytest.raises(Outside, match="is damaged: it has md5"):
        store.put_file(each.key, tmp_path / "file", md5=each.md5)
    assert store.stat(each.key) is None


def test_where_etags_mean_nothing_what_a_manifest_vouches_for_is_not_read(bucket, monkeypatch):
    """AWS with KMS: each ETag looks like an MD5, and none is that of the bytes."""
    old, new = wanted(b"old", vouched=0), wanted(b"new")
    for each, data in ((old, b"old"), (new, b"new")):
        bucket.put_bytes(each.key, data)
    monkeypatch.setattr(bucket._place, "stat", lambda key: Stored(3, "0" * 32))
    reads = []
    real = bucket._place.read
    monkeypatch.setattr(bucket._place, "read", lambda key: reads.append(key) or real(key))
    assert inspect(bucket, [old, new], read=True, opaque=True) == [State.RIGHT, State.RIGHT]
    assert reads == [new.key]
