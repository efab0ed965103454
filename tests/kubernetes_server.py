"""A server that speaks the Kubernetes API of one namespace, as far as `dreg submit` needs it, and is as strict.

Who asks has to have the token; verbs are those that the role `dreg-submit` allows, as it is rendered; what is made has to be of
the closed schema. Statuses come as a test plays them, and it misbehaves as told.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import yaml

from dreg.ci.rendering import for_cluster
from tests.rayjob_schema import wrong_with

TOKEN = "a-token-that-may-submit"
NAMESPACE = "data"
PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[a-z.]+)/(?P<version>v1\w*))/namespaces/(?P<namespace>[a-z0-9-]+)/"
    r"(?P<plural>[a-z]+)(?:/(?P<name>[a-z0-9.-]+)(?:/(?P<below>log))?)?"
)
KINDS = {
    "workflows": ("argoproj.io", "v1alpha1", "Workflow"),
    "rayjobs": ("ray.io", "v1", "RayJob"),
    "pods": (None, None, "Pod"),
    "configmaps": (None, None, "ConfigMap"),
}


def allowed(name: str = "dreg-submit") -> list[Mapping[str, Any]]:
    """The rules of a role: that of who submits, or of pods."""
    documents = yaml.safe_load_all(for_cluster()["deploy/argo/access.yaml"])
    (role,) = (one for one in documents if (one["kind"], one["metadata"]["name"]) == ("Role", name))
    return role["rules"]


def templates() -> dict[str, Any]:
    documents = [
        one
        for path, text in for_cluster().items()
        if path.startswith("deploy/argo")
        for one in yaml.safe_load_all(text)
    ]
    return {one["metadata"]["name"]: one for one in documents if one["kind"] == "WorkflowTemplate"}


def wrong_with_workflow(workflow: Any) -> list[str]:
    """What Argo does not know, or the WorkflowTemplate does not take."""
    from hera.workflows.models import Workflow

    known = Workflow.model_validate(workflow).model_dump(
        exclude_none=True, by_alias=True, mode="json"
    )
    if known != workflow:
        return ["unknown fields"]
    template = templates().get(workflow["spec"]["workflowTemplateRef"]["name"])
    if template is None:
        return ["no such template"]
    declared = {one["name"]: one for one in template["spec"]["arguments"]["parameters"]}
    wrong = []
    for one in workflow["spec"]["arguments"]["parameters"]:
        if one["name"] not in declared:
            wrong.append(f"no parameter {one['name']}")
        elif one["value"] not in declared[one["name"]].get("enum", [one["value"]]):
            wrong.append(f"{one['name']} may not be {one['value']}")
    return wrong


@dataclass
class Fault:
    """What is done wrong with the next `times` requests of a verb."""

    verb: str
    status: int = 0  # 0: the connection is dropped
    times: int = 1
    message: str = "it is broken"


class Request(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: KubernetesApi

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.handle_it("get")

    def do_POST(self) -> None:
        self.handle_it("create")

    def do_PATCH(self) -> None:
        self.handle_it("patch")

    def do_DELETE(self) -> None:
        self.handle_it("delete")

    def handle_it(self, verb: str) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(length)) if length else None
        url = urlsplit(self.path)
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        match = PATH.fullmatch(url.path)
        kind = KINDS.get(match["plural"]) if match else None
        if match is None or kind is None or (match["group"], match["version"]) != kind[:2]:
            self.status(404, "the server could not find the requested resource")
            return
        plural, name = match["plural"], match["name"]
        if verb == "get" and name is None:
            verb = "watch" if query.get("watch") in ("true", "1") else "list"
        resource = f"{plural}/{match['below']}" if match["below"] else plural
        self.server.asked.append((verb, resource))
        if fault := self.server.fault(verb):
            if fault.status:
                self.status(fault.status, fault.message)
            else:
                self.close_connection = True
                self.connection.close()
        elif self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self.server.on_refusal()
            self.status(401, "Unauthorized")
        elif match["namespace"] != NAMESPACE:
            self.elsewhere(verb, resource, name, match["namespace"])
        elif not self.server.may(verb, match["group"] or "", resource, name):
            self.status(
                403, f'{resource} is forbidden: account cannot {verb} resource "{resource}"'
            )
        elif plural in self.server.unknown:
            self.status(404, "the server could not find the requested resource")
        elif resource == "pods/log":
            self.say(name, query)
        else:
            getattr(self, f"{verb}_it")(plural, name, query, body)

    def elsewhere(self, verb: str, resource: str, name: str | None, namespace: str) -> None:
        """The role is for one namespace; who may everywhere is told that there is no such one."""
        if not self.server.admin:
            text = f'{resource} is forbidden: User "u" cannot {verb} resource "{resource}" in the namespace "{namespace}"'
            self.status(403, text)
        elif verb == "create":
            self.status(404, f'namespaces "{namespace}" not found')
        else:
            self.status(404, f'{resource} "{name}" not found')

    def create_it(self, plural: str, _: Any, __: Any, body: Any) -> None:
        name = body["metadata"]["name"]
        wrong = wrong_with(body) if plural == "rayjobs" else wrong_with_workflow(body)
        if wrong:
            self.status(422, f"{KINDS[plural][2]} is invalid: {wrong[0]}")
        elif (plural, name) in self.server.objects:
            self.status(409, f'{plural} "{name}" already exists')
        else:
            self.answer(201, self.server.put(plural, body))
            self.server.begin(plural, name)

    def get_it(self, plural: str, name: str, _: Any, __: Any) -> None:
        if found := self.server.objects.get((plural, name)):
            self.answer(200, found)
        else:
            self.status(404, f'{plural} "{name}" not found')

    def list_it(self, plural: str, _: Any, query: Mapping[str, str], __: Any) -> None:
        wanted = dict(
            pair.split("=", 1) for pair in query.get("labelSelector", "").split(",") if pair
        )
        found = [
            one
            for (kind, _), one in self.server.objects.items()
            if kind == plural and wanted.items() <= one["metadata"].get("labels", {}).items()
        ]
        self.answer(200, {"kind": "List", "metadata": {"resourceVersion": "1"}, "items": found})

    def watch_it(self, plural: str, _: Any, query: Mapping[str, str], __: Any) -> None:
        name = query["fieldSelector"].removeprefix("metadata.name=")
        since = int(query["resourceVersion"])
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        for change in self.server.changes(plural, name, since):
            self.wfile.write(json.dumps(change).encode() + b"\n")
            self.wfile.flush()

    def patch_it(self, plural: str, name: str, _: Any, body: Any) -> None:
        if (plural, name) not in self.server.objects:
            self.status(404, f'{plural} "{name}" not found')
            return
        assert self.headers["Content-Type"] == "application/merge-patch+json"
        self.answer(200, self.server.change(plural, name, spec=body["spec"]))

    def delete_it(self, plural: str, name: str, _: Any, __: Any) -> None:
        if (plural, name) in self.server.objects:
            self.server.remove(plural, name)
            self.answer(200, {"kind": "Status", "status": "Success"})
        else:
            self.status(404, f'{plural} "{name}" not found')

    def say(self, name: str, query: Mapping[str, str]) -> None:
        text = "".join(f"{line}\n" for line in self.server.logs[name]).encode()
        self.server.containers.add(query.get("container"))
        if query.get("follow") == "true" and self.server.broken_logs:
            self.server.broken_logs -= 1
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text[: len(text) // 2])
            self.close_connection = True
            self.connection.close()
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def status(self, code: int, message: str) -> None:
        reasons = {
            401: "Unauthorized",
            403: "Forbidden",
            404: "NotFound",
            409: "AlreadyExists",
            422: "Invalid",
        }
        self.answer(
            code,
            {
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message, "reason": reasons.get(code, "InternalError"), "code": code,
            },
        )  # fmt: skip

    def answer(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class KubernetesApi(ThreadingHTTPServer):
    """The API; a test says what becomes of what is made (`plays`), and what goes wrong (`faults`)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.objects: dict[tuple[str, str], Any] = {}
        self.events: list[tuple[int, str, str, Any]] = []
        self.version = 0
        self.moved = threading.Condition()
        self.asked: list[tuple[str, str]] = []
        self.faults: list[Fault] = []
        self.unknown: set[str] = set()
        self.plays: list[Mapping[str, Any] | None] = []
        self.logs: dict[str, list[str]] = {}
        self.containers: set[str | None] = set()
        self.broken_logs = 0
        self.rules = allowed()
        self.watch_seconds = 30.0
        self.token = TOKEN
        self.on_refusal: Callable[[], object] = lambda: None
        self.admin = False

    def may(self, verb: str, group: str, resource: str, name: str | None) -> bool:
        return any(
            group in rule["apiGroups"]
            and resource in rule["resources"]
            and verb in rule["verbs"]
            and name
            in (*rule.get("resourceNames", ()), *(() if "resourceNames" in rule else (name,)))
            for rule in self.rules
        )

    def fault(self, verb: str) -> Fault | None:
        for one in self.faults:
            if one.verb == verb and one.times:
                one.times -= 1
                return one
        return None

    def put(self, plural: str, body: Any) -> Any:
        with self.moved:
            self.version += 1
            made = json.loads(json.dumps(body))
            made["metadata"] |= {
                "namespace": NAMESPACE,
                "resourceVersion": str(self.version),
                "uid": "u",
            }
            self.objects[plural, made["metadata"]["name"]] = made
            self._tell("ADDED", plural, made)
            return made

    def change(self, plural: str, name: str, **parts: Mapping[str, Any]) -> Any:
        with self.moved:
            self.version += 1
            there = json.loads(json.dumps(self.objects[plural, name]))
            for part, value in parts.items():
                there[part] = {**there.get(part, {}), **value}
            there["metadata"]["resourceVersion"] = str(self.version)
            self.objects[plural, name] = there
            self._tell("MODIFIED", plural, there)
            return there

    def remove(self, plural: str, name: str) -> None:
        with self.moved:
            self.version += 1
            self._tell("DELETED", plural, self.objects.pop((plural, name)))

    def _tell(self, how: str, plural: str, thing: Any) -> None:
        self.events.append((self.version, plural, how, thing))
        self.moved.notify_all()

    def changes(self, plural: str, name: str, since: int) -> Iterator[Any]:
        until = time.monotonic() + self.watch_seconds
        with self.moved:
            while time.monotonic() < until:
                for version, kind, how, thing in self.events:
                    if version > since and kind == plural and thing["metadata"]["name"] == name:
                        since = version
                        yield {"type": how, "object": thing}
                self.moved.wait(0.05)

    def begin(self, plural: str, name: str) -> None:
        """Play what becomes of it: a status after the other; None deletes it."""

        def play() -> None:
            for status in self.plays:
                time.sleep(0.1)
                if status is None:
                    self.remove(plural, name)
                else:
                    self.change(plural, name, status=status)

        threading.Thread(target=play, daemon=True).start()

    def pod(
        self, name: str, labels: Mapping[str, str], *lines: str, command: Sequence[str] = ()
    ) -> None:
        spec = {"containers": [{"name": "main", "image": "x", "command": list(command)}]}
        metadata = {
            "name": name,
            "labels": dict(labels),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        }
        self.objects["pods", name] = {
            "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": "Running"},
        }  # fmt: skip
        self.logs[name] = list(lines)

    def configure(self, **data: str) -> None:
        self.objects["configmaps", "dreg"] = {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "dreg"}, "data": data,
        }  # fmt: skip

    def kubeconfig(self, folder: Path, token: str = TOKEN) -> Path:
        """A file that tells of this cluster."""
        path = folder / "kubeconfig"
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1", "kind": "Config", "current-context": "here",
                    "clusters": [{"name": "here", "cluster": {"server": self.url}}],
                    "users": [{"name": "me", "user": {"token": token}}],
                    "contexts": [
                        {"name": "here", "context": {"cluster": "here", "user": "me", "namespace": NAMESPACE}}
                    ],
                }
            )
        )  # fmt: skip
        return path


@pytest.fixture
def kubernetes() -> Iterator[KubernetesApi]:
    server = KubernetesApi()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()
