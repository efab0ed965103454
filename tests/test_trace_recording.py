"""A run says all of the data that it used, and nothing else, in whatever order and processes."""

from __future__ import annotations

import json
import multiprocessing
from dataclasses import replace

import pytest

import dreg
from dreg.adapters.cache import cache_place
from dreg.adapters.mlflow.recording import record, record_splits
from dreg.adapters.mlflow.turns import PURPOSE
from dreg.core.lineage import Lineage, keys, read
from dreg.core.profile import Profile
from dreg.errors import Refused
from tests.hand_made import HandMade
from tests.kinds import ROWS, measured
from tests.trained_models import Models

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
local = pytest.mark.parametrize("tracking", ["folder"], indirect=True)


@pytest.fixture
def autolog():
    dreg.autolog()
    yield
    dreg.autolog(disable=True)


@pytest.fixture
def runs(words_registry, tracking) -> Models:
    return Models(words_registry, "", [])


# Again and again


@local
def test_autolog_again_forgets_nothing(runs, autolog):
    import mlflow

    with mlflow.start_run() as active:
        ds = dreg.load("words@1.0.0")
        ds.to_arrow("train")
        dreg.autolog()
        ds.to_arrow("val")
    assert runs.used(active.info.run_id) == {"words-v1.0.0": ["train"]}


def test_splits_that_training_logs_one_after_the_other_add_up(runs):
    import mlflow

    ds = dreg.load("words@1.0.0")
    with mlflow.start_run() as active:
        ds.log_to_mlflow("train")
        ds.log_to_mlflow("val")
        ds.log_to_mlflow("train")
    assert runs.used(active.info.run_id) == {"words-v1.0.0": ["train", "val"]}
    assert mlflow.get_run(active.info.run_id).data.params["data_splits"] == "train"


def at_once(number, work):
    """`work(0)`, `work(1)` and so on, each in a process of its own, begun at the same moment; how they ended."""
    forking = multiprocessing.get_context("fork")
    begin = forking.Barrier(number)

    def one(turn):
        begin.wait(60)
        work(turn)

    processes = [forking.Process(target=one, args=(turn,)) for turn in range(number)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
    return [process.exitcode for process in processes]


@local
def test_what_processes_read_at_once_is_all_there(runs):
    import mlflow

    ds = dreg.load("words@1.0.0")
    with mlflow.start_run() as active:
        run = active.info.run_id
    lineage = replace(ds.lineage(), splits=())
    record(lineage, ds.profile, run)
    ended = at_once(6, lambda turn: record_splits(lineage, {f"s{turn}"}, (), run))
    assert ended == [0] * 6
    assert mlflow.get_run(run).data.tags["data_splits"] == "s0,s1,s2,s3,s4,s5"


@local
def test_what_processes_log_at_once_is_all_there(runs):
    import mlflow

    ds = dreg.load("words@1.0.0")
    with mlflow.start_run() as active:
        run = active.info.run_id
    record(replace(ds.lineage(), splits=("first",)), ds.profile, run)
    ended = at_once(
        6, lambda turn: record(replace(ds.lineage(), splits=(f"s{turn}",)), ds.profile, run)
    )
    assert ended == [0] * 6
    told = mlflow.get_run(run).data.tags["data_splits"].split(",")
    assert sorted(told) == ["first", *(f"s{turn}" for turn in range(6))]


@local
def test_where_nothing_can_be_locked_it_is_recorded_all_the_same(runs):
    import mlflow

    ds = dreg.load("words@1.0.0")
    cache_place(PURPOSE).write_text("no folder")
    with mlflow.start_run() as active:
        ds.log_to_mlflow("train")
    assert runs.used(active.info.run_id) == {"words-v1.0.0": ["train"]}


# Two versions


def test_autolog_tells_apart_what_was_read_of_two_versions(runs, autolog, capsys):
    import mlflow

    with mlflow.start_run() as active:
        dreg.load("words@1.1.0").to_arrow("val")
        for _ in range(2):
            dreg.load("words@1.0.0").to_arrow("train")
        dreg.autolog(disable=True)  # what another process knows of this run
        dreg.autolog()
        dreg.load("words@1.0.0").to_arrow("val")
    told = capsys.readouterr().err
    assert told.count("the run says already that it uses `words-v1.1.0`") == 2, told
    told = mlflow.get_run(active.info.run_id).data
    assert (told.params["data_version"], told.tags["data_splits"]) == ("words-v1.1.0", "val")
    assert told.tags["data_version.words-v1.0.0"] == "words-v1.0.0"
    assert runs.used(active.info.run_id) == {"words-v1.1.0": ["val"], "words-v1.0.0": ["train"]}
    for version in ("1.0.0", "1.1.0"):
        assert [one["id"] for one in runs.trace(f"words@{version}")["runs"]].count(
            active.info.run_id
        ) == 1


@local
def test_the_same_version_of_another_registry_stays_refused(runs, autolog, tmp_path, capsys):
    """Its tag is the same: what was read of it must not be said of the first."""
    import mlflow

    other = HandMade(tmp_path / "other", {"DREG_CACHE": str(tmp_path / "other-cache")})
    files, metadata = measured(tmp_path / "o", "words")
    other.release("1.0.0", files, name="words", metadata=metadata)
    with mlflow.start_run() as active:
        dreg.load("words@1.0.0").to_arrow("val")
        strange = dreg.load("words@1.0.0", repo=str(other.bare))
        strange.to_arrow("train")
        with pytest.raises(Refused, match=r"uses `words-v1\.0\.0` at commit"):
            strange.log_to_mlflow()
    assert "at commit" in capsys.readouterr().err
    assert runs.used(active.info.run_id) == {"words-v1.0.0": ["val"]}


# A server that fails


@local
def test_what_a_server_missed_is_told_when_it_answers_again(runs, autolog, tracking, capsys):
    import mlflow

    with mlflow.start_run() as active:
        mlflow.set_tracking_uri("http://127.0.0.1:9")
        ds = dreg.load("words@1.0.0")
        ds.to_arrow("train")
        mlflow.set_tracking_uri(tracking)
        assert "is not recorded in MLflow" in capsys.readouterr().err
        ds.to_arrow("val")
    assert runs.used(active.info.run_id) == {"words-v1.0.0": ["train"]}


# What the run says already


@local
@pytest.mark.parametrize("taken", ["3", "talks-v1.0.0"])
def test_a_data_version_that_is_not_of_the_dataset_leaves_it_a_place(runs, taken):
    import mlflow

    with mlflow.start_run() as active:
        mlflow.log_param("data_version", taken)
        dreg.load("words@1.0.0").log_to_mlflow()
    params = mlflow.get_run(active.info.run_id).data.params
    assert (params["data_version"], params["data_version.words"]) == (taken, "words-v1.0.0")


@local
@pytest.mark.parametrize("version", ["words-v1.0.0", "words@1.0.0", "1.0.0"])
def test_a_data_version_that_is_the_same_in_other_words_is_no_other(runs, version):
    import mlflow

    ds = dreg.load("words@1.0.0")
    with mlflow.start_run() as active:
        mlflow.log_params({"data_version": version, "dataset": "words", "data_commit": ds.commit[:8]})  # fmt: skip
        ds.log_to_mlflow()
    assert runs.used(active.info.run_id) == {"words-v1.0.0": ["train"]}


# Metrics


@pytest.fixture(scope="module")
def profile(tmp_path_factory) -> Profile:
    _, metadata = measured(tmp_path_factory.mktemp("profile") / "words", "words")
    return Profile.from_json(json.loads(metadata))


ONE = Lineage("words", read({"data_version": "words-v1.0.0"}, {})[0].version, "r", "c" * 40)


@pytest.mark.parametrize(
    "name",
    ["version", "version.words", "splits", "commit", "repo", "name", "digest", "manifest", "num_samples"],
)  # fmt: skip
def test_no_metric_takes_the_place_of_lineage(profile, name):
    plain = keys(ONE, profile)
    measured_too = replace(profile, metrics={"train": {name: 2.0, "mean": 0.5}})
    assert keys(ONE, measured_too) == {**plain, "data_mean": "0.5"}
    assert plain["data_num_samples"] == str(ROWS)


def test_of_two_metrics_with_one_key_none_is_told(profile):
    odd = replace(profile, metrics={"train": {"a:b": 1.0, "a?b": 2.0, "c": 3.0}})
    told = keys(ONE, odd)
    assert "data_a_b" not in told
    assert told["data_c"] == "3.0"


@local
def test_a_metric_with_a_name_that_mlflow_takes_not_keeps_nothing_else_out(runs):
    import mlflow

    ds = dreg.load("words@1.0.0")
    long = replace(ds.profile, metrics={"train": {"m" * 300: 1.0, "mean": 0.5}})
    ds.__dict__["profile"] = long
    with mlflow.start_run() as active:
        ds.log_to_mlflow()
    params = mlflow.get_run(active.info.run_id).data.params
    assert (params["data_version"], params["data_mean"]) == ("words-v1.0.0", "0.5")
