"""`dreg.lock`: stable text, read strictly, a moved tag refused."""

from __future__ import annotations

import threading
import tomllib
from dataclasses import replace

import pytest
import tomli_w
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from dreg.adapters.lock_file import read_lock, write_pin
from dreg.core.lock import Lock, Pin
from dreg.errors import BadRequest, Refused

PIN = Pin(
    dataset="wine-quality",
    request="^1.0",
    repo="https://example.com/registry",
    version=Version(1, 2, 0),
    tag="wine-quality-v1.2.0",
    commit="a" * 40,
    manifest="b" * 64,
    digest="c" * 64,
    output="data/wine",
)
TEXT = """\
# Written by `dreg fetch`; commit it. `dreg fetch` without a name restores exactly this.
format = 1

[[dataset]]
name = "wine-quality"
request = "^1.0"
repo = "https://example.com/registry"
version = "1.2.0"
tag = "wine-quality-v1.2.0"
commit = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
manifest = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
digest = "sha256:cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
output = "data/wine"
"""


def test_the_text_is_one_line_a_value():
    assert Lock().with_pin(PIN).to_text() == TEXT
    assert Lock.parse(TEXT) == Lock({"wine-quality": PIN})


def test_datasets_are_sorted_whatever_the_order_they_came_in():
    others = [replace(PIN, dataset=name) for name in ("zoo", "abc")]
    one, other = Lock(), Lock()
    for pin in [PIN, *others]:
        one = one.with_pin(pin)
    for pin in [*others, PIN]:
        other = other.with_pin(pin)
    assert one.to_text() == other.to_text()
    assert [item["name"] for item in tomllib.loads(one.to_text())["dataset"]] == [
        "abc",
        "wine-quality",
        "zoo",
    ]


def test_a_dataset_has_one_pin():
    newer = replace(PIN, version=Version(1, 3, 0))
    assert Lock().with_pin(PIN).with_pin(newer) == Lock({"wine-quality": newer})


@given(
    st.text(st.characters(exclude_categories=["Cs"])),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.booleans(),
    st.booleans(),
)
def test_any_text_comes_back(repo, output, raw, plain):
    pin = replace(PIN, repo=repo, output=output, raw=raw, manifest=None if plain else "d" * 64)
    assert Lock.parse(Lock().with_pin(pin).to_text()).pins == {"wine-quality": pin}


def test_an_empty_lock():
    assert Lock.parse(Lock().to_text()) == Lock()


@pytest.mark.parametrize("text", ["", "\n", "# a comment\n"])
def test_a_lock_that_lost_its_text_is_damaged(text, tmp_path):
    (tmp_path / "dreg.lock").write_text(text)
    with pytest.raises(BadRequest, match=r"`dreg\.lock` is empty") as raised:
        read_lock(tmp_path)
    assert raised.value.hint == "restore dreg.lock from git, or remove it and fetch by name"


def test_two_entries_of_one_dataset_are_refused_by_name():
    table = TEXT[TEXT.index("\n[[dataset]]") :]
    with pytest.raises(BadRequest, match="more than one entry for `wine-quality`"):
        Lock.parse(TEXT + table.replace("1.2.0", "1.1.0"))


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ([{}], "a dataset has no `name`"),
        ("wine", "`dataset` is not a list of tables"),
        (7, "`dataset` is not a list of tables"),
        ([{"name": 7}], "7 is not text"),
        ([{**tomllib.loads(TEXT)["dataset"][0], "split": 7}], "7 is not a list of texts"),
    ],
)
def test_what_is_wrong_is_said_in_words(table, why):
    with pytest.raises(BadRequest) as raised:
        Lock.parse(tomli_w.dumps({"format": 1, "dataset": table}))
    assert raised.value.fact == f"`dreg.lock` is not a lock that dreg wrote: {why}"


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ("<<<<<<< HEAD\n", "is not TOML"),
        ({"format": 99}, "reads up to 1"),
        ({"dataset": "wine"}, "is not a lock"),
        ({"dataset": [{}]}, "is not a lock"),
        ({"dataset": [{"manifest": "md5:x"}]}, "is not a lock"),
    ],
)
def test_what_dreg_did_not_write_is_a_bad_request(change, fact):
    text = change if isinstance(change, str) else tomli_w.dumps(change)
    with pytest.raises(BadRequest, match=fact):
        Lock.parse(text)


@pytest.mark.parametrize("key", ["name", "version", "tag", "commit", "digest", "output", "repo"])
def test_every_value_is_needed_and_is_text(key):
    for instead in ("", f"{key} = 7\n"):
        lines = TEXT.splitlines(keepends=True)
        broken = "".join(instead if line.startswith(f"{key} =") else line for line in lines)
        with pytest.raises(BadRequest, match=r"`dreg\.lock` is not a lock"):
            Lock.parse(broken)


def test_a_moved_tag_is_refused():
    PIN.check_not_moved("a" * 40, "b" * 64)
    with pytest.raises(Refused, match=r"moved: dreg\.lock has the commit aaaaaaaaaaaa, the reg"):
        PIN.check_not_moved("e" * 40, "b" * 64)
    with pytest.raises(Refused, match="has the manifest bbbbbbbbbbbb, the registry now none"):
        PIN.check_not_moved("a" * 40, None)


def test_another_digest_is_refused():
    PIN.check_digest("c" * 64)
    with pytest.raises(Refused, match=r"has the digest cccccccccccc for `wine-quality-v1\.2\.0`"):
        PIN.check_digest("d" * 64)


def test_pins_written_at_the_same_time_are_all_kept(tmp_path):
    pins = [replace(PIN, dataset=f"d{i}") for i in range(20)]
    threads = [threading.Thread(target=write_pin, args=(tmp_path, pin)) for pin in pins]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_lock(tmp_path).pins == {pin.dataset: pin for pin in pins}
    assert [path.name for path in tmp_path.iterdir()] == ["dreg.lock"]
