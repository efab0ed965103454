"""The loop on a real S3 server: release, plain DVC, fetch - and what goes wrong there."""

from __future__ import annotations

import hashlib

import pytest

from dreg.adapters.objects import open_store
from dreg.core.manifest import manifest_digest, manifest_key
from dreg.core.remotes import Remote, object_key
from tests import forked
from tests.counting_proxy import recording
from tests.s3_server import NO_LIST, SECRET
from tests.small_registry import NAME
from tests.test_diff_samples import index_key, more_validation


@pytest.fixture
def on_s3(ready, s3):
    """A registry that has run, whose committed default remote is a bucket."""
    ready.edit(".dvc/config", "url = s3://dvcstore", f"url = {s3.url}")
    ready.edit(".dvc/config", "endpointurl = http://localhost:9000", f"endpointurl = {s3.endpoint}")
    ready.ok("remote", "use", "local")
    ready.git("add", ".dvc/config")
    ready.git("commit", "-q", "-m", "bytes on s3")
    ready.git("push", "-q")
    ready.environment.update(s3.environment)
    return ready


def test_what_is_released_to_s3_is_fetched_from_s3(on_s3, tmp_path):
    on_s3.ok("remote", "check")
    on_s3.ok("release", NAME)
    training = tmp_path / "training"
    training.mkdir()
    on_s3.ok("fetch", f"{NAME}@^1", "--repo", str(on_s3.remote), "-o", "data", folder=training)
    for name in ("metadata.json", "processed/train.parquet", "processed/val.csv"):
        made = on_s3.path / "data" / NAME / name
        assert (training / "data" / name).read_bytes() == made.read_bytes()


def test_plain_dvc_pulls_from_s3_what_dreg_released(on_s3, tmp_path):
    on_s3.ok("release", NAME)
    on_s3.git("clone", "-q", "registry.git", "plain", folder=tmp_path)
    pulled = forked.dvc("pull", "--quiet", cwd=tmp_path / "plain", env=on_s3.environment)
    assert pulled.code == 0, pulled.stderr
    pulled = tmp_path / "plain" / "data" / NAME / "processed" / "train.parquet"
    assert (
        pulled.read_bytes()
        == (on_s3.path / "data" / NAME / "processed" / "train.parquet").read_bytes()
    )


def test_run_push_brings_the_outputs_to_s3(on_s3, s3):
    on_s3.ok("run", NAME, "--push")
    done = on_s3.ok("release", NAME, "--dry-run", "--json").json
    assert [r["objects_pushed"] for r in done["releases"]] == [0]


def test_the_manifest_and_every_object_are_in_the_bucket(on_s3, s3):
    import botocore.session

    on_s3.ok("release", NAME)
    client = botocore.session.get_session().create_client(
        "s3",
        endpoint_url=s3.endpoint,
        aws_access_key_id=s3.environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=SECRET,
        region_name="us-east-1",
    )
    keys = {item["Key"] for item in client.list_objects_v2(Bucket=s3.bucket)["Contents"]}
    message = on_s3.git("cat-file", "tag", f"{NAME}-v1.0.0").partition("\n\n")[2]
    assert manifest_key(manifest_digest(message)) in keys
    cached = [
        p for p in (on_s3.path / ".dvc" / "cache" / "files" / "md5").rglob("*") if p.is_file()
    ]
    assert {object_key(p.parent.name + p.name) for p in cached} <= keys


@pytest.mark.parametrize(
    "arguments", [["release", NAME], ["remote", "check"], ["run", NAME, "--push"]]
)
def test_a_wrong_secret_is_outside_and_is_never_shown(on_s3, arguments):
    done = on_s3.dreg(*arguments, AWS_SECRET_ACCESS_KEY="wrong-and-secret")
    assert done.code == 3
    assert "Traceback" not in done.stderr
    assert "\nhint: " in done.stderr
    assert "wrong-and-secret" not in done.stdout + done.stderr
    assert on_s3.remote_tags() == []


def test_no_secret_is_written_anywhere(on_s3, tmp_path):
    on_s3.ok("run", NAME, "--push", "--debug")
    done = on_s3.ok("release", NAME, "--debug")
    training = tmp_path / "training"
    training.mkdir()
    fetched = on_s3.ok("fetch", NAME, "--repo", str(on_s3.remote), "--debug", folder=training)
    assert SECRET not in done.stdout + done.stderr + fetched.stdout + fetched.stderr
    for path in on_s3.home.rglob("*"):
        if path.is_file():
            assert SECRET.encode() not in path.read_bytes(), path


def bucket_of(s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    return open_store(Remote("local", s3.url, endpoint=s3.endpoint))


def test_a_release_replaces_an_object_of_the_right_size_with_other_bytes(on_s3, s3, monkeypatch):
    on_s3.ok("run", NAME, "--push")
    store = bucket_of(s3, monkeypatch)
    train = (on_s3.path / "data" / NAME / "processed" / "train.parquet").read_bytes()
    key = object_key(hashlib.md5(train).hexdigest())
    store.put_bytes(key, bytes(len(train)))
    done = on_s3.ok("release", NAME, "--json")
    assert [r["objects_pushed"] for r in done.json["releases"]] == [1]
    assert "with other bytes than it should have, now written again" in done.stderr
    assert store.get_bytes(key, len(train)) == train


def test_two_releases_are_compared_by_two_objects_and_no_other_request(on_s3, s3, tmp_path):
    on_s3.ok("release", NAME)
    more_validation(on_s3)
    on_s3.release()
    on_s3.git("clone", "-q", "registry.git", "clone", folder=tmp_path)
    clone = tmp_path / "clone"
    with recording(s3.port) as proxy:
        config = clone / ".dvc" / "config"
        config.write_text(config.read_text().replace(s3.endpoint, proxy.endpoint))
        diff = ("diff", f"{NAME}@1.0.0", f"{NAME}@2.0.0", "--json")
        done = on_s3.ok(*diff, folder=clone).json
        keys = {index_key(on_s3, f"{NAME}-v{version}") for version in ("1.0.0", "2.0.0")}
        assert {path for _, path in proxy.asked} == {f"/{s3.bucket}/{key}" for key in keys}
        assert len(proxy.asked) == 2
        assert on_s3.ok(*diff, folder=clone).json == done
        assert len(proxy.asked) == 2
    assert done["samples"]["moved"]


@pytest.mark.parametrize(("seconds", "said"), [(3600, "ahead"), (-3600, "behind")])
def test_a_wrong_clock_is_named(on_s3, tmp_path, clock_ahead, seconds, said):
    on_s3.ok("release", NAME)
    wrong = clock_ahead(seconds)
    (tmp_path / "train").mkdir()
    fetched = on_s3.dreg(
        "fetch", NAME, "--repo", str(on_s3.remote), folder=tmp_path / "train", **wrong
    )
    on_s3.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Another")
    on_s3.ok("run", NAME)
    released = on_s3.dreg("release", NAME, **wrong)
    for done in (fetched, released):
        assert done.code == 3, done
        assert "refuses what is signed by a wrong clock: the one here is 3," in done.stderr
        assert f" s {said}" in done.stderr
        assert "hint: set the clock" in done.stderr


def test_who_may_not_list_the_bucket_releases_checks_and_fetches(on_s3, tmp_path):
    blind = {"AWS_ACCESS_KEY_ID": NO_LIST}
    on_s3.ok("release", NAME, **blind)
    on_s3.ok("fsck", "--remote", **blind)
    on_s3.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Other")
    on_s3.release()
    on_s3.ok("fetch", NAME, "--repo", str(on_s3.remote), "-o", "data", folder=tmp_path, **blind)
    done = on_s3.dreg("gc", **blind)
    assert (done.code, "does not list what it holds" in done.stderr) == (3, True)


def test_a_wrong_key_is_not_told_as_one_that_may_not_list(on_s3):
    on_s3.ok("release", NAME)
    done = on_s3.dreg("gc", AWS_SECRET_ACCESS_KEY="wrong")
    assert (done.code, "refused access (SignatureDoesNotMatch)" in done.stderr) == (3, True)
