"""Packs: thousands of small files with a few requests, and never a file that is not right."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dreg.adapters.objects import open_store
from dreg.core import packed
from dreg.core.garbage import ANNOUNCED, MANIFESTS
from dreg.core.packed import GAP, SPAN, Pack, choose, list_key, list_to_text, parse_list, spans
from dreg.core.remotes import OBJECTS, Remote
from dreg.core.snapshot import File
from dreg.errors import Refused
from tests.counting_proxy import recording
from tests.many_files import FILES, MANY


def file(number: int, size: int = 2000) -> File:
    md5 = hashlib.md5(str(number).encode(), usedforsecurity=False).hexdigest()
    return File(f"processed/{number:06}.txt", size, md5, "0" * 64)


def pack_of(*sizes: int, start: int = 0) -> Pack:
    return Pack(tuple((file(start + n).md5, size) for n, size in enumerate(sizes)))


# what is packed


def test_few_files_are_not_worth_a_pack():
    assert choose([file(n) for n in range(packed.FEWEST - 1)]) == ([], None)


def test_large_files_and_those_in_git_stay_out():
    files = [file(n) for n in range(100)]
    large = file(100, packed.SMALL + 1)
    in_git = File("metadata.json", 10, "a" * 32, "0" * 64, in_git=True)
    kept, new = choose([*files, large, in_git])
    assert (kept, new) == ([], Pack(tuple((f.md5, f.size) for f in files)))


def test_equal_files_are_packed_once():
    kept, new = choose([file(n % 70) for n in range(700)])
    assert kept == []
    assert new is not None
    assert len(new.files) == 70


def test_no_more_than_a_gigabyte_is_packed():
    number = packed.LARGEST // packed.SMALL
    kept, new = choose([file(n, packed.SMALL) for n in range(number + 7)])
    assert kept == []
    assert new is not None
    assert new.listed.size - len(new.head) == packed.LARGEST


def test_empty_files_have_nothing_to_pack():
    _, new = choose([*[file(n, 0) for n in range(100)], *[file(n) for n in range(100, 200)]])
    assert new is not None
    assert {size for _, size in new.files} == {2000}


def test_a_pack_whose_files_another_one_has_is_dropped():
    one, two = pack_of(*[2000] * 1000), pack_of(*[2000] * 1100)
    files = [file(n) for n in range(1100)]
    assert choose(files, [two, one]) == ([two], None)
    assert choose(files, [one, two]) == ([one], pack_of(*[2000] * 100, start=1000))


def test_a_release_goes_on_with_the_packs_before_it():
    before = pack_of(*[2000] * 1000)
    kept, new = choose([file(n) for n in range(1100)], [before])
    assert kept == [before]
    assert new == pack_of(*[2000] * 100, start=1000)


def test_some_more_files_stay_single():
    before = pack_of(*[2000] * 1000)
    assert choose([file(n) for n in range(1010)], [before]) == ([before], None)


def test_a_pack_of_which_less_than_half_is_left_is_made_anew():
    before = pack_of(*[2000] * 1000)
    assert choose([file(n) for n in range(499)], [before]) == ([], pack_of(*[2000] * 499))
    assert choose([file(n) for n in range(500)], [before]) == ([before], None)


def test_many_packs_become_one():
    before = [pack_of(*[2000] * 100, start=100 * n) for n in range(packed.MOST)]
    files = [file(n) for n in range(100 * packed.MOST + 100)]
    kept, new = choose(files, before)
    assert kept == []
    assert new is not None
    assert len(new.files) == len(files)


# what is asked for


@given(
    st.lists(st.integers(1, packed.SMALL), min_size=1, max_size=300),
    st.sets(st.integers(0, 299)),
)
def test_spans_have_every_wanted_file_once_and_little_else(sizes, chosen):
    pack = pack_of(*sizes)
    wanted = {file(n).md5 for n in chosen if n < len(sizes)}
    found = list(spans(pack, wanted))
    members = [member for span in found for member in span.members]
    assert [m.md5 for m in members] == [md5 for md5, _ in pack.files if md5 in wanted]
    for span in found:
        assert 0 < span.length <= SPAN
        assert all(
            span.start <= m.start and m.start + m.size <= span.start + span.length
            for m in span.members
        )
        gaps = [
            b.start - a.start - a.size for a, b in zip(span.members, span.members[1:], strict=False)
        ]
        assert all(gap <= GAP for gap in gaps)


def test_a_pack_says_what_is_in_it():
    pack = pack_of(3, 7)
    whole = pack.head + b"abc" + b"defghij"
    assert len(whole) == pack.listed.size
    assert [whole[m.start : m.start + m.size] for m in pack.members] == [b"abc", b"defghij"]
    assert Pack.parse(pack.head, pack.listed) == pack


@pytest.mark.parametrize(
    "files",
    [
        [(file(1).md5, 3), (file(1).md5, 3)],
        [(file(1).md5, 3), (file(2).md5, 0)],
        [(file(1).md5, packed.SMALL + 1)],
        [(file(1).md5, 2**63)],
    ],
)
def test_a_pack_with_files_that_have_no_place_in_one_is_refused(files):
    pack = Pack(tuple(files))
    with pytest.raises(Refused, match="is no pack that this dreg reads"):
        Pack.parse(pack.head, pack.listed)


def test_scattered_files_are_better_had_alone():
    pack = pack_of(*[60_000] * 400)
    few, all_ = {file(n).md5 for n in range(0, 400, 5)}, {file(n).md5 for n in range(400)}
    assert not packed.is_worth_it(list(spans(pack, few)))
    assert packed.is_worth_it(list(spans(pack, all_)))


@pytest.mark.parametrize("at", [0, 8, 12, 16, 40])
def test_another_head_is_refused(at):
    pack = pack_of(3, 4)
    head = bytearray(pack.head)
    head[at] ^= 1
    with pytest.raises(Refused, match="is no pack that this dreg reads"):
        Pack.parse(bytes(head), pack.listed)


def test_a_list_is_read_back():
    packs = [pack_of(1, 2), pack_of(3)]
    key = list_key("a" * 64)
    assert parse_list(list_to_text(packs), key) == tuple(pack.listed for pack in packs)
    assert packed.manifest_of_list(key) == "a" * 64


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../etc/passwd"},
        {"files": 10**12},
        {"files": 0},
        {"files": -1},
        {"size": 1},
        {"files": "many"},
        {"files": 2.0},
        {"size": float("inf")},
        {"size": 10**15},
    ],
)
def test_a_hostile_list_is_refused(change):
    listed = {**pack_of(1, 2).listed._asdict(), **change}
    text = json.dumps({"schema": packed.SCHEMA, "packs": [listed]}).encode()
    with pytest.raises(Refused, match="is no pack that this dreg reads"):
        parse_list(text, "key")


def test_a_list_with_one_pack_twice_is_refused():
    with pytest.raises(Refused):
        parse_list(list_to_text([pack_of(1, 2), pack_of(1, 2)]), "key")


@pytest.mark.parametrize("text", [b"", b"[]", b"{}", b'{"schema": "dreg.packs/2", "packs": []}'])
def test_no_list_is_refused(text):
    with pytest.raises(Refused):
        parse_list(text, "key")


# on a real server


@pytest.fixture
def bucket(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return open_store(Remote("local", s3.url, endpoint=s3.endpoint))


@pytest.fixture
def released(many_released):
    return many_released


def keys(bucket, prefix=packed.PACKS):
    return [each.key for each in bucket.every(prefix)]


def packs_in(bucket):
    return [key for key in keys(bucket) if key.endswith(".pack")]


def fetch(registry, s3, *options):
    """Fetch with an empty cache; what was placed, and the paths that were asked of the store."""
    target = registry.home / "training"
    target.mkdir(exist_ok=True)
    with recording(s3.port) as proxy:
        done = registry.ok(
            "fetch", f"{MANY}@^1", "--repo", str(registry.remote), "-o", "data", *options,
            folder=target, AWS_ENDPOINT_URL=proxy.endpoint, DREG_CACHE=str(target / "cache"),
        )  # fmt: skip
    place = target / "data"
    files = {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*.txt") if p.is_file()}
    return files, [path for _, path in proxy.asked], done


def made(registry):
    place = registry.path / "data" / MANY
    return {str(p.relative_to(place)): p.read_bytes() for p in place.rglob("*.txt")}


def objects(asked):
    return [path for path in asked if OBJECTS in path]


def test_a_fetch_of_many_small_files_asks_for_a_few(released, s3):
    files, asked, _ = fetch(released, s3)
    assert files == made(released)
    assert objects(asked) == []
    assert len(asked) == 4  # manifest, list, head, one span


def test_the_cache_has_what_came_in_a_pack(released, s3):
    fetch(released, s3)
    again = released.home / "again"
    again.mkdir()
    with recording(s3.port) as proxy:
        released.ok(
            "fetch", f"{MANY}@^1", "--repo", str(released.remote), "-o", "data", folder=again,
            AWS_ENDPOINT_URL=proxy.endpoint, DREG_CACHE=str(released.home / "training" / "cache"),
        )  # fmt: skip
    assert proxy.asked == []


def test_without_packs_single_objects_are_fetched(released, s3, bucket):
    for key in keys(bucket):
        bucket.delete(key)
    files, asked, _ = fetch(released, s3)
    assert files == made(released)
    assert len(objects(asked)) == FILES + 1


@pytest.mark.parametrize("what", ["a byte", "the head", "half of it", "a list of nonsense"])
def test_wrong_packs_place_nothing_wrong(released, s3, bucket, what):
    (key,) = packs_in(bucket)
    data = bytearray(bucket.get_bytes(key, 10**8))
    if what == "a byte":
        data[-100] ^= 1
    elif what == "the head":
        data[30] ^= 1
    elif what == "half of it":
        del data[len(data) // 2 :]
    else:
        (key,) = set(keys(bucket)) - {key}
        data = bytearray(b"{}")
    bucket.put_bytes(key, bytes(data))
    files, asked, _ = fetch(released, s3)
    assert files == made(released)
    assert len(objects(asked)) == (1 if what == "a byte" else FILES + 1)


def test_a_few_files_are_not_taken_from_a_pack(released, s3):
    files, asked, _ = fetch(released, s3, "--path", "processed/000/00000*")
    assert len(files) == 10
    assert len(objects(asked)) == 10
    assert not any("dreg/packs" in path for path in asked)


def more(registry, number):
    registry.edit(f"pipelines/{MANY}/params.yaml", "files: .*", f"files: {number}")
    registry.ok("run", MANY)
    registry.ok("release", MANY)


def test_the_next_release_packs_only_what_is_new(released, s3, bucket):
    first = set(packs_in(bucket))
    more(released, FILES + 80)
    second = set(packs_in(bucket))
    assert first < second
    (new,) = second - first
    assert 80 * 2048 < bucket.known_size(new) < 90 * 2048  # and a new sample index
    files, asked, _ = fetch(released, s3)
    assert files == made(released)
    assert objects(asked) == []


def test_a_release_with_a_few_more_files_fetches_those_alone(released, s3, bucket):
    more(released, FILES + 3)
    assert len(packs_in(bucket)) == 1
    files, asked, _ = fetch(released, s3)
    assert files == made(released)
    assert len(objects(asked)) == 3 + 1  # and the sample index


def test_packs_that_cannot_be_written_are_no_failure(many_files, s3, bucket):
    from tests.counting_proxy import Recorder

    class Refusing(Recorder):
        def do_PUT(self):
            if "dreg/packs" in self.path:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                self.send_response(403)
                self.end_headers()
            else:
                self.do_GET()

    with recording(s3.port, Refusing) as proxy:
        done = many_files.ok("release", MANY, AWS_ENDPOINT_URL=proxy.endpoint)
    assert f"{MANY} 1.0.0 were not packed, so a fetch asks for each of them" in done.stderr
    assert f"dreg pack {MANY}@1.0.0" in done.stderr
    assert keys(bucket) == []
    files, _, _ = fetch(many_files, s3)
    assert files == made(many_files)


def test_gc_keeps_the_packs_of_releases_and_takes_others(released, bucket):
    before = set(keys(bucket))
    assert len(before) == 2
    stray = f"{packed.PACKS}ab/{'c' * 62}.pack"
    orphan = list_key("d" * 64)
    for key in (stray, orphan):
        bucket.put_bytes(key, b"x")
    for _ in range(2):
        released.ok("gc", "--older-than", "0d")
    assert set(keys(bucket)) == before


def test_gc_keeps_packs_while_a_release_is_being_made(released, bucket):
    """Its list may not be there yet."""
    stray = f"{packed.PACKS}ab/{'c' * 62}.pack"
    bucket.put_bytes(stray, b"x")
    (text,) = [bucket.get_bytes(each.key, 10**8) for each in bucket.every(MANIFESTS)]
    announced = f"{ANNOUNCED}{hashlib.sha256(text).hexdigest()}-{'0' * 8}.json"
    bucket.put_bytes(announced, text)
    for _ in range(2):
        released.ok("gc", "--older-than", "0d")
    assert stray in keys(bucket)
    bucket.delete(announced)
    for _ in range(2):
        released.ok("gc", "--older-than", "0d")
    assert stray not in keys(bucket)


def test_gc_keeps_all_packs_where_a_list_cannot_be_read(released, bucket):
    """A newer dreg may have written it."""
    (key,) = [key for key in keys(bucket) if packed.manifest_of_list(key)]
    before = set(keys(bucket))
    bucket.put_bytes(key, b'{"schema": "dreg.packs/2", "packs": []}')
    for _ in range(2):
        done = released.ok("gc", "--older-than", "0d")
    assert "so all packs are kept" in done.stderr
    assert set(keys(bucket)) == before


def test_one_lost_pack_does_not_cost_the_others(released, s3, bucket):
    (first,) = packs_in(bucket)
    more(released, FILES + 80)
    bucket.delete(first)
    files, asked, _ = fetch(released, s3)
    assert files == made(released)
    assert len(objects(asked)) == FILES


def test_a_cache_that_was_pruned_meanwhile_is_no_failure(released, bucket):
    """As by `dvc gc` beside a release; what is packed is then read from the remote."""
    before = {key: bucket.get_bytes(key, 10**8) for key in keys(bucket)}
    for key in before:
        bucket.delete(key)
    cache = released.path / ".dvc" / "cache" / "files" / "md5"
    for number, path in enumerate(p for p in sorted(cache.rglob("*")) if p.is_file()):
        if number % 3 == 0:
            path.unlink()
        elif number % 3 == 1:
            path.chmod(0o644)
            path.write_bytes(b"damaged")
    released.ok("pack")
    assert {key: bucket.get_bytes(key, 10**8) for key in keys(bucket)} == before


def test_a_release_that_cannot_be_packed_does_not_stop_the_others(released, bucket):
    more(released, FILES + 80)
    for key in keys(bucket):
        bucket.delete(key)
    released.git("clone", "-q", "registry.git", "other", folder=released.home)
    first = next(iter(sorted((released.path / "data" / MANY / "processed").rglob("*.txt"))))
    md5 = hashlib.md5(first.read_bytes(), usedforsecurity=False).hexdigest()
    released.edit(
        f"pipelines/{MANY}/scripts/process.py", "random.seed.number.", "random.seed(number + 1)"
    )
    more(released, FILES)
    for key in keys(bucket):
        bucket.delete(key)
    bucket.put_bytes(f"{OBJECTS}{md5[:2]}/{md5[2:]}", b"wrong")
    done = released.dreg("pack", "--json", folder=released.home / "other")
    assert done.code == 3
    assert "2 releases could not be packed" in done.stderr
    assert "hint: see what is wrong: dreg fsck --remote" in done.stderr
    assert [each["tag"] for each in done.json["releases"]] == [f"{MANY}-v1.2.0"]


# `dreg pack`, and what fsck says


def test_pack_makes_the_packs_of_a_release_that_has_none(released, s3, bucket):
    before = set(keys(bucket))
    for key in before:
        bucket.delete(key)
    (done,) = released.ok("pack", "--json").json["releases"]
    assert (done["tag"], done["packs"], done["files"]) == (f"{MANY}-v1.0.0", 1, FILES + 1)
    assert set(keys(bucket)) == before
    files, asked, _ = fetch(released, s3)
    assert files == made(released)
    assert objects(asked) == []


def test_pack_needs_nothing_that_is_only_here(released, bucket):
    before = {key: bucket.get_bytes(key, 10**8) for key in keys(bucket)}
    for key in before:
        bucket.delete(key)
    released.git("clone", "-q", "registry.git", "other", folder=released.home)
    released.ok("pack", f"{MANY}@1.0.0", folder=released.home / "other")
    assert {key: bucket.get_bytes(key, 10**8) for key in keys(bucket)} == before


def test_fsck_tells_of_packs_that_are_lost_and_pack_brings_them_back(released, bucket):
    (key,) = packs_in(bucket)
    data = bucket.get_bytes(key, 10**8)
    bucket.delete(key)
    done = released.ok("fsck", "--remote")
    assert f"packs of {MANY}-v1.0.0 are lost or damaged" in done.stderr
    assert f"dreg pack {MANY}" in done.stderr
    released.ok("pack", MANY)
    assert bucket.get_bytes(key, 10**8) == data
    assert "lost or damaged" not in released.ok("fsck", "--remote").stderr


def test_only_a_deep_fsck_sees_a_wrong_byte_in_a_pack(released, bucket):
    (key,) = packs_in(bucket)
    data = bucket.get_bytes(key, 10**8)
    bucket.put_bytes(key, data[:-1] + bytes([data[-1] ^ 1]))
    assert "lost or damaged" not in released.ok("fsck", "--remote").stderr
    assert "lost or damaged" in released.ok("fsck", "--remote", "--deep").stderr
    released.ok("pack")
    assert bucket.get_bytes(key, 10**8) == data


def test_packs_are_refused_on_a_folder(many_files):
    many_files.ok("remote", "use", "disk")
    done = many_files.dreg("pack")
    assert done.code == 1
    assert "packs are of no use on the remote `disk`" in done.stderr
