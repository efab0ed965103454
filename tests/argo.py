"""Workflows of Argo's, carried out on this machine: steps, parameters and retries as Argo has them, each pod a process.

Tags are put into a template's JSON, as Argo does it; what is text within text, such as a manifest, is not looked at.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.kubernetes_server import allowed

TAG = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
TERNARY = re.compile(r"\(([^()?]+) \? ([^():]+|'[^']*') : ([^()]+)\)")


class Names(dict):
    """`a.b['c']`, as expressions have it."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def nested(scope: Mapping[str, str]) -> Names:
    found = Names()
    for path, value in scope.items():
        *above, last = path.split(".")
        place = found
        for name in above:
            place = place.setdefault(name, Names())
        place[last] = value
    return found


def evaluated(expression: str, scope: Mapping[str, str]) -> str:
    """What an expression of the few forms that our files have comes to, as text."""
    code = TERNARY.sub(r"((\2) if (\1) else (\3))", expression)
    code = re.sub(r'([\w.]+) contains ("[^"]*")', r"(\2 in \1)", code)
    code = re.sub(r'([\w.]+) matches ("[^"]*")', r"bool(search(\2, \1))", code)
    code = code.replace("||", " or ").replace("&&", " and ").replace("!(", " not (")
    names = {"toJson": json.dumps, "asInt": int, "bool": bool, "search": re.search, **nested(scope)}
    value = eval(code, {"__builtins__": {}}, names)
    return json.dumps(value) if isinstance(value, bool) else str(value)


def filled(value: Any, scope: Mapping[str, str]) -> Any:
    """The template with its tags' values."""

    def put(match: re.Match[str]) -> str:
        tag = json.loads(f'"{match[1]}"').strip()
        said = evaluated(tag[1:], scope) if tag.startswith("=") else scope[tag]
        return json.dumps(said)[1:-1]

    return json.loads(TAG.sub(put, json.dumps(value)))


class Failed(Exception):
    """A step failed, and so did the workflow."""


@dataclass(frozen=True)
class Ended:
    """How Argo has it that a pod ended: its phase, its exit code as far as there is one, and why."""

    status: str
    code: str = "-1"
    message: str = ""

    def worth_a_retry(self, strategy: Mapping[str, Any]) -> bool:
        """By the strategy's policy and expression, which both have to say so."""
        phases = {"Always": ("Failed", "Error"), "OnError": ("Error",), "OnFailure": ("Failed",)}
        last = {
            "lastRetry.status": self.status,
            "lastRetry.exitCode": self.code,
            "lastRetry.message": self.message,
        }
        allowed = self.status in phases[strategy["retryPolicy"]]
        return allowed and evaluated(strategy.get("expression", "true"), last) == "true"


WELL = Ended("Succeeded", "0")
# What Argo's controller makes of what befalls pods, as its source has it.
EVICTED = Ended("Failed", message="The node was low on resource: memory.")
SHUT_DOWN = Ended("Failed", "143", "Pod was terminated in response to imminent node shutdown.")
PREEMPTED = Ended("Failed", "137", "main: Error (exit code 137)")
DELETED = Ended("Error", message="pod deleted")
NOT_MADE = Ended("Error", message='Post "https://10.0.0.1/api/v1/pods": context deadline exceeded')
OUT_OF_MEMORY = Ended("Failed", "137", "main: OOMKilled (exit code 137)")
OUT_OF_TIME = Ended(
    "Failed", message="Pod was active on the node longer than the specified deadline"
)
HEAD_LOST = {"jobStatus": "RUNNING", "jobDeploymentStatus": "Failed", "reason": "SubmissionFailed"}


def met(condition: str, status: Mapping[str, Any]) -> tuple[str, list[bool]]:
    """The first of the condition's parts that is met, and of each whether it is; Argo goes through them by their keys."""
    parts = []
    for part in re.findall(r"[^,(]+(?:\([^)]*\))?", condition):
        key, relation, values = re.fullmatch(r"\s*([\w.]+)\s*(in|==)?\s*(.*)", part).groups()
        wanted = [value.strip() for value in values.strip("()").split(",")] if relation else []
        there = status.get(key.removeprefix("status."))
        said = f"{key} in ({','.join(wanted)})" if relation == "in" else f"{key}={values}"
        parts.append(
            (
                key,
                said if relation else key,
                there in wanted if relation else key.removeprefix("status.") in status,
            )
        )
    parts.sort(key=lambda one: one[0])
    return next((said for _, said, yes in parts if yes), ""), [yes for _, _, yes in parts]


@dataclass
class Pod:
    """One process that was run: its template, arguments, environment, how it ended."""

    template: str
    command: list[str]
    environment: dict[str, str]
    resources: Any
    code: int
    output: str
    ended: Ended


@dataclass
class Cluster:
    """What there is in the namespace. `home` is where pods have their disks.

    `befalls` has, by template, what becomes of the next pods instead of what their command comes to; `rayjobs` the status that
    the next RayJobs come to instead.
    """

    home: Path
    templates: Mapping[str, Any]
    config_maps: Mapping[str, Mapping[str, str]]
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    manifests: list[str] = field(default_factory=list)
    locks: list[str] = field(default_factory=list)
    tries: list[str] = field(default_factory=list)
    befalls: dict[str, list[Ended]] = field(default_factory=dict)
    rayjobs: list[Mapping[str, str]] = field(default_factory=list)
    rules: list[Mapping[str, Any]] = field(default_factory=lambda: allowed("dreg-pipelines"))
    asked: set[tuple[str, str]] = field(default_factory=set)

    def _ask(self, resource: str, *verbs: str) -> None:
        """As Argo's own program in a pod does, with the account of pods."""
        may = {
            verb for rule in self.rules if resource in rule["resources"] for verb in rule["verbs"]
        }
        assert may >= set(verbs), f"pods may not {verbs} {resource}"
        self.asked |= {(verb, resource) for verb in verbs}

    def run(self, workflow: Mapping[str, Any]) -> None:
        """Carry out a Workflow or what a CronWorkflow makes. Raises Failed."""
        spec = workflow["spec"]
        name = spec["workflowTemplateRef"]["name"]
        template = self.templates[name]["spec"]
        scope = {"workflow.name": f"{name}-x1", "workflow.uid": "uid-1"}
        given = {
            one["name"]: one["value"] for one in spec.get("arguments", {}).get("parameters", [])
        }
        for one in template["arguments"]["parameters"]:
            value = given.pop(one["name"], None)
            value = self._default(one, scope) if value is None else value
            assert value in one.get("enum", [value]), f"{one['name']} may not be {value}"
            scope[f"workflow.parameters.{one['name']}"] = value
        assert not given, f"{name} has no parameters {given}"
        self._template(template, template["entrypoint"], {}, scope)

    def _default(self, one: Mapping[str, Any], scope: Mapping[str, str]) -> str:
        if "value" in one:
            return one["value"]
        at = filled(one["valueFrom"]["configMapKeyRef"], scope)
        return self.config_maps[at["name"]][at["key"]]

    def _template(
        self, spec: Any, name: str, arguments: Mapping[str, str], globals_: Mapping[str, str]
    ) -> dict[str, str]:
        (template,) = (one for one in spec["templates"] if one["name"] == name)
        scope = dict(globals_)
        for one in template.get("inputs", {}).get("parameters", []):
            value = arguments.get(one["name"])
            scope[f"inputs.parameters.{one['name']}"] = (
                self._default(one, scope) if value is None else value
            )
        if "steps" in template:
            self._steps(spec, template, scope, globals_)
            return {}
        for mutex in filled(template.get("synchronization", {}), scope).get("mutexes", []):
            self.locks.append(mutex["name"])
        return self._tried(spec, template, scope)

    def _steps(
        self, spec: Any, template: Any, scope: dict[str, str], globals_: Mapping[str, str]
    ) -> None:
        for together in template["steps"]:
            failed = ""
            for step in together:
                for item in self._items(step, scope):
                    inner = scope if item is None else {**scope, "item": item}
                    if filled(step.get("when", "true"), inner) == "false":
                        continue
                    given = filled(step.get("arguments", {}), inner).get("parameters", [])
                    arguments = {one["name"]: one["value"] for one in given}
                    try:
                        made = self._template(spec, step["template"], arguments, globals_)
                    except Failed:
                        failed = step["name"]
                        continue
                    for name, value in made.items():
                        scope[f"steps.{step['name']}.outputs.parameters.{name}"] = value
            if failed:
                raise Failed(failed)

    def _items(self, step: Any, scope: Mapping[str, str]) -> Iterator[str | None]:
        if "withParam" not in step:
            yield None
            return
        for item in json.loads(filled(step["withParam"], scope)):
            yield item if isinstance(item, str) else json.dumps(item)

    def _tried(self, spec: Any, template: Any, scope: Mapping[str, str]) -> dict[str, str]:
        retry = template["retryStrategy"]
        for _ in range(int(retry["limit"]) + 1):
            self.tries.append(template["name"])
            self._ask("workflowtaskresults", "create", "patch")  # what a pod came to
            outputs: dict[str, str] = {}
            if waiting := self.befalls.get(template["name"]):
                ended = waiting.pop(0)
            elif "resource" in template:
                ended = self._rayjob(filled(template["resource"], scope))
            else:
                ended, outputs = self._pod(spec, template, scope)
            if ended == WELL:
                return outputs
            if not ended.worth_a_retry(retry):
                break
        raise Failed(template["name"])

    def _rayjob(self, resource: Any) -> Ended:
        """What KubeRay does with a RayJob, and what Argo's waiting for it comes to.

        Its entrypoint is a shell's text, run on the node that has what it wants.
        """
        self._ask("rayjobs", resource["action"], "get")  # until it has ended
        self.manifests.append(resource["manifest"])
        job = yaml.safe_load(resource["manifest"])
        if self.rayjobs:
            status = self.rayjobs.pop(0)
        else:
            group = self._that_has(json.loads(job["spec"]["entrypointResources"]), job)
            (container,) = group["containers"]
            command = ["/bin/sh", "-c", job["spec"]["entrypoint"]]
            pod, _ = self._process(
                container["name"], container, group["volumes"], command, container["resources"]
            )
            status = {"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}
            if pod.code:
                status = {
                    "jobStatus": "FAILED", "jobDeploymentStatus": "Failed", "reason": "AppFailed",
                }  # fmt: skip
        failed, _ = met(resource["failureCondition"], status)
        if failed:
            said = f"failure condition '{failed}' evaluated true"
            return Ended("Failed", "64", f"main: Error (exit code 64): {said}")
        assert all(met(resource["successCondition"], status)[1]), "it would be waited for for ever"
        return WELL

    def _that_has(self, wanted: Mapping[str, float], job: Any) -> Any:
        for group in job["spec"]["rayClusterSpec"]["workerGroupSpecs"]:
            # KubeRay puts them into a shell's text.
            (there,) = shlex.split(group["rayStartParams"]["resources"])
            if json.loads(there).items() >= wanted.items():
                return group["template"]["spec"]
        raise AssertionError(f"Ray would wait for {wanted} for ever")

    def _pod(
        self, spec: Any, template: Any, scope: Mapping[str, str]
    ) -> tuple[Ended, dict[str, str]]:
        template = filled(template, scope)
        container = template["container"]
        patch = json.loads(template.get("podSpecPatch", "{}"))
        resources = patch["containers"][0]["resources"] if patch else container.get("resources")
        command = [*container["command"], *container.get("args", [])]
        pod, here = self._process(template["name"], container, spec["volumes"], command, resources)
        outputs = {}
        for one in template.get("outputs", {}).get("parameters", []):
            place = Path(here(one["valueFrom"]["path"]))
            if place.exists():
                outputs[one["name"]] = place.read_text()
            elif pod.code == 0:
                outputs[one["name"]] = one["valueFrom"]["default"]
        return pod.ended, outputs

    def _process(
        self, name: str, container: Any, volumes: Any, command: list[str], resources: Any
    ) -> tuple[Pod, Callable[[str], str]]:
        """The container's command, with no other environment; where its volumes are here."""
        disk = self.home / f"pod-{len(self.pods)}"
        disk.mkdir(parents=True)
        secrets = {one["name"]: one["secret"]["secretName"] for one in volumes if "secret" in one}
        mounts = {}
        for one in container["volumeMounts"]:
            place = disk / one["name"]
            place.mkdir()
            mounts[one["mountPath"]] = str(place)
            for key, text in self.secrets.get(secrets.get(one["name"], ""), {}).items():
                (place / key).write_text(text)

        mounts["/dev/termination-log"] = str(disk / "termination-log")

        def here(text: str) -> str:
            for inside, outside in mounts.items():
                text = text.replace(inside, outside)
            return text

        environment = {
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "HOME": str(disk),
            "GIT_CONFIG_NOSYSTEM": "1",
        }  # fmt: skip
        for one in container["env"]:
            value = one["value"] if "value" in one else self._referred(one["valueFrom"])
            if value is not None:
                placed = one["name"] in (
                    "DREG_CACHE",
                    "TMPDIR",
                    "GIT_CONFIG_VALUE_0",
                    "DREG_TERMINATION_LOG",
                )
                environment[one["name"]] = here(value) if placed else value
        command = [here(word) for word in command]
        done = subprocess.run(
            command,
            env=environment,
            cwd=disk,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        log = disk / "termination-log"
        code = done.returncode if done.returncode >= 0 else 128 - done.returncode
        said = f"main: Error (exit code {code})" + (f": {log.read_text()}" if log.exists() else "")
        ended = Ended("Failed", str(code), said) if code else WELL
        pod = Pod(name, command, environment, resources, code, done.stdout + done.stderr, ended)
        self.pods.append(pod)
        return pod, here

    def _referred(self, reference: Mapping[str, Any]) -> str | None:
        kind, at = next(iter(reference.items()))
        found = self.config_maps if kind == "configMapKeyRef" else self.secrets
        value = found.get(at["name"], {}).get(at["key"])
        assert value is not None or at.get("optional"), f"there is no {at}"
        return value
