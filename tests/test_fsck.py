"""fsck on a real S3 server: every way in which a release can be broken is found, and repaired."""

from __future__ import annotations

import hashlib
import shutil

import pytest

from dreg.adapters.objects import open_store
from dreg.core.manifest import manifest_digest, manifest_key
from dreg.core.remotes import Remote, object_key
from tests.small_registry import NAME

TAG = f"{NAME}-v1.0.0"


@pytest.fixture
def released(released_registry, s3, store, tmp_path):
    """The release's bytes are in a bucket of the test's own; the folder `registry-store` is the backup."""
    registry = released_registry.copy(tmp_path)
    registry.environment.update(s3.environment)
    registry.edit(".dvc/config", "url = s3://dvcstore", f"url = {s3.url}")
    registry.edit(
        ".dvc/config", "endpointurl = http://localhost:9000", f"endpointurl = {s3.endpoint}"
    )
    registry.edit(".dvc/config", "remote = disk", "remote = local")
    for path in registry.store.rglob("*"):
        if path.is_file():
            store.put_file(path.relative_to(registry.store).as_posix(), path)
    return registry


@pytest.fixture(autouse=True)
def environment_of_the_test(monkeypatch, s3_server):
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def store(s3, environment_of_the_test):
    return open_store(Remote("local", s3.url, endpoint=s3.endpoint))


def train(registry) -> tuple[str, bytes]:
    data = (registry.path / "data" / NAME / "processed" / "train.parquet").read_bytes()
    return object_key(hashlib.md5(data).hexdigest()), data


def manifest(registry) -> str:
    message = registry.git("cat-file", "tag", TAG).partition("\n\n")[2]
    return manifest_key(manifest_digest(message))


def corrupt(registry, store):
    key, data = train(registry)
    store.put_bytes(key, bytes(len(data)))
    return key, "wrong-bytes"


def lose(registry, store):
    key, _ = train(registry)
    store.delete(key)
    return key, "missing"


def truncate(registry, store):
    key, data = train(registry)
    store.put_bytes(key, data[:-1])
    return key, "wrong-size"


def lose_manifest(registry, store):
    store.delete(manifest(registry))
    return manifest(registry), "manifest-missing"


def corrupt_manifest(registry, store):
    store.put_bytes(manifest(registry), b"{}")
    return manifest(registry), "manifest-wrong"


def kinds(done) -> list[tuple[str, str | None]]:
    return [(problem["kind"], problem["key"]) for problem in done.json["problems"]]


def test_a_sound_release_has_no_problems(released):
    done = released.ok("fsck", "--remote", "--json").json
    assert (done["releases"], done["problems"], done["unread"]) == (1, [], 0)
    assert done["objects"] >= 3
    assert released.ok("fsck", NAME, "--deep", "--json").json["deep"] is True
    assert released.ok("fsck", f"{NAME}@1.0.0", "--json").json["remote"] is None


@pytest.mark.parametrize("harm", [corrupt, lose, truncate, lose_manifest, corrupt_manifest])
def test_what_is_wrong_on_the_remote_is_found_and_repaired_from_another(released, store, harm):
    key, kind = harm(released, store)
    released.ok("fsck")  # here, nothing is wrong
    done = released.dreg("fsck", "--remote", "--json")
    assert (done.code, kinds(done)) == (1, [(kind, key)])
    assert done.json["problems"][0]["releases"] == [TAG]
    assert "--repair" in done.json["error"]["hint"]
    repaired = released.ok("fsck", "--repair", "--from", "disk", "--json").json
    assert [(p["kind"], p["repaired"]) for p in repaired["problems"]] == [(kind, True)]
    assert released.ok("fsck", "--deep", "--json").json["problems"] == []


def test_what_the_remote_lost_is_repaired_from_the_cache_of_dvc(released, store):
    for page in list(store.listed("files/md5/")):
        for key, _ in page:
            store.delete(key)
    said = released.dreg("fsck", "--remote").stderr
    assert "DVC's cache here may have some, too: --from .dvc/cache" in said
    released.ok("fsck", "--repair", "--from", ".dvc/cache")
    assert released.ok("fsck", "--deep", "--json").json["problems"] == []


def test_wrong_bytes_are_never_copied(released, store):
    key, data = train(released)
    store.delete(key)
    backup = released.store / key
    backup.chmod(0o644)
    backup.write_bytes(bytes(len(data)))
    done = released.dreg("fsck", "--repair", "--from", "disk", "--json")
    assert (done.code, kinds(done)) == (1, [("missing", key)])
    assert "not repaired" in done.json["problems"][0]["text"]
    assert store.size(key) is None


def test_a_folder_as_the_remote_is_read(released):
    released.ok("remote", "use", "disk")
    key, data = train(released)
    path = released.store / key
    path.chmod(0o644)
    path.write_bytes(bytes(len(data)))
    done = released.dreg("fsck", "--remote", "--json")
    assert (done.code, kinds(done)) == (1, [("wrong-bytes", key)])


def test_a_damaged_cache_is_found_and_an_absent_one_is_no_fault(released):
    key, data = train(released)
    path = released.path / ".dvc" / "cache" / key
    path.chmod(0o644)
    path.write_bytes(bytes(len(data)))
    done = released.dreg("fsck", "--json")
    assert (done.code, kinds(done)) == (1, [("damaged-cache", None)])
    shutil.rmtree(released.path / ".dvc" / "cache")
    done = released.ok("fsck", "--json").json
    assert (done["problems"], done["objects"]) == ([], 0)
    assert done["not_here"] >= 2


def test_tags_that_are_no_releases_are_reported(released):
    released.git("tag", f"{NAME}-v2.0.0")
    released.git("tag", "-a", "-m", "by hand", f"{NAME}-v3.0.0")
    done = released.dreg("fsck", "--json")
    found = {p["kind"]: p["releases"] for p in done.json["problems"]}
    assert (done.code, done.json["releases"]) == (1, 2)
    assert found == {
        "lightweight-tag": [f"{NAME}-v2.0.0"],
        "no-manifest-digest": [f"{NAME}-v3.0.0"],
    }
    # They were never pushed, so nobody else has them.
    released.ok("fsck", "--remote")
    released.git("push", "-q", "origin", f"{NAME}-v2.0.0")
    assert kinds(released.dreg("fsck", "--remote", "--json")) == [("lightweight-tag", None)]


@pytest.mark.parametrize("where", [(), ("--remote",)])
def test_tags_that_promise_nothing_are_told_and_no_fault(released, where):
    """No request resolves to them, so no release lies; a server may not let them be deleted."""
    odd = [f"{NAME}-v4", f"{NAME}-verified", "other-v2-foo", f"yank/{NAME}-v9.0.0"]
    for tag in (*odd, "unrelated", "unrelated-vfoo"):
        released.git("tag", "-a", "-m", "by hand", tag)
    if where:
        released.git("push", "-q", "origin", "--tags")
        released.git("tag", "-d", *odd)
    done = released.ok("fsck", *where, "--json")
    assert done.json["problems"] == []
    assert [each["tag"] for each in done.json["odd_tags"]] == sorted(odd)
    assert f"note: `{NAME}-verified` does not count" in done.stderr
    told = released.ok("fsck", NAME, *where, "--json").json["odd_tags"]
    assert [each["tag"] for each in told] == sorted(set(odd) - {"other-v2-foo"})
    assert where == () or released.git("tag", "--list", *odd) == ""


def test_a_tag_that_this_clone_lacks_is_got_and_one_that_was_moved_is_told(released):
    released.git("tag", "-d", TAG)
    assert released.ok("fsck", "--remote", "--json").json["releases"] == 1
    released.git("tag", "-f", "-a", "-m", "another", TAG)
    done = released.dreg("fsck", "--remote", "--json")
    assert done.code == 1
    assert "moved-tag" in {p["kind"] for p in done.json["problems"]}


def test_a_store_that_cannot_be_asked_is_outside(released):
    done = released.dreg("fsck", "--remote", AWS_SECRET_ACCESS_KEY="wrong")
    assert done.code == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["nobody"],
        [f"{NAME}@9"],
        ["--repair"],
        ["--from", "disk"],
        ["--repair", "--from", "local"],
        ["--repair", "--from", "nowhere"],
    ],
)
def test_what_there_is_not_is_a_bad_request(released, arguments):
    done = released.dreg("fsck", *arguments)
    assert done.code == 2, done.stderr
