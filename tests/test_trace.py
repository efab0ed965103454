"""From a model to the exact samples that it learned from, and from a release to who uses it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

import dreg
from dreg.core.lineage import Input, keys, read
from dreg.errors import BadRequest, Refused
from tests.hand_made import HandMade
from tests.kinds import ROWS, measured
from tests.trained_models import Models


@pytest.fixture
def registry(words_registry) -> HandMade:
    return words_registry


# A model's samples


def test_what_exact_samples_were_in_the_training_data_of_a_model(models, tmp_path):
    answer = models.trace(f"models:/{models.name}/2", "--export", str(tmp_path / "out.parquet"))
    assert answer["model"]["aliases"] == ["champion"]
    assert answer["run"]["id"] == models.runs[1]
    (data,) = answer["data"]
    manifest = models.made.made["words-v1.1.0"]
    assert (data["tag"], data["manifest"]) == ("words-v1.1.0", manifest.digest)
    assert (
        data["commit"] == data["recorded"] == models.made.git("rev-parse", "words-v1.1.0^{commit}")
    )
    assert not data["moved"]
    assert data["samples"] == ROWS
    assert {s["split"]: s["used"] for s in data["splits"]} == {"train": True, "val": False}
    exported = pq.read_table(tmp_path / "out.parquet")
    assert exported.column_names == ["dataset", "version", "split", "key", "hash"]
    expected = dreg.load("words@1.1.0").samples("train")
    assert exported.select(["split", "key", "hash"]).equals(expected.cast(exported.schema.remove(0).remove(0).remove_metadata()))  # fmt: skip
    keys = set(exported["key"].to_pylist())
    assert "7" not in keys
    assert {"8", "600"} < keys
    about = pq.read_metadata(tmp_path / "out.parquet").metadata
    assert about[b"dreg.manifest"].decode() == manifest.digest
    assert about[b"dreg.run"].decode() == models.runs[1]


@pytest.mark.parametrize(
    ("version", "expected"),
    [("/1", "1.0.0"), ("/2", "1.1.0"), ("/v2", "1.1.0"), ("@champion", "1.1.0"), ("/latest", "1.1.0"), ("/2.1", "1.0.0"), ("/v2.2", "1.1.0")],
)  # fmt: skip
def test_ways_to_name_a_model(models, version, expected):
    (data,) = models.trace(f"models:/{models.name}{version}")["data"]
    assert data["version"] == expected
    assert data["forms"] == ["param data_version", "tag data_version", "dataset input"]


def test_a_run_without_a_model(models):
    answer = models.trace(f"runs:/{models.runs[0]}")
    assert answer["model"] is None
    assert answer["data"][0]["version"] == "1.0.0"


def test_a_model_by_the_uri_that_mlflow_gives_it(registry, tracking):
    import mlflow

    with mlflow.start_run() as active:
        dreg.load("words@1.0.0").log_to_mlflow()
    logged = mlflow.MlflowClient().create_logged_model("0", source_run_id=active.info.run_id)
    told = Models(registry, "", []).trace(f"models:/{logged.model_id}")
    assert (told["run"]["id"], told["data"][0]["version"]) == (active.info.run_id, "1.0.0")


def test_the_versions_of_a_model_tell_which_data_was_used_when(models):
    answer = models.trace(f"models:/{models.name}")
    told = [(v["model"]["version"], v["model"]["aliases"], v["data"]) for v in answer["versions"]]
    assert told == [("2", ["champion"], ["words 1.1.0"]), ("1", [], ["words 1.0.0"])]
    assert "REGISTERED (UTC)" in models.dreg("trace", f"models:/{models.name}").stdout


def test_for_people(models):
    said = models.dreg(
        "trace", f"models:/{models.name}@champion", "--samples", "--limit", "2"
    ).stdout
    assert f"model     models:/{models.name}/2, alias champion, registered 20" in said
    assert f"run       {models.runs[1]} (on 1.1.0, experiment Default" in said
    assert "data      words 1.1.0, by param data_version, tag data_version, dataset input" in said
    assert "(recorded by the run)" in said
    assert f"samples   {ROWS}, of train" in said
    assert "\ntrain    0  " in said
    assert f"and {ROWS - 2} more samples: --limit 0, or --export FILE.parquet" in said


def test_was_this_sample_in_the_training_data(models):
    (data,) = models.trace(f"models:/{models.name}/2", "--sample", "600")["data"]
    assert [row["split"] for row in data["sample"]] == ["train"]
    said = models.dreg("trace", f"models:/{models.name}/1", "--sample", "600").stdout
    assert "sample    not in this release" in said
    said = models.dreg("trace", f"models:/{models.name}/1", "--sample", "9000").stdout
    assert "sample    9000 is in val: it was not trained on" in said


def test_only_of_some_splits(models):
    (data,) = models.trace(f"models:/{models.name}/1", "--split", "val", "--samples")["data"]
    assert data["samples"] == 1
    assert [row["key"] for row in data["listed"]] == ["9000"]
    assert {s["split"]: s["used"] for s in data["splits"]} == {"train": True, "val": False}
    said = models.dreg("trace", f"models:/{models.name}/1", "--split", "all", "--sample", "9000")
    assert "sample    9000 is in val: it was not trained on" in said.stdout
    said = models.dreg("trace", f"models:/{models.name}/1", "--split", "val").stdout
    assert f"dreg trace models:/{models.name}/1 --split val --export samples.parquet\n" in said
    (data,) = models.trace(f"models:/{models.name}/1", "--split", "all")["data"]
    assert data["samples"] == ROWS + 1
    done = models.dreg("trace", f"models:/{models.name}/1", "--split", "test")
    assert (done.code, "has no split `test`" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("params", "tags"),
    [
        ({"data_version": "words-v1.0.0"}, {}),
        ({}, {"data_version": "words-v1.0.0"}),
        ({"DVC_DATA_VERSION": "words-v1.0.0"}, {}),
        ({"data_version": "words@1.0.0"}, {}),
        ({"data_version": "1.0.0", "dataset": "words"}, {}),
        ({}, {"dataset_version": "v1.0.0", "dataset_name": "words"}),
    ],
)
def test_forms_that_others_write(registry, tracking, params, tags):
    import mlflow

    with mlflow.start_run() as active:
        mlflow.log_params(params)
        mlflow.set_tags(tags)
    models = Models(registry, "", [active.info.run_id])
    (data,) = models.trace(f"runs:/{active.info.run_id}")["data"]
    assert (data["tag"], data["samples"], data["recorded"]) == ("words-v1.0.0", ROWS, None)
    found = models.trace("words@1.0.0")["runs"]
    assert active.info.run_id in [one["id"] for one in found]


def test_a_dataset_input_of_another_kind_that_names_the_tag(registry, tracking):
    import mlflow
    from mlflow.data.http_dataset_source import HTTPDatasetSource
    from mlflow.data.meta_dataset import MetaDataset

    source = HTTPDatasetSource("https://git.example.com/acme/data/tree/words-v1.0.0/data/words")
    with mlflow.start_run() as active:
        mlflow.log_input(MetaDataset(source, name="words"), context="train")
    (data,) = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    assert (data["tag"], data["forms"]) == ("words-v1.0.0", ["dataset input"])


# What a release is used by


def test_who_uses_a_release(models):
    Path("dreg.lock").unlink(missing_ok=True)
    done = models.dreg("fetch", "words@~1.0")
    assert done.code == 0, done.stderr
    answer = models.trace("words@1.0.0")
    assert [m["name"] for m in answer["models"] if m["name"] == models.name] == [models.name]
    assert models.runs[0] in [run["id"] for run in answer["runs"]]
    assert models.runs[1] not in [run["id"] for run in answer["runs"]]
    assert answer["locks"] == [{"path": "dreg.lock", "request": "~1.0"}]
    assert models.trace("words@1.1.0")["locks"] == [], "that lock pins another version"
    said = models.dreg("trace", "words@1.0.0").stdout
    assert f"models:/{models.name}/1" in said
    assert "locks       dreg.lock (~1.0)" in said


def test_where_a_sample_was(registry):
    models = Models(registry, "", [])
    told = models.trace("words@1.0.0", "--sample", "8")["sighted"]
    assert [(s["version"], s["split"], s["changed"]) for s in told["seen"]] == [
        ("1.1.0", "train", True), ("1.0.0", "train", False),
    ]  # fmt: skip
    told = models.trace("words", "--sample", "7")["sighted"]
    assert [s["version"] for s in told["seen"]] == ["1.0.0"]
    assert told["absent"] == ["1.1.0"]
    by_hash = models.trace("words", "--sample", told["seen"][0]["hash"])["sighted"]
    assert [s["key"] for s in by_hash["seen"]] == ["7"]
    assert (
        "no release has the sample 'nine'"
        in models.dreg("trace", "words", "--sample", "nine").stdout
    )


def test_without_a_tracking_server_a_release_says_what_it_knows(registry):
    models = Models(registry, "", [])
    answer = models.trace("words@1.1.0", "--samples", "--limit", "1")
    assert (answer["runs"], answer["models"]) == (None, None)
    assert answer["data"]["more"] == ROWS - 1
    said = models.dreg("trace", "words@1.1.0").stdout
    assert "runs        not known: no tracking server (MLFLOW_TRACKING_URI or --tracking)" in said


# Recording


def test_everything_that_readers_rely_on_is_recorded(registry, tracking):
    import mlflow

    ds = dreg.load("words@1.0.0")
    with mlflow.start_run() as active:
        assert ds.log_to_mlflow() == active.info.run_id
        ds.log_to_mlflow()  # again is no error
    told = mlflow.get_run(active.info.run_id)
    expected = {
        "data_name": "words",
        "data_version": "words-v1.0.0",
        "data_repo": str(registry.bare),
        "data_commit": ds.commit,
        "data_manifest": f"sha256:{registry.made['words-v1.0.0'].digest}",
        "data_digest": f"sha256:{registry.made['words-v1.0.0'].snapshot.published.digest()}",
        "data_splits": "train",
        "data_num_samples": str(ROWS),
    }
    assert told.data.params == expected
    assert expected.items() <= told.data.tags.items()
    (one,) = told.inputs.dataset_inputs
    assert (one.dataset.name, one.dataset.source_type) == ("words", "dreg")
    assert one.dataset.digest == registry.made["words-v1.0.0"].digest[:32]
    assert {tag.key: tag.value for tag in one.tags} == {"mlflow.data.context": "train"}
    schema = {c["name"]: c["type"] for c in json.loads(one.dataset.schema)["mlflow_colspec"]}
    assert schema == {"id": "long", "text": "string", "mood": "string"}
    again = mlflow.data.get_source(one).load()
    assert (again.tag, again.commit) == (ds.tag, ds.commit)


def test_metrics_of_the_metadata_are_keys(hand_made, tracking, monkeypatch, tmp_path):
    import mlflow

    files, metadata = measured(tmp_path / "m", "digits")
    data = json.loads(metadata)
    data["metrics"] = {"train": {"pixel_mean": 0.28}}
    hand_made.release("1.0.0", files, name="digits", metadata=json.dumps(data).encode())
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "cache"))
    with mlflow.start_run() as active:
        dreg.load("digits", repo=str(hand_made.bare)).log_to_mlflow()
    assert mlflow.get_run(active.info.run_id).data.params["data_pixel_mean"] == "0.28"


def test_two_datasets_in_a_run(registry, tracking, kinds, monkeypatch):
    import mlflow

    with mlflow.start_run() as active:
        dreg.load("words@1.1.0").log_to_mlflow("train", "val")
        dreg.load("talks", repo=str(kinds.bare)).log_to_mlflow()
        with pytest.raises(Refused, match=r"uses `words-v1\.1\.0`, and not `words-v1\.0\.0`"):
            dreg.load("words@1.0.0").log_to_mlflow()
    params = mlflow.get_run(active.info.run_id).data.params
    assert (params["data_version"], params["data_version.talks"]) == (
        "words-v1.1.0",
        "talks-v1.0.0",
    )
    monkeypatch.delenv("DREG_REPO")
    told = Models(registry, "", []).trace(f"runs:/{active.info.run_id}", "--export", "s.parquet")[
        "data"
    ]
    about = pq.read_schema("s.parquet").metadata
    assert (about[b"dreg.version"], about[b"dreg.version.talks"]) == (b"1.1.0", b"1.0.0")
    assert set(pq.read_table("s.parquet")["dataset"].to_pylist()) == {"words", "talks"}
    samples = {one["dataset"]: one["samples"] for one in told}
    assert samples == {"words": ROWS + 1, "talks": 3}


def test_autolog_records_every_load_in_a_run(registry, tracking):
    import mlflow

    dreg.autolog()
    try:
        dreg.load("words@1.0.0")  # no run is active: nothing is recorded, nothing fails
        with mlflow.start_run() as active:
            dreg.load("words@1.1.0")
        dreg.autolog(disable=True)
        with mlflow.start_run() as other:
            dreg.load("words@1.1.0")
    finally:
        dreg.autolog(disable=True)
    assert mlflow.get_run(active.info.run_id).data.params["data_version"] == "words-v1.1.0"
    assert "data_version" not in mlflow.get_run(other.info.run_id).data.params


@pytest.mark.parametrize(
    ("read", "splits", "samples"),
    [
        ([], ["train"], ROWS),  # what was only loaded: what models learn from
        (["val"], ["val"], 1),
        (["val", "train"], ["train"], ROWS),
        (["train", "val"], ["train"], ROWS),
        ([None], ["train"], ROWS),  # all of it is in their hands
    ],
)
def test_autolog_records_which_splits_were_read(registry, tracking, read, splits, samples):
    import mlflow

    dreg.autolog()
    try:
        ds = dreg.load("words@1.0.0")
        with mlflow.start_run() as active:
            dreg.load("words@1.0.0")
            for split in read:
                ds.to_arrow(split) if split else ds.path()
    finally:
        dreg.autolog(disable=True)
    (data,) = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    assert [s["split"] for s in data["splits"] if s["used"]] == splits
    assert data["samples"] == samples


def test_what_was_loaded_before_the_run_is_recorded_when_it_is_read(registry, tracking):
    import mlflow

    dreg.autolog()
    try:
        ds = dreg.load("words@1.1.0")
        with mlflow.start_run() as active:
            ds.urls("val")
            ds.to_arrow("val")
    finally:
        dreg.autolog(disable=True)
    told = mlflow.get_run(active.info.run_id)
    assert (told.data.params["data_version"], told.data.tags["data_splits"]) == ("words-v1.1.0", "val")  # fmt: skip
    assert len(told.inputs.dataset_inputs) == 1


def test_two_versions_in_a_run_are_both_told_each_with_its_splits(registry, tracking):
    import mlflow

    dreg.autolog()
    try:
        with mlflow.start_run() as active:
            dreg.load("words@1.1.0").to_arrow("val")
            dreg.load("words@1.0.0").to_arrow("train")
    finally:
        dreg.autolog(disable=True)
    data = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    told = {d["version"]: [s["split"] for s in d["splits"] if s["used"]] for d in data}
    assert told == {"1.1.0": ["val"], "1.0.0": ["train"]}


def test_what_could_not_be_recorded_is_when_it_is_read_next(registry, tracking, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    there = mlflow.get_tracking_uri()
    dreg.autolog()
    try:
        with mlflow.start_run() as active:
            mlflow.set_tracking_uri("http://127.0.0.1:9")
            ds = dreg.load("words@1.0.0")
            mlflow.set_tracking_uri(there)
            ds.to_arrow("train")
    finally:
        mlflow.set_tracking_uri(there)
        dreg.autolog(disable=True)
    (data,) = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    assert (data["tag"], data["samples"]) == ("words-v1.0.0", ROWS)


@pytest.mark.parametrize(("before", "after"), [("train", "val"), ("val", "train")])
def test_a_run_that_is_resumed_keeps_what_was_read_in_it(registry, tracking, before, after):
    """As by an evaluation, another rank, or a notebook's cell that is run again."""
    import mlflow

    run_id = None
    for split in (before, after):
        dreg.autolog()
        try:
            with mlflow.start_run(run_id=run_id) as active:
                dreg.load("words@1.0.0").to_arrow(split)
            run_id = active.info.run_id
        finally:
            dreg.autolog(disable=True)
    (data,) = Models(registry, "", []).trace(f"runs:/{run_id}")["data"]
    assert [s["split"] for s in data["splits"] if s["used"]] == ["train"]


@pytest.mark.parametrize("first", [True, False])
def test_what_training_says_itself_counts_before_what_was_read(registry, tracking, first):
    import mlflow

    dreg.autolog()
    try:
        with mlflow.start_run() as active:
            ds = dreg.load("words@1.0.0")
            if first:
                ds.log_to_mlflow("val")
            ds.to_arrow("train")
            if not first:
                ds.log_to_mlflow("val")
    finally:
        dreg.autolog(disable=True)
    (data,) = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    assert [s["split"] for s in data["splits"] if s["used"]] == ["val"]


def test_splits_that_were_read_of_a_second_dataset(registry, tracking, kinds):
    import mlflow

    dreg.autolog()
    try:
        with mlflow.start_run() as active:
            dreg.load("talks", repo=kinds.bare).to_arrow("train")
            dreg.load("words@1.0.0").to_arrow("val")
    finally:
        dreg.autolog(disable=True)
    tags = mlflow.get_run(active.info.run_id).data.tags
    assert (tags["data_splits"], tags["data_splits.words"]) == ("train", "val")


def test_outside_of_a_run_nothing_can_be_recorded(registry, tracking):
    with pytest.raises(BadRequest, match="no MLflow run is active"):
        dreg.load("words").log_to_mlflow()


def test_splits_of_a_release_add_up(registry, tracking):
    import mlflow

    with mlflow.start_run() as active:
        ds = dreg.load("words@1.0.0")
        ds.log_to_mlflow("val")
        ds.log_to_mlflow("train")
    (data,) = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    assert [s["split"] for s in data["splits"] if s["used"]] == ["train", "val"]


@pytest.mark.parametrize(("key", "value"), [("data_num_samples", "7"), ("data_version", "3")])
def test_a_param_that_the_training_wrote_itself_stays_and_costs_no_lineage(registry, tracking, key, value):  # fmt: skip
    import mlflow

    with mlflow.start_run() as active:
        mlflow.log_param(key, value)
        dreg.load("words@1.0.0").log_to_mlflow()
    assert mlflow.get_run(active.info.run_id).data.params[key] == value
    (data,) = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    assert (data["tag"], data["samples"]) == ("words-v1.0.0", ROWS)


def test_a_metric_is_never_taken_for_a_lineage_key(registry):
    ds = dreg.load("words@1.0.0")
    metrics = {"train": {"version": 2.0, "commit": 1.0, "mean": 0.5, "x" * 300: 1.0}}
    told = keys(ds.lineage(), replace(ds.profile, metrics=metrics))
    assert (told["data_version"], told["data_commit"], told["data_mean"]) == ("words-v1.0.0", ds.commit, "0.5")  # fmt: skip
    assert max(map(len, told)) <= 250


def test_names_that_no_split_has(registry):
    ds = dreg.load("words@1.0.0")
    for ask in (lambda: ds.samples("trian"), lambda: ds.lineage(["trian"])):
        with pytest.raises(BadRequest, match="has no split `trian`"):
            ask()
    with pytest.raises(BadRequest, match="splits are named one by one"):
        ds.lineage("train")
    with pytest.raises(BadRequest, match="None names no dataset"):
        dreg.load(None)


# What may be wrong


def test_a_tag_that_is_younger_than_a_run_without_a_commit_is_warned_of(tracking, tmp_path, monkeypatch):  # fmt: skip
    import mlflow

    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "own-cache"))
    made = HandMade(tmp_path / "made", {})
    made.release("1.0.0")
    time.sleep(1.1)  # git and MLflow tell whole seconds
    with mlflow.start_run() as active:
        mlflow.set_tags({"data_version": "wine-v1.0.0", "data_repo": str(made.bare)})
    models = Models(made, "", [])
    late = "that tag was made after the run started"
    assert late not in models.dreg("trace", f"runs:/{active.info.run_id}").stderr
    time.sleep(1.1)
    made.release("1.0.0", {"processed/train.csv": b"other\n"}, force=True)
    assert late in models.dreg("trace", f"runs:/{active.info.run_id}").stderr


def test_a_registry_that_is_not_here_is_told_with_who_named_it(registry, tracking):
    import mlflow

    with mlflow.start_run() as active:
        mlflow.set_tags({"data_version": "words-v1.0.0", "data_repo": "/nowhere/registry.git"})
    models = Models(registry, "", [])
    done = models.dreg("trace", f"runs:/{active.info.run_id}")
    assert done.code == 2
    assert "error: the run recorded the registry `/nowhere/registry.git`, and from here" in done.stderr  # fmt: skip
    assert "hint: name it as it is reached from here: --repo URL\n" in done.stderr
    done = models.dreg("trace", f"runs:/{active.info.run_id}", "--repo", str(registry.bare))
    assert done.code == 0, done.stderr


@pytest.mark.parametrize("spelled", [lambda c: c[:8], lambda c: c.upper()])
def test_a_commit_may_be_short_and_in_capitals(registry, tracking, spelled):
    import mlflow

    commit = registry.git("rev-parse", "words-v1.0.0^{commit}")
    with mlflow.start_run() as active:
        mlflow.log_params({"data_version": "words-v1.0.0", "dvc_commit": spelled(commit)})
    (data,) = Models(registry, "", []).trace(f"runs:/{active.info.run_id}")["data"]
    assert (data["moved"], data["commit"]) == (False, commit)


def test_runs_of_another_release_of_that_name_are_told_apart_and_deleted_ones_are_told(models):
    import mlflow

    with mlflow.start_run() as other:
        mlflow.log_params({"data_version": "words-v1.0.0", "data_commit": "deadbeef" * 5})
    mlflow.MlflowClient().delete_run(models.runs[0])
    done = models.dreg("trace", "words@1.0.0", "--json")
    runs = {run["id"]: run["deleted"] for run in done.json["runs"]}
    assert runs[models.runs[0]] is True
    assert other.info.run_id not in runs
    assert "used another release called words-v1.0.0, by commit or" in done.stderr
    assert f"models:/{models.name}/1" in models.dreg("trace", "words@1.0.0").stdout


def test_a_run_that_names_another_registry_and_no_commit_is_marked(registry, tracking):
    import mlflow

    ids = []
    for repo in (str(registry.bare), "https://ada:secret@example.com/d.git"):
        with mlflow.start_run() as active:
            mlflow.log_params({"data_version": "words-v1.0.0", "data_repo": repo})
        ids.append(active.info.run_id)
    said = Models(registry, "", []).dreg("trace", "words@1.0.0").stdout
    ours, theirs = (next(x for x in said.splitlines() if one in x) for one in ids)
    assert theirs.endswith("(it names the registry https://example.com/d.git, and no commit)")
    assert "names" not in ours


def test_a_key_with_the_name_in_it_is_found_from_the_release_too(registry, tracking):
    import mlflow

    with mlflow.start_run() as active:
        mlflow.set_tag("dvc_data_version.words", "1.0.0")
    told = Models(registry, "", []).trace("words@1.0.0")["runs"]
    assert active.info.run_id in [run["id"] for run in told]


@pytest.mark.parametrize(
    ("what", "hint"),
    [("0" * 32, "did you mean runs:/00"), ("models:ok/1", "did you mean models:/ok/1?"), ("m-" + "0" * 32, "did you mean models:/m-00")],
)  # fmt: skip
def test_a_uri_without_its_beginning(registry, what, hint):
    done = Models(registry, "", []).dreg("trace", what)
    assert (done.code, hint in done.stderr) == (2, True)


def test_a_folder_that_is_not_there_has_no_locks(registry, tmp_path):
    done = Models(registry, "", []).dreg("trace", "words@1.0.0", "--locks", str(tmp_path / "no"))
    assert (done.code, "there is no folder" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("what", "fact", "hint"),
    [
        ("models:/{name}/7", "has no version `7`, by number or by a tag", "versions there are: 2 (champion), 1"),
        ("models:/{name}@prod", "has no alias `prod`", "versions there are: 2 (champion), 1"),
        ("models:/nobody/1", "has no registered model `nobody`", "there are: "),
        ("runs:/0123456789abcdef0123456789abcdef", "has no run `0123", "on another server"),
        ("models:/a/b/c", "is not the URI of a model or run", "models:/NAME@alias"),
    ],
)  # fmt: skip
def test_what_is_not_there_says_what_is(models, what, fact, hint):
    done = models.dreg("trace", what.format(name=models.name))
    assert done.code == 2
    assert fact in done.stderr
    assert hint in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_that_names_no_data(registry, tracking):
    import mlflow

    with mlflow.start_run() as active:
        mlflow.log_param("lr", 0.1)
    done = Models(registry, "", []).dreg("trace", f"runs:/{active.info.run_id}")
    assert done.code == 2
    assert "does not say which data it used" in done.stderr
    assert "ds.log_to_mlflow()" in done.stderr


def test_no_server_is_known(registry):
    done = Models(registry, "", []).dreg("trace", "models:/x/1")
    assert done.code == 2
    assert done.stderr == (
        "error: no MLflow tracking server is known here\n\n"
        "hint: name it: --tracking http://HOST:5000, or set MLFLOW_TRACKING_URI\n"
    )


def test_a_server_that_does_not_answer(registry):
    done = Models(registry, "", []).dreg("trace", "models:/x/1", "--tracking", "http://127.0.0.1:9")
    assert done.code == 3
    assert done.stderr.startswith("error: MLflow at http://127.0.0.1:9 cannot be reached\n")


def test_a_tag_that_moved_since(registry, tracking, tmp_path):
    """The run recorded the manifest, so what it used is still told exactly - with a warning."""
    import mlflow

    made = HandMade(tmp_path / "moving", {"DREG_CACHE": str(tmp_path / "moving-cache")})
    files, metadata = measured(tmp_path / "before", "words")
    made.release("1.0.0", files, name="words", metadata=metadata)
    with mlflow.start_run() as active, mlflow.start_run(nested=True) as bare:
        mlflow.log_params({"data_version": "words-v1.0.0", "data_commit": "0" * 40})
        dreg.load("words", repo=str(made.bare)).log_to_mlflow("train", run_id=active.info.run_id)
    less = {**files, "processed/val.csv": b"id,text,mood\n"}
    made.release("1.0.0", less, name="words", metadata=metadata, force=True)
    models = Models(made, "", [])
    done = models.dreg(
        "trace", f"runs:/{active.info.run_id}", "--json", "--samples", "--limit", "0"
    )
    assert done.code == 0, done.stderr
    assert "is not where it was when the run used it; what follows is by the man" in done.stderr
    (data,) = done.json["data"]
    assert data["moved"]
    assert len(data["listed"]) == data["samples"] == ROWS
    done = models.dreg("trace", f"runs:/{bare.info.run_id}", "--repo", str(made.bare))
    assert done.code == 1
    assert "is not where it was when the run used it" in done.stderr


def test_a_registry_that_never_had_the_release(registry, tracking, tmp_path):
    """Nothing moved: it is another registry, and the run says which one it was."""
    import mlflow

    other = HandMade(tmp_path / "other", {"DREG_CACHE": str(tmp_path / "other-cache")})
    other.git("push", "-q", "origin", "main")
    with mlflow.start_run() as active, mlflow.start_run(nested=True) as bare:
        mlflow.log_params({"data_version": "words-v1.0.0", "data_commit": "0" * 40})
        dreg.load("words@1.0.0").log_to_mlflow(run_id=active.info.run_id)
    models = Models(other, "", [])
    shutil.rmtree(tmp_path / "own-cache")
    for run_id, hint in (
        (active.info.run_id, f"the run recorded another registry: --repo {registry.bare}"),
        (bare.info.run_id, "name the registry that has it: --repo URL"),
    ):
        done = models.dreg("trace", f"runs:/{run_id}", "--repo", str(other.bare))
        assert done.code == 1
        assert f"error: `{other.bare}` has no release `words-v1.0.0`\n" in done.stderr
        assert hint in done.stderr
        assert "moved" not in done.stderr


def test_a_release_that_is_gone_is_told_by_the_manifest_that_the_run_recorded(tracking, tmp_path, monkeypatch):  # fmt: skip
    import mlflow

    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "own-cache"))
    made = HandMade(tmp_path / "made", {})
    files, metadata = measured(tmp_path / "measured", "words")
    made.release("1.0.0", files, name="words", metadata=metadata)
    with mlflow.start_run() as active:
        dreg.load("words", repo=made.bare).log_to_mlflow()
    made.git("push", "-q", "--delete", "origin", "words-v1.0.0")
    models = Models(made, "", [])
    done = models.dreg("trace", f"runs:/{active.info.run_id}", "--samples", "--limit", "1")
    assert done.code == 0, done.stderr
    assert f"`{made.bare}` has no release `words-v1.0.0`; what follows is by the man" in done.stderr
    assert "(the registry has no such tag)" in done.stdout
    assert f"samples   {ROWS}, of train" in done.stdout


@pytest.mark.parametrize("branches", [["main"], ["a", "b"]])
def test_where_a_sample_was_though_head_leads_nowhere(tmp_path, monkeypatch, branches):
    """A bare repository often names a branch as its HEAD that nobody ever pushed."""
    made = HandMade(tmp_path / "made", {})
    files, metadata = measured(tmp_path / "measured", "words")
    made.release("1.0.0", files, name="words", metadata=metadata)
    made.git("symbolic-ref", "HEAD", "refs/heads/gone", cwd=made.bare)
    made.git("push", "-q", "origin", *(f"main:refs/heads/{branch}" for branch in branches))
    if "main" not in branches:
        made.git("push", "-q", "--delete", "origin", "main")
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "own-cache"))
    done = Models(made, "", []).dreg("trace", "words", "--sample", "7", "--repo", str(made.bare))
    assert done.code == 0, done.stderr
    assert "\n1.0.0    train    7  " in done.stdout


def test_a_release_without_a_sample_index(hand_made, tracking, monkeypatch):
    import mlflow

    hand_made.release("1.0.0")
    monkeypatch.setenv("DREG_CACHE", str(hand_made.home / "cache"))
    with mlflow.start_run() as active:
        mlflow.set_tag("data_version", "wine-v1.0.0")
    models = Models(hand_made, "", [])
    done = models.dreg(
        "trace", f"runs:/{active.info.run_id}", "--samples", "--repo", str(hand_made.bare)
    )
    assert done.code == 2
    assert "has no sample index, so single samples can't be told" in done.stderr
    said = models.dreg("trace", f"runs:/{active.info.run_id}", "--repo", str(hand_made.bare)).stdout
    assert said.endswith("samples   not recorded\n"), "neither a number nor a way to have them"


def test_where_a_sample_is_can_not_be_told_without_a_sample_index(hand_made, monkeypatch):
    hand_made.release("1.0.0")
    monkeypatch.setenv("DREG_CACHE", str(hand_made.home / "cache"))
    done = Models(hand_made, "", []).dreg(
        "trace", "wine", "--sample", "7", "--repo", str(hand_made.bare)
    )
    assert done.code == 0, done.stderr
    assert "where the sample '7' is can't be told: no release has a sample index\n" in done.stdout
    assert "unknown   1.0.0: no sample index" in done.stdout
    assert "no release has the sample" not in done.stdout


def test_a_yanked_release_is_told_from_both_ends(hand_made, tracking, monkeypatch):
    import mlflow

    hand_made.release("1.0.0")
    hand_made.git("tag", "-a", "-m", "Wrong labels", "yank/wine-v1.0.0", "wine-v1.0.0^{commit}")
    hand_made.git("push", "-q", "origin", "--tags")
    monkeypatch.setenv("DREG_CACHE", str(hand_made.home / "cache"))
    with mlflow.start_run() as active:
        mlflow.set_tag("data_version", "wine-v1.0.0")
    models = Models(hand_made, "", [])
    for asked in ("wine@1.0.0", f"runs:/{active.info.run_id}"):
        done = models.dreg("trace", asked, "--repo", str(hand_made.bare))
        assert "yanked    Wrong labels\n" in done.stdout
        assert "warning: wine 1.0.0 is yanked: Wrong labels\n" in done.stderr
    (data,) = models.trace(f"runs:/{active.info.run_id}", "--repo", str(hand_made.bare))["data"]
    assert data["yanked"]["reason"] == "Wrong labels"


def test_only_parquet_is_exported(models):
    done = models.dreg("trace", f"models:/{models.name}/1", "--export", "samples.xlsx")
    assert done.code == 2
    assert "does not end in .parquet" in done.stderr
    assert not Path("samples.xlsx").exists()


def test_mlflow_is_not_needed_to_trace_samples(registry):
    script = (
        "import sys; sys.modules['mlflow'] = None\nfrom dreg.cli import run\n"
        "sys.exit(run(['trace', 'words@1.0.0', '--sample', '8']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_what_a_run_says_itself_comes_before_the_source_of_an_input():
    """MLflow keeps one source for a name and digest: it may be that of another copy of the registry."""
    mine = {"data_version": "words-v1.0.0", "data_repo": "https://git.example.com/mine"}
    source = json.dumps({"tag": "words-v1.0.0", "repo": "https://git.example.com/other"})
    (told,) = read(mine, {}, [Input("words", "0" * 32, "dreg", source, "train")])
    assert told.repo == "https://git.example.com/mine"
    assert told.splits == ("train",)
