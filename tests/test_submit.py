"""`dreg submit` to Argo and KubeRay: what is asked of the Kubernetes API, and what is told of its answers."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shlex
from pathlib import Path

import pytest

from dreg.ci.rendering import rayjob_on
from tests.ci_jobs import ACTIONS
from tests.kubernetes_server import NAMESPACE, Fault, templates
from tests.small_registry import NAME

RUNNING, DONE = {"phase": "Running"}, {"phase": "Succeeded"}
ID = f"workflow/{NAME}-1"
README = (Path(__file__).parents[1] / "README.md").read_text()


@pytest.fixture
def submit(registry, kubernetes):
    """`dreg submit`, with the cluster's kubeconfig."""
    path = kubernetes.kubeconfig(registry.home)

    def run(*arguments, folder=None, **environment):
        told = {"KUBECONFIG": str(path), **environment}
        done = registry.dreg("submit", *arguments, folder=folder, **told)
        assert "Traceback" not in done.stderr
        return done

    return run


def to_argo(submit, *more, **environment):
    return submit(NAME, "--to", "argo", "--id", f"{NAME}-1", *more, **environment)


def made(kubernetes, plural="workflows"):
    return [one for (kind, _), one in kubernetes.objects.items() if kind == plural]


def pod(name, *, code="0", phase="Succeeded", result=None):
    parameters = [{"name": "result", "value": json.dumps(result)}] if result else []
    outputs = {"exitCode": code, "parameters": parameters}
    return {"type": "Pod", "displayName": name, "phase": phase, "outputs": outputs}


def landed(state, *, tag=None, why=""):
    return {"datasets": [{"dataset": NAME, "state": state, "tag": tag, "why": why}]}


# To Argo


def test_a_workflow_of_the_template_is_made_with_what_was_chosen(submit, kubernetes):
    options = ("--bump", "minor", "--force", "--compute-type", "gpu-small", "--dry-run", "--json")
    done = to_argo(submit, *options)
    assert done.code == 0, done.stderr
    assert done.json["id"] == ID
    assert (done.json["state"], done.json["existed"]) == ("waiting", False)
    assert done.json["where"] == f"{kubernetes.url}, namespace {NAMESPACE}"
    (workflow,) = made(kubernetes)
    assert workflow["spec"]["workflowTemplateRef"] == {"name": "data-pipeline"}
    given = {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}
    assert given == {
        "pipelines": NAME, "bump": "minor", "force": "true", "compute-type": "gpu-small", "dry-run": "true",
    }  # fmt: skip
    declared = templates()["data-pipeline"]["spec"]["arguments"]["parameters"]
    assert set(given) == {one["name"] for one in declared} - {"image"}


def test_names_come_from_the_environment_as_for_ci_run(submit, kubernetes):
    done = submit("run", "--to", "argo", DREG_DATASETS=NAME, DREG_BUMP="patch")
    assert done.code == 0, done.stderr
    (workflow,) = made(kubernetes)
    given = {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}
    assert (given["pipelines"], given["bump"]) == (NAME, "patch")


def test_one_embeddings_dataset_goes_to_its_own_template(submit, kubernetes):
    assert to_argo(submit, "--template", "embeddings-pipeline").code == 0
    (workflow,) = made(kubernetes)
    given = {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}
    assert given["dataset"] == NAME
    refused = submit("run", "--to", "argo", "--template", "embeddings-pipeline")
    assert refused.code == 2
    assert "takes one dataset" in refused.stderr


def test_an_unknown_name_or_compute_type_never_gets_there(submit, kubernetes):
    done = submit("tyo", "--to", "argo")
    assert done.code == 2
    assert "no dataset named `tyo`" in done.stderr
    assert "did you mean `toy`?" in done.stderr
    done = submit('x"; touch pwned', "--to", "argo", folder=".")
    assert done.code == 2
    done = submit(NAME, "--to", "argo", "--compute-type", "cpu-smal")
    assert (done.code, "did you mean `cpu-small`?" in done.stderr) == (2, True)
    done = submit(NAME, "--to", "argo", "--id", "No Name")
    assert (done.code, "cannot be the name of a submission" in done.stderr) == (2, True)
    assert kubernetes.asked == []


def test_waited_for_it_is_told_what_became_of_it(submit, kubernetes, registry):
    nodes = {"a": pod("plan"), "b": pod("release", result=landed("changed", tag="toy-v1.0.0"))}
    kubernetes.plays = [RUNNING, {**DONE, "nodes": nodes}]
    summary = registry.home / "summary.md"
    done = to_argo(submit, "--wait", "--json", GITHUB_STEP_SUMMARY=str(summary))
    assert done.code == 0, done.stderr
    (one,) = done.json["datasets"]
    assert (one["dataset"], one["state"], one["tag"]) == (NAME, "changed", "toy-v1.0.0")
    assert done.json["state"] == "succeeded"
    assert f"{ID} running" in done.stderr
    assert "<code>toy-v1&#46;0&#46;0</code>" in summary.read_text()
    told = to_argo(submit, "--wait").stdout.splitlines()
    assert told[0] == f"{ID}: succeeded"
    assert told[-1].split() == [NAME, "changed", "toy-v1.0.0"]


@pytest.mark.parametrize("code, kind", [("1", "refused"), ("2", "failed"), ("3", "failed")])
def test_a_run_that_fails_ends_the_command_as_it_would_have_ended_itself(
    submit, kubernetes, code, kind
):
    nodes = {
        "a": pod("plan"),
        "b": {"type": "Retry", "phase": "Failed", "children": ["c", "d"]},
        "c": pod("release(0)", code="3", phase="Failed"),
        "d": pod("release(1)", code=code, phase="Failed", result=landed(kind, why="its gates")),
    }
    kubernetes.plays = [RUNNING, {"phase": "Failed", "message": "child failed", "nodes": nodes}]
    done = to_argo(submit, "--wait")
    assert done.code == int(code)
    assert (
        f"error: `{ID}` failed: child failed\n\nhint: dreg submit logs {ID}; to try again, submit it with another --id\n"
        in done.stderr
    )
    assert "its gates" in done.stdout


def test_steps_that_argo_has_packed_are_read_as_well(submit, kubernetes):
    nodes = {"b": pod("release", result=landed("changed", tag="toy-v1.0.0"))}
    packed = base64.b64encode(gzip.compress(json.dumps(nodes).encode())).decode()
    kubernetes.plays = [{**DONE, "compressedNodes": packed}]
    assert to_argo(submit, "--wait", "--json").json["datasets"][0]["tag"] == "toy-v1.0.0"


def test_submitted_again_by_the_same_name_it_is_the_same(submit, kubernetes):
    assert to_argo(submit).code == 0
    again = to_argo(submit, "--json")
    assert (again.code, again.json["existed"]) == (0, True)
    assert "is there already" in again.stderr
    other = to_argo(submit, "--force")
    assert other.code == 1
    assert (
        f"error: `{ID}` is there, and was asked for something else\n\nhint: take another --id"
        in (other.stderr)
    )
    assert len(made(kubernetes)) == 1


def test_asking_again_for_what_has_failed_is_no_new_try(submit, kubernetes):
    assert to_argo(submit).code == 0
    failed = {"phase": "Failed", "message": "no luck"}
    kubernetes.change("workflows", f"{NAME}-1", status=failed)
    again = to_argo(submit)
    assert (again.code, len(made(kubernetes))) == (3, 1)
    assert f"error: `{ID}` failed: no luck\n" in again.stderr
    assert "to try again, submit it with another --id" in again.stderr


def test_what_it_runs_in_and_by_which_template_is_part_of_what_was_asked(submit, kubernetes):
    assert to_argo(submit).code == 0
    assert to_argo(submit, "--template", "data-pipeline").code == 0, "which is the usual one"
    other = to_argo(submit, "--template", "embeddings-pipeline")
    assert (other.code, "was asked for something else" in other.stderr) == (1, True)
    ray = (NAME, "--to", "ray", "--id", "r", "--image")
    assert submit(*ray, "acme/a@sha256:1").code == 0
    other = submit(*ray, "acme/b@sha256:2")
    assert (other.code, "was asked for something else" in other.stderr) == (1, True)
    # In one run of GitHub's, which names them.
    told = [
        submit(NAME, "--to", "argo", *template, "--json", **ACTIONS).json["id"]
        for template in ((), ("--template", "embeddings-pipeline"), ())
    ]
    assert told[0] == told[2] != told[1]
    assert len(made(kubernetes)) == 3


@pytest.mark.parametrize(
    "more, fact",
    [
        (("--to", "argo", "--image", "i"), "--image is for a RayJob"),
        (("--to", "argo", "--repo", "r"), "--repo is for a Ray cluster's own API"),
        (("--to", "ray", "--template", "data-pipeline"), "--template is for Argo"),
    ],
)
def test_an_option_that_is_for_another_is_not_passed_over(submit, kubernetes, more, fact):
    done = submit(NAME, *more)
    assert (done.code, fact in done.stderr) == (2, True)
    assert kubernetes.asked == []


def test_a_dataset_may_be_called_as_a_command_is(submit, kubernetes, registry):
    for name in ("run", "status", "cancel"):
        registry.ok("new", name, "--kind", "tabular")
        words = ["run", name] if name == "run" else [name]
        assert submit(*words, "--to", "argo", "--id", f"id-{name}").code == 0
    given = [one["spec"]["arguments"]["parameters"][0]["value"] for one in made(kubernetes)]
    assert given == ["run", "status", "cancel"]
    done = submit("run", "--to", "argo")
    assert (done.code, "`run` is a dataset here" in done.stderr) == (2, True)
    assert len(made(kubernetes)) == 3
    assert submit("status", "workflow/id-status").code == 0


def test_a_step_of_a_workflow_that_is_run_again_submits_nothing_twice(submit, kubernetes):
    ids = [
        submit(NAME, "--to", "argo", "--json", **{**ACTIONS, "GITHUB_RUN_ATTEMPT": attempt}).json[
            "id"
        ]
        for attempt in ("1", "1", "2")
    ]
    assert ids[0] == ids[1] != ids[2]
    assert len(made(kubernetes)) == 2
    by_hand = {submit(NAME, "--to", "argo", "--json").json["id"] for _ in range(2)}
    assert len(by_hand) == 2
    assert all(one.startswith(f"workflow/dreg-{NAME}-") for one in (*ids, *by_hand))


def test_its_pods_are_followed_and_their_logs_kept_together(submit, kubernetes):
    labels = {"workflows.argoproj.io/workflow": f"{NAME}-1"}
    kubernetes.pod("toy-1-plan-1", labels, "DATASET  TOUCHED BY", "toy      asked for")
    kubernetes.pod("toy-1-release-2", labels, "toy  changed")
    kubernetes.pod("another-3", {"workflows.argoproj.io/workflow": "another"}, "not ours")
    kubernetes.plays = [RUNNING, DONE]
    done = to_argo(submit, "--follow")
    assert done.code == 0, done.stderr
    for line in ("toy-1-plan-1: toy      asked for", "toy-1-release-2: toy  changed"):
        assert line in done.stderr.splitlines()
    assert "not ours" not in done.stderr
    later = submit("logs", ID)
    assert sorted(later.stdout.splitlines()) == [
        "toy-1-plan-1: DATASET  TOUCHED BY", "toy-1-plan-1: toy      asked for", "toy-1-release-2: toy  changed",
    ]  # fmt: skip
    assert submit("logs", ID, "--follow").stdout.count("\n") == 3
    assert len(submit("logs", ID, "--follow", "--json").json["log"]) == 3
    assert kubernetes.containers == {"main"}


def test_what_the_job_on_ray_said_is_told_and_not_what_waits_for_it(submit, kubernetes):
    """Which says again and again what the RayJob looks like."""
    to_argo(submit, "--template", "embeddings-pipeline")
    job = rayjob_on("cpu-small")
    job["metadata"] = {"name": "e-1", "labels": {"dreg/workflow": f"{NAME}-1"}}
    kubernetes.put("rayjobs", {**job, "status": {"jobStatus": "RUNNING"}})
    labels = {"workflows.argoproj.io/workflow": f"{NAME}-1"}
    waits = ("/var/run/argo/argoexec", "emissary", "--", "argoexec", "resource", "create")
    kubernetes.pod("toy-1-release-1", labels, '{"kind": "RayJob"}', command=waits)
    kubernetes.pod("toy-1-load-1", labels, "loaded", command=waits[:3])
    kubernetes.pod("e-1-abc", {"job-name": "e-1"}, "toy  changed")
    kubernetes.pod("another", {"job-name": "e-2"}, "not ours")
    done = submit("logs", ID)
    assert sorted(done.stdout.splitlines()) == ["e-1-abc: toy  changed", "toy-1-load-1: loaded"]


def test_a_log_that_breaks_off_is_read_on_and_no_line_told_twice(submit, kubernetes):
    lines = [f"line {number}" for number in range(20)]
    kubernetes.pod("toy-1-plan-1", {"workflows.argoproj.io/workflow": f"{NAME}-1"}, *lines)
    kubernetes.plays = [DONE]
    kubernetes.broken_logs = 2
    done = to_argo(submit, "--follow")
    told = [line for line in done.stderr.splitlines() if line.startswith("line")]
    assert len(set(told) & set(lines)) == 20
    assert len(told) <= 21, "one line may have come in two halves"


def test_it_is_cancelled_and_told_so(submit, kubernetes):
    to_argo(submit)
    done = submit("cancel", ID)
    assert (done.code, done.stdout) == (0, f"{ID}: cancelled\n")
    (workflow,) = made(kubernetes)
    assert workflow["spec"]["shutdown"] == "Terminate"
    kubernetes.change("workflows", f"{NAME}-1", status={"phase": "Failed", "message": "Stopped"})
    assert submit("status", ID).stdout == f"{ID}: cancelled (Stopped)\n"
    before = len(kubernetes.asked)
    assert submit("cancel", ID).code == 0
    assert [verb for verb, _ in kubernetes.asked[before:]] == ["get"], "what is over stays as it is"
    waited = to_argo(submit, "--wait")
    assert (waited.code, "was cancelled" in waited.stderr) == (3, True)


def test_a_ray_cluster_that_a_workflow_made_is_ended_with_it(submit, kubernetes):
    inner = templates()["embeddings-pipeline"]["spec"]["templates"]
    (release,) = (one for one in inner if "resource" in one)
    to_argo(submit, "--template", "embeddings-pipeline")
    for name, workflow, status in (
        ("ours", f"{NAME}-1", {"jobStatus": "RUNNING"}),
        ("before", f"{NAME}-1", {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed"}),
        ("others", "another", {"jobStatus": "RUNNING"}),
    ):
        job = rayjob_on("cpu-small")
        job["metadata"] = {"name": name, "labels": {"dreg/workflow": workflow}}
        kubernetes.put("rayjobs", {**job, "status": status})
    assert '    dreg/workflow: "{{workflow.name}}"\n' in release["resource"]["manifest"]
    assert submit("cancel", ID).stdout == f"{ID}: cancelled\n"
    left = [one["metadata"]["name"] for one in made(kubernetes, "rayjobs")]
    assert left == ["before", "others"]


def test_what_pods_said_is_gone_with_them(submit, kubernetes):
    """As `podGC` has it."""
    kubernetes.plays = [DONE]
    followed = to_argo(submit, "--follow")
    assert followed.code == 0
    assert "its pods are gone with all that they said" in followed.stderr
    for command in (("logs", ID), ("logs", ID, "--follow")):
        done = submit(*command, "--namespace", NAMESPACE)
        assert done.code == 2
        assert f"`{ID}` is over, and its pods are gone with all that they said" in done.stderr
        assert f"hint: dreg submit status {ID} --namespace {NAMESPACE} tells" in done.stderr


def test_hints_go_on_where_it_was_asked(submit, kubernetes):
    kubernetes.plays = [{"phase": "Failed"}]
    done = to_argo(submit, "--wait", "--namespace", NAMESPACE, "--context", "here")
    assert (
        f"hint: dreg submit logs {ID} --namespace {NAMESPACE} --context here; to try again, "
        in done.stderr
    )


def test_what_is_not_there_is_told(submit):
    for command in ("status", "logs", "cancel"):
        done = submit(command, "workflow/nothing")
        assert done.code == 2
        assert "there is no such thing" in done.stderr
        assert "hint: ids are as `dreg submit` told them" in done.stderr
    done = submit("status", "nothing")
    assert (done.code, "is not the id of a submission" in done.stderr) == (2, True)


# To KubeRay


def test_a_rayjob_of_the_compute_type_is_made_in_the_clusters_image(submit, kubernetes):
    kubernetes.configure(**{"ray-image": "acme/dreg-ray@sha256:cafe"})
    kubernetes.plays = [
        {"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"},
        {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Running"},
        {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete", "message": "finished"},
    ]
    options = ("--to", "ray", "--id", "toy-r", "--compute-type", "gpu-medium", "--bump", "major")
    done = submit(NAME, *options, "--wait", "--json")
    assert done.code == 0, done.stderr
    assert (done.json["id"], done.json["state"]) == ("rayjob/toy-r", "succeeded")
    (job,) = made(kubernetes, "rayjobs")
    cluster = job["spec"]["rayClusterSpec"]
    (head,) = cluster["headGroupSpec"]["template"]["spec"]["containers"]
    (worker,) = cluster["workerGroupSpecs"][0]["template"]["spec"]["containers"]
    assert head["image"] == worker["image"] == "acme/dreg-ray@sha256:cafe"
    assert worker["resources"]["limits"]["nvidia.com/gpu"] == "2"
    chosen = {one["name"]: one["value"] for one in worker["env"] if "value" in one}
    assert (chosen["DREG_DATASETS"], chosen["DREG_BUMP"]) == (NAME, "major")
    assert chosen["DREG_COMPUTE_TYPE"] == "gpu-medium"
    assert chosen["DREG_SUBMISSION"] == "rayjob/toy-r"


def test_without_an_image_no_rayjob_is_made(submit, kubernetes):
    done = submit(NAME, "--to", "ray")
    assert (done.code, "--image" in done.stderr) == (2, True)
    assert f"`dreg` is not there in the namespace `{NAMESPACE}`" in done.stderr
    kubernetes.configure(image="i")
    assert "`dreg` has no `ray-image`" in submit(NAME, "--to", "ray").stderr
    assert made(kubernetes, "rayjobs") == []
    assert submit(NAME, "--to", "ray", "--image", "dreg-ray:1").code == 0


@pytest.mark.parametrize(
    "status, code",
    [
        ({"reason": "AppFailed", "message": "Job entrypoint command failed with exit code 1, last available logs (x):\nerror"}, 1),
        ({"reason": "AppFailed", "message": "Job entrypoint command failed with exit code 2. No logs available."}, 2),
        ({"reason": "AppFailed", "message": "Job entrypoint command failed with exit code 137, last"}, 3),
        ({"jobStatus": "RUNNING", "reason": "DeadlineExceeded"}, 3),
    ],
)  # fmt: skip
def test_waiting_for_a_rayjob_ends_as_its_run_does(submit, kubernetes, status, code):
    kubernetes.plays = [{"jobStatus": "FAILED", "jobDeploymentStatus": "Failed", **status}]
    done = submit(NAME, "--to", "ray", "--image", "i", "--id", "a", "--wait")
    assert done.code == code
    assert "`rayjob/a` failed: " in done.stderr
    assert "last available" not in done.stderr


def test_a_rayjob_that_fails_or_is_deleted_is_told(submit, kubernetes):
    kubernetes.plays = [
        {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed", "message": "no GPU"}
    ]
    done = submit(NAME, "--to", "ray", "--image", "i", "--id", "a", "--wait")
    assert (done.code, "`rayjob/a` failed: no GPU" in done.stderr) == (3, True)
    kubernetes.plays = [{"jobStatus": "RUNNING"}, None]
    done = submit(NAME, "--to", "ray", "--image", "i", "--id", "b", "--wait")
    assert (done.code, "`rayjob/b` was deleted" in done.stderr) == (3, True)
    assert "it goes on" not in done.stderr
    kubernetes.plays = []
    submit(NAME, "--to", "ray", "--image", "i", "--id", "c")
    assert submit("cancel", "rayjob/c").stdout == "rayjob/c: cancelled\n"
    assert ("delete", "rayjobs") in kubernetes.asked


# An API that behaves badly


def test_credentials_that_are_not_accepted(submit, kubernetes, registry):
    kubernetes.kubeconfig(registry.home, token="old")
    done = to_argo(submit)
    assert done.code == 3
    assert (
        "does not accept the credentials\n\nhint: renew them: log in to the cluster" in done.stderr
    )
    assert len(kubernetes.asked) == 1, "it would be the same again"


def test_an_account_that_may_not(submit, kubernetes):
    kubernetes.rules = [rule for rule in kubernetes.rules if "workflows" not in rule["resources"]]
    done = to_argo(submit)
    assert done.code == 3
    assert f"does not let this account make {ID} in the namespace `{NAMESPACE}`" in done.stderr
    assert "  workflows is forbidden" in done.stderr
    assert "hint: its account needs what the role `dreg-submit`" in done.stderr


def test_a_namespace_that_is_not_there(submit, kubernetes):
    nowhere = ("--namespace", "nowhere")
    done = to_argo(submit, *nowhere)
    assert (done.code, "in the namespace `nowhere`" in done.stderr) == (3, True), (
        "as far as it may look"
    )
    assert "--namespace names another one" in done.stderr
    kubernetes.admin = True
    for to in ("argo", "ray"):
        done = submit(NAME, "--to", to, *nowhere, *(("--image", "i") if to == "ray" else ()))
        assert done.code == 2
        assert "has no namespace `nowhere`\n\nhint: --namespace names another one" in done.stderr
        assert "kubectl create namespace nowhere" in done.stderr
    done = submit("status", ID, *nowhere)
    assert (done.code, "no such thing in the namespace `nowhere`" in done.stderr) == (2, True)


def test_a_token_that_expires_meanwhile(submit, kubernetes):
    kubernetes.plays, kubernetes.watch_seconds = [RUNNING] * 99, 0.5
    kubernetes.faults = [Fault("watch", 401, times=99)]
    done = to_argo(submit, "--wait", "--namespace", NAMESPACE)
    assert done.code == 3
    assert f"it goes on: dreg submit status {ID} --namespace {NAMESPACE}" in done.stderr
    assert "hint: renew them: log in to the cluster again" in done.stderr


def test_a_cluster_without_argo(submit, kubernetes):
    kubernetes.unknown = {"workflows"}
    done = to_argo(submit)
    assert done.code == 3
    assert "knows no workflows" in done.stderr
    assert (
        f"hint: install Argo Workflows, then: kubectl apply -n {NAMESPACE} -k deploy/argo"
        in done.stderr
    )


def test_what_the_schema_does_not_take(submit, kubernetes):
    kubernetes.faults = [Fault("create", 422, message="spec.arguments is invalid")]
    done = to_argo(submit)
    assert done.code == 2
    assert "  spec.arguments is invalid" in done.stderr
    assert "hint: bring what is installed there up to date" in done.stderr


@pytest.mark.parametrize("status", [500, 503, 0], ids=["500", "503", "dropped"])
def test_a_failing_api_is_asked_again_and_nothing_is_made_twice(submit, kubernetes, status):
    kubernetes.faults = [Fault("create", status, times=2), Fault("get", status, times=1)]
    kubernetes.plays = [DONE]
    done = to_argo(submit, "--wait")
    assert done.code == 0, done.stderr
    assert len(made(kubernetes)) == 1


@pytest.mark.parametrize("how", ["--wait", "--follow"])
def test_an_api_that_is_away_for_a_while_is_borne_with(submit, kubernetes, how):
    kubernetes.pod("toy-1-plan-1", {"workflows.argoproj.io/workflow": f"{NAME}-1"}, "hello")
    kubernetes.watch_seconds = 0.3
    kubernetes.plays = [RUNNING, DONE]
    to_argo(submit)
    # More often than one request is asked again.
    kubernetes.faults = [Fault("watch", 503, times=2), Fault("list", 503, times=6)]
    done = to_argo(submit, how)
    assert done.code == 0, done.stderr
    assert "nobody waits" not in done.stderr
    assert ("hello" in done.stderr) == (how == "--follow")


def test_an_api_that_keeps_failing(submit, kubernetes):
    kubernetes.faults = [Fault("create", 500, times=99)]
    done = to_argo(submit)
    assert done.code == 3
    assert "answers oddly: 500 it is broken" in done.stderr


def test_a_watch_that_breaks_off_or_ends_goes_on(submit, kubernetes):
    kubernetes.faults = [Fault("watch", 0), Fault("watch", 410, message="too old resource version")]
    kubernetes.watch_seconds = 0.3
    kubernetes.plays = [RUNNING] * 25 + [DONE]
    done = to_argo(submit, "--wait")
    assert done.code == 0, done.stderr
    assert sum(verb == "watch" for verb, _ in kubernetes.asked) >= 3


def test_no_cluster_and_nobody_there(registry, kubernetes, submit):
    done = registry.dreg("submit", NAME, "--to", "argo", KUBECONFIG=str(registry.home / "none"))
    assert done.code == 2
    assert "no Kubernetes cluster is known here" in done.stderr
    kubernetes.shutdown()
    kubernetes.server_close()
    done = to_argo(submit)
    assert (done.code, "cannot be asked" in done.stderr) == (3, True)


@pytest.mark.parametrize("text", ["", "\n", "{", "[1]", "clusters: 5", "a: {b"])
def test_a_kubeconfig_that_is_none(registry, kubernetes, submit, text):
    """As a secret that is not set leaves it."""
    (registry.home / "config").write_text(text)
    done = to_argo(submit, KUBECONFIG=str(registry.home / "config"))
    assert (done.code, "no Kubernetes cluster is known here" in done.stderr) == (2, True), (
        done.stderr
    )


def test_no_right_that_the_role_gives_is_more_than_is_used(submit, kubernetes):
    kubernetes.configure(**{"ray-image": "i"})
    kubernetes.pod("p", {"workflows.argoproj.io/workflow": f"{NAME}-1"}, "line")
    kubernetes.plays = [RUNNING]
    to_argo(submit)
    submit("logs", ID)
    submit("cancel", ID)
    to_argo(submit, "--template", "embeddings-pipeline", "--id", "e")
    submit("cancel", "workflow/e")
    kubernetes.plays = [RUNNING, DONE]
    submit(NAME, "--to", "argo", "--wait")
    kubernetes.plays = [{"jobStatus": "RUNNING"}, {"jobStatus": "STOPPED"}]
    submit(NAME, "--to", "ray", "--wait")
    kubernetes.plays = []
    submit(NAME, "--to", "ray", "--id", "c")
    submit("cancel", "rayjob/c")
    forbidden = [one for one in kubernetes.asked if one not in given(kubernetes)]
    assert forbidden == []
    assert given(kubernetes) == set(kubernetes.asked)


def given(kubernetes):
    return {
        (verb, what)
        for rule in kubernetes.rules
        for what in rule["resources"]
        for verb in rule["verbs"]
    }


def test_what_the_readme_shows_is_what_can_be_said(submit, kubernetes, registry):
    lines = re.findall(r"^dreg submit (.*?)(?: +#.*)?$", README, re.MULTILINE)
    assert len(lines) >= 3
    kubernetes.configure(**{"ray-image": "i"})
    done = submit("run", "--to", "argo", "--id", "dreg-wine-quality-1", folder=registry.home)
    assert done.code == 0, done.stderr
    kubernetes.plays = [{**DONE, "jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}]
    for line in lines:
        done = submit(*shlex.split(line), folder=registry.home)
        assert done.code == 0, f"{line}\n{done.stderr}"
