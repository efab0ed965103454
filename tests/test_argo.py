"""What Argo's pods do: each template's command as a process with the environment that it is given, git and S3 real."""

from __future__ import annotations

import json

import pytest
import yaml

from dreg.ci.rendering import for_cluster
from dreg.core.manifest import trailers
from tests.argo import (
    DELETED,
    EVICTED,
    HEAD_LOST,
    NOT_MADE,
    OUT_OF_MEMORY,
    OUT_OF_TIME,
    PREEMPTED,
    SHUT_DOWN,
    Cluster,
    Failed,
)
from tests.ci_jobs import states
from tests.kubernetes_server import templates
from tests.passages import NAME as PASSAGES
from tests.passages import VIEW
from tests.small_registry import NAME
from tests.test_release import tag_message

NIGHTLY = yaml.safe_load(for_cluster()["deploy/argo/nightly.yaml"])
TYPES = yaml.safe_load(for_cluster()["deploy/argo/compute-types.yaml"])["data"]


@pytest.fixture
def argo(registry, s3):
    """A registry whose bytes go to S3, and the namespace that pipelines run in."""
    registry.edit(".dvc/config", "url = s3://dvcstore", f"url = {s3.url}")
    registry.edit(".dvc/config", "endpointurl = .*9000", f"endpointurl = {s3.endpoint}")
    registry.commit_all()
    registry.git("push", "-q")
    settings = {
        "image": "dreg@sha256:cafe",
        "ray-image": "dreg-ray@sha256:cafe",
        "DREG_REPO": f"file://{registry.remote}",
        "DREG_REMOTE": "local",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    keys = {key: s3.environment[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    return Cluster(
        registry.home / "pods",
        templates(),
        {"dreg": settings, "dreg-compute-types": TYPES},
        {"dreg": keys, "dreg-git": {"credentials": "https://u:p@git.example\n"}},
    )


def started(template="data-pipeline", **parameters):
    given = [{"name": name.replace("_", "-"), "value": value} for name, value in parameters.items()]
    return {"spec": {"workflowTemplateRef": {"name": template}, "arguments": {"parameters": given}}}


def nightly():
    return {"spec": NIGHTLY["spec"]["workflowSpec"]}


def result(pod):
    return json.loads((pod / "work/out/result.json").read_text())


def tip(registry):
    return registry.git("rev-parse", "main", folder=registry.remote)


@pytest.mark.slow
def test_at_night_what_is_new_is_released_and_then_nothing(registry, argo):
    argo.run(nightly())
    assert [(pod.template, pod.code) for pod in argo.pods] == [("plan", 0), ("release", 0)]
    assert registry.remote_tags() == ["toy-v1.0.0"]
    assert states(result(argo.home / "pod-1")) == {NAME: "changed"}
    assert argo.locks == [f"dreg-{NAME}"]
    assert argo.pods[1].resources == json.loads(TYPES["cpu-small"])
    registry.git("pull", "-q", "--tags")
    said = trailers(tag_message(registry, "toy-v1.0.0"))["Dreg-Automated"]
    assert said == "argo data-pipeline-x1/uid-1"
    before = tip(registry)
    argo.run(nightly())
    assert states(result(argo.home / "pod-3")) == {NAME: "unchanged"}
    assert (tip(registry), registry.remote_tags()) == (before, ["toy-v1.0.0"])
    assert not registry.store.exists()


@pytest.mark.slow
def test_what_was_chosen_is_what_runs_each_behind_what_it_is_made_from(registry, argo):
    registry.ok("new", "child", "--kind", "tabular")
    registry.edit("pipelines/child/dataset.yaml", "^title: .*", "title: Child\nupstream: [toy]")
    registry.ok("new", "other", "--kind", "tabular")
    registry.commit_all()
    registry.git("push", "-q")
    argo.run(started(pipelines="child toy", compute_type="cpu-medium", dry_run="true"))
    releases = [pod for pod in argo.pods if pod.template == "release"]
    assert [pod.environment["DREG_DATASETS"] for pod in releases] == ["toy", "child"]
    assert argo.locks == ["dreg-toy", "dreg-child"]
    assert {pod.environment["DREG_COMPUTE_TYPE"] for pod in releases} == {"cpu-medium"}
    assert [pod.resources for pod in releases] == [json.loads(TYPES["cpu-medium"])] * 2
    assert registry.remote_tags() == [], "it was to be dry"


@pytest.mark.slow
def test_a_hostile_name_is_a_name_that_no_dataset_has(registry, argo):
    name = 'toy"; touch ../pwned; echo "$(touch pwned)'
    with pytest.raises(Failed, match="plan"):
        argo.run(started(pipelines=name))
    (pod,) = argo.pods
    assert pod.environment["DREG_DATASETS"] == name
    assert 'no dataset named `toy";`' in pod.output
    assert not list(registry.home.rglob("pwned"))
    assert registry.remote_tags() == []


@pytest.mark.slow
def test_what_something_outside_did_is_tried_again_and_what_stays_so_is_not(registry, argo, s3):
    argo.secrets["dreg"]["AWS_SECRET_ACCESS_KEY"] = "wrong"
    with pytest.raises(Failed):
        argo.run(nightly())
    assert [(pod.template, pod.code) for pod in argo.pods] == [("plan", 0)] + [("release", 3)] * 4
    argo.pods.clear()
    argo.home = argo.home / "again"
    argo.secrets["dreg"]["AWS_SECRET_ACCESS_KEY"] = s3.environment["AWS_SECRET_ACCESS_KEY"]
    contract = registry.path / "pipelines" / NAME / "dataset.yaml"
    contract.write_text(f"{contract.read_text()}  min_samples: {{val: 1000}}\n")
    registry.commit_all()
    registry.git("push", "-q")
    with pytest.raises(Failed):
        argo.run(nightly())
    assert [(pod.template, pod.code) for pod in argo.pods] == [("plan", 0), ("release", 1)]
    assert states(result(argo.home / "pod-1")) == {NAME: "refused"}


@pytest.mark.slow
def test_a_script_that_fails_is_not_tried_again_and_argo_says_which(registry, argo):
    script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
    script.write_text("raise ValueError('of our own')\n")
    registry.commit_all()
    registry.git("push", "-q")
    with pytest.raises(Failed):
        argo.run(nightly())
    assert argo.tries == ["plan", "release"]
    said = argo.pods[-1].ended.message
    assert said == f"main: Error (exit code 3): stage `process` of `{NAME}` ended with exit code 1"


@pytest.mark.slow
def test_a_registry_that_is_away_is_worth_another_try(registry, argo):
    argo.config_maps["dreg"]["DREG_REPO"] = "http://127.0.0.1:1/away.git"
    with pytest.raises(Failed, match="plan"):
        argo.run(nightly())
    assert argo.tries == ["plan"] * 4


@pytest.mark.slow
def test_pods_that_were_lost_are_made_again(registry, argo):
    argo.befalls = {"plan": [DELETED, NOT_MADE], "release": [SHUT_DOWN, PREEMPTED, EVICTED]}
    argo.run(nightly())
    assert argo.tries == ["plan"] * 3 + ["release"] * 4
    assert registry.remote_tags() == ["toy-v1.0.0"]
    for again in (OUT_OF_MEMORY, OUT_OF_TIME):
        argo.tries.clear()
        argo.befalls = {"release": [again]}
        with pytest.raises(Failed):
            argo.run(nightly())
        assert argo.tries == ["plan", "release"], "it would be the same again"


@pytest.mark.slow
def test_a_ray_cluster_that_was_lost_is_made_again_and_a_job_that_failed_is_not(registry, argo):
    chosen = {"dataset": NAME, "load": "false"}
    argo.rayjobs = [HEAD_LOST]
    argo.befalls = {"release": [EVICTED]}  # who waits for it
    argo.run(started("embeddings-pipeline", **chosen))
    assert argo.tries == ["release"] * 3
    assert registry.remote_tags() == ["toy-v1.0.0"]
    stopped = {"jobStatus": "STOPPED", "jobDeploymentStatus": "Complete"}
    late = {"jobStatus": "RUNNING", "jobDeploymentStatus": "Failed", "reason": "DeadlineExceeded"}
    odd = {"jobStatus": "", "jobDeploymentStatus": "ValidationFailed"}
    for status in (stopped, late, odd):
        argo.tries.clear()
        argo.rayjobs = [status]
        with pytest.raises(Failed, match="release"):
            argo.run(started("embeddings-pipeline", **chosen))
        assert argo.tries == ["release"]
    argo.tries.clear()
    with pytest.raises(Failed, match="release"):
        argo.run(started("embeddings-pipeline", dataset="nothing", load="false"))
    assert argo.tries == ["release"], "`dreg ci run` has said no"


@pytest.mark.slow
def test_embeddings_are_released_by_a_rayjob_or_only_loaded(registry, argo):
    chosen = {"dataset": NAME, "compute_type": "gpu-small", "load": "false"}
    argo.run(started("embeddings-pipeline", **chosen))
    (worker,) = argo.pods
    assert (worker.template, worker.command) == ("ray-worker", ["/bin/sh", "-c", "dreg ci run"])
    assert worker.environment["DREG_COMPUTE_TYPE"] == "gpu-small"
    assert worker.resources == json.loads(TYPES["gpu-small"]), "what pipelines are told they have"
    assert registry.remote_tags() == ["toy-v1.0.0"]
    assert argo.locks == [f"dreg-{NAME}"]
    may = {
        (verb, what) for rule in argo.rules for what in rule["resources"] for verb in rule["verbs"]
    }
    assert argo.asked == may, "no right is more than is used"
    name = 'toy"; touch ../pwned; echo "$(touch pwned)'
    with pytest.raises(Failed, match="release"):
        argo.run(started("embeddings-pipeline", **{**chosen, "dataset": name}))
    assert 'no dataset named `toy";`' in argo.pods[-1].output
    back = '1.0.0"; touch ../pwned; "'
    with pytest.raises(Failed, match="load"):
        argo.run(started("embeddings-pipeline", dataset=NAME, data_version=back))
    assert [pod.template for pod in argo.pods] == ["ray-worker", "ray-worker", "load"], (
        "nothing is made"
    )
    assert "is not a version range" in argo.pods[-1].output
    assert not list(registry.home.rglob("pwned"))


@pytest.mark.slow
def test_a_release_of_vectors_is_loaded_into_postgres(shelf, tmp_path):
    shelf.release("1.0.0")
    shelf.release("1.1.0", rows=80)
    given = shelf.environment()
    password = (
        {"PGVECTOR_PASSWORD": given["PGVECTOR_PASSWORD"]} if "PGVECTOR_PASSWORD" in given else {}
    )
    settings = {
        key: value for key, value in given.items() if key.startswith(("DREG_R", "PGVECTOR_"))
    }
    maps = {"dreg": {"ray-image": "dreg-ray", **settings}, "dreg-compute-types": TYPES}
    argo = Cluster(tmp_path / "pods", templates(), maps, {"dreg": password})
    argo.run(started("embeddings-pipeline", dataset=PASSAGES, data_version="1.0.0"))
    assert [pod.template for pod in argo.pods] == ["load"]
    query = f"select count(*), max(workflow_uid) from {VIEW}"
    assert shelf.postgres.rows(query) == [(60, "uid-1")]
