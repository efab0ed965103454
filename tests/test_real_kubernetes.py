"""`dreg submit` against a real Kubernetes API server, with the account and the role that are rendered: `make test-k8s`."""

from __future__ import annotations

import threading
import time

import pytest

from tests.kubernetes_server import NAMESPACE
from tests.real_kubernetes import ADMIN, SUBMIT, lacking, real_kubernetes
from tests.small_registry import NAME

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(lacking()), reason=lacking() or "-")]
ID = f"workflow/{NAME}-1"


@pytest.fixture
def kubernetes(tmp_path):
    with real_kubernetes(tmp_path) as found:
        yield found


@pytest.fixture
def submit(registry, kubernetes):
    def run(*arguments, token=SUBMIT):
        path = kubernetes.kubeconfig(registry.home, token)
        done = registry.dreg("submit", *arguments, KUBECONFIG=str(path))
        assert "Traceback" not in done.stderr
        return done

    return run


def soon(action, *arguments, **more):
    def act():
        time.sleep(2)
        action(*arguments, **more)

    threading.Thread(target=act, daemon=True).start()


def test_all_that_is_asked_of_it(submit, kubernetes):
    argo = (NAME, "--to", "argo", "--id", f"{NAME}-1")

    # Made once, watched, and how it ended.
    made = submit(*argo, "--json")
    assert made.code == 0, made.stderr
    assert (made.json["id"], made.json["existed"]) == (ID, False)
    assert submit(*argo, "--json").json["existed"]
    other = submit(*argo, "--force")
    assert (other.code, "was asked for something else" in other.stderr) == (1, True)
    soon(kubernetes.becomes, "workflows", f"{NAME}-1", phase="Succeeded")
    waited = submit(*argo, "--wait")
    assert waited.code == 0, waited.stderr
    assert waited.stdout == f"{ID}: succeeded\n"
    done = submit("logs", ID)
    assert (done.code, "its pods are gone" in done.stderr) == (2, True)

    # Ended, with what it made.
    embeddings = (NAME, "--to", "argo", "--id", "e", "--template", "embeddings-pipeline")
    assert submit(*embeddings).code == 0
    ray = (NAME, "--to", "ray", "--id", "made")
    assert submit(*ray).code == 0
    labels = {"metadata": {"labels": {"dreg/workflow": "e"}}}
    assert kubernetes.ask("PATCH", kubernetes.path("rayjobs", "made"), labels).status_code == 200
    assert submit("cancel", "workflow/e").stdout == "workflow/e: cancelled\n"
    assert kubernetes.get("workflows", "e")["spec"]["shutdown"] == "Terminate"
    assert kubernetes.get("rayjobs", "made") is None

    # A RayJob: what its run ended with, and one that is deleted while it is waited for.
    alone = (NAME, "--to", "ray", "--id", "alone", "--wait")
    failed = {"jobStatus": "FAILED", "jobDeploymentStatus": "Failed"}
    said = "Job entrypoint command failed with exit code 1, last available logs"
    assert submit(*alone[:-1]).code == 0
    soon(kubernetes.becomes, "rayjobs", "alone", message=said, **failed)
    waited = submit(*alone)
    assert (waited.code, "exit code 1" in waited.stderr) == (1, True), waited.stderr
    assert submit(*alone[:-3], "--id", "gone").code == 0
    soon(kubernetes.ask, "DELETE", kubernetes.path("rayjobs", "gone"))
    waited = submit(*alone[:-3], "--id", "gone", "--wait")
    assert (waited.code, "`rayjob/gone` was deleted" in waited.stderr) == (3, True), waited.stderr

    # What is not there, and what is not allowed.
    done = submit("status", "workflow/nothing")
    assert (done.code, "there is no such thing" in done.stderr) == (2, True)
    done = submit(*argo, token="another")
    assert (done.code, "does not accept the credentials" in done.stderr) == (3, True)
    done = submit(*argo, "--namespace", "nowhere")
    assert (done.code, "does not let this account make" in done.stderr) == (3, True)
    assert 'in the namespace "nowhere"' in done.stderr, "it says so itself"
    done = submit(*argo, "--namespace", "nowhere", token=ADMIN)
    assert (done.code, "has no namespace `nowhere`" in done.stderr) == (2, True), done.stderr
    for path in ("secrets", "configmaps", "configmaps/dreg-compute-types"):
        answer = kubernetes.ask("GET", f"/api/v1/namespaces/{NAMESPACE}/{path}", token=SUBMIT)
        assert answer.status_code == 403, "the role has no more than that"

    # Without Argo.
    kind = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/workflows.argoproj.io"
    kubernetes.ask("DELETE", kind)
    until = time.monotonic() + 30
    while kubernetes.ask("GET", kubernetes.path("workflows", "")).status_code != 404:
        assert time.monotonic() < until
        time.sleep(0.2)
    done = submit(*argo)
    assert (done.code, "knows no workflows" in done.stderr) == (3, True), done.stderr
