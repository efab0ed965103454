"""A real Kubernetes API server with etcd, for one namespace: no controllers, so statuses come as a test sets them."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml

from dreg.ci.rendering import for_cluster
from tests.kubernetes_server import KINDS, NAMESPACE
from tests.s3_server import free_ports

BINARY = Path(
    os.environ.get("DREG_KUBE_APISERVER")
    or Path(__file__).parents[1] / ".venv" / "kubernetes" / "kube-apiserver"
)
ADMIN, SUBMIT = "a-token-of-an-administrator", "a-token-of-the-account-dreg-submit"
OPEN = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
PATHS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts",
    "ConfigMap": f"/api/v1/namespaces/{NAMESPACE}/configmaps",
    "Role": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/roles",
    "RoleBinding": f"/apis/rbac.authorization.k8s.io/v1/namespaces/{NAMESPACE}/rolebindings",
    "CustomResourceDefinition": "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
}


def lacking() -> str:
    """Why it cannot be had here, if so."""
    if not BINARY.exists():
        return "no kube-apiserver: make test-k8s builds one"
    return "" if shutil.which("etcd") else "no etcd: on Debian, apt-get install etcd-server"


@dataclass
class Kubernetes:
    """Where it is, and its certificate."""

    url: str
    certificate: Path

    def ask(self, method: str, path: str, body: Any = None, token: str = ADMIN) -> Any:
        patch = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        return requests.request(
            method, f"{self.url}{path}", json=body, verify=self.certificate, timeout=30,
            headers={"Authorization": f"Bearer {token}", **patch},
        )  # fmt: skip

    def make(self, thing: Mapping[str, Any]) -> None:
        answer = self.ask("POST", PATHS[thing["kind"]], thing)
        assert answer.status_code in (200, 201), answer.text

    def path(self, plural: str, name: str) -> str:
        group, version, _ = KINDS[plural]
        return f"/apis/{group}/{version}/namespaces/{NAMESPACE}/{plural}/{name}"

    def get(self, plural: str, name: str) -> Any:
        answer = self.ask("GET", self.path(plural, name))
        return answer.json() if answer.status_code == 200 else None

    def becomes(self, plural: str, name: str, **status: Any) -> None:
        answer = self.ask("PATCH", self.path(plural, name), {"status": status})
        assert answer.status_code == 200, answer.text

    def kubeconfig(self, folder: Path, token: str = SUBMIT) -> Path:
        path = folder / "kubeconfig"
        authority = base64.b64encode(self.certificate.read_bytes()).decode()
        cluster = {"server": self.url, "certificate-authority-data": authority}
        context = {"cluster": "real", "user": "me", "namespace": NAMESPACE}
        said = {
            "apiVersion": "v1", "kind": "Config", "current-context": "real",
            "clusters": [{"name": "real", "cluster": cluster}],
            "users": [{"name": "me", "user": {"token": token}}],
            "contexts": [{"name": "real", "context": context}],
        }  # fmt: skip
        path.write_text(json.dumps(said))
        return path


@contextmanager
def real_kubernetes(folder: Path) -> Iterator[Kubernetes]:
    """With what `kubectl apply -k deploy/argo` makes of it, but for what Argo's own definitions are needed for."""
    store, peer, port = free_ports(3)
    key, certificate = folder / "tls.key", folder / "tls.crt"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=kubernetes -addext subjectAltName=IP:127.0.0.1"
    made = [*command.split(), "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(made, check=True, capture_output=True)
    account = f"system:serviceaccount:{NAMESPACE}:dreg-submit"
    (folder / "tokens").write_text(
        f"{ADMIN},admin,1,system:masters\n{SUBMIT},{account},2,system:serviceaccounts\n"
    )
    etcd = [
        "etcd", f"--data-dir={folder / 'etcd'}", f"--listen-client-urls=http://127.0.0.1:{store}",
        f"--advertise-client-urls=http://127.0.0.1:{store}", f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}", f"--initial-cluster=default=http://127.0.0.1:{peer}",
    ]  # fmt: skip
    server = [
        str(BINARY), f"--etcd-servers=http://127.0.0.1:{store}", "--bind-address=127.0.0.1", f"--secure-port={port}",
        "--advertise-address=192.0.2.1", f"--tls-cert-file={certificate}", f"--tls-private-key-file={key}",
        f"--token-auth-file={folder / 'tokens'}", "--authorization-mode=RBAC", "--service-account-issuer=https://here",
        f"--service-account-key-file={certificate}", f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/24", "--disable-admission-plugins=ServiceAccount",
    ]  # fmt: skip
    running = []
    try:
        for program in (etcd, server):
            log = (folder / f"{Path(program[0]).name}.log").open("wb")
            running.append(subprocess.Popen(program, stdout=log, stderr=log, cwd=folder))
        found = Kubernetes(f"https://127.0.0.1:{port}", certificate)
        wait_for(found, running, folder)
        found.make({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        for plural in ("workflows", "rayjobs"):
            found.make(definition(plural))
        for path in ("access", "compute-types"):
            for thing in yaml.safe_load_all(for_cluster()[f"deploy/argo/{path}.yaml"]):
                found.make(thing)
        settings = {"name": "dreg"}
        found.make(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": settings,
                "data": {"ray-image": "i"},
            }
        )
        for plural in ("workflows", "rayjobs"):  # a definition takes a moment
            until = time.monotonic() + 30
            while found.ask("GET", found.path(plural, "")).status_code != 200:
                assert time.monotonic() < until
                time.sleep(0.2)
        yield found
    finally:
        for process in reversed(running):
            process.terminate()
            process.wait(30)


def wait_for(kubernetes: Kubernetes, running: list[subprocess.Popen[bytes]], folder: Path) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and all(process.poll() is None for process in running):
        try:
            if kubernetes.ask("GET", "/readyz").status_code == 200:
                return
        except requests.RequestException:
            pass
        time.sleep(0.3)
    raise AssertionError(
        f"it did not start:\n{(folder / 'kube-apiserver.log').read_text()[-3000:]}"
    )


def definition(plural: str) -> dict[str, Any]:
    """As Argo and KubeRay have it, without what is in a spec."""
    group, version, kind = KINDS[plural]
    schema = {"type": "object", "properties": {"spec": OPEN, "status": OPEN}}
    served = {
        "name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema},
    }  # fmt: skip
    names = {"plural": plural, "singular": kind.lower(), "kind": kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {"group": group, "names": names, "scope": "Namespaced", "versions": [served]},
    }  # fmt: skip
