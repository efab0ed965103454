"""How a submission is seen to be going, by what Argo, KubeRay and Ray say of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

CODES = (1, 2, 3)  # what dreg ends with when it does not end well
STOPPED = ("Stop", "Terminate")
EXITED = re.compile(
    r"failed with exit code (\d+)"
)  # Ray's message on a job, of which KubeRay tells no more


class State(StrEnum):
    """Where a submission is."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


@dataclass(frozen=True)
class Landed:
    """What became of one dataset, as its run's result has it."""

    dataset: str
    state: str
    tag: str | None
    why: str


@dataclass(frozen=True)
class Progress:
    """A submission's state, what is said of it, what became of datasets as far as that is known, and the
    exit code of what failed: 3 if several failed in different ways, or nobody knows.
    """

    state: State
    message: str = ""
    datasets: tuple[Landed, ...] = ()
    exit_code: int | None = None

    @property
    def over(self) -> bool:
        return self.state in (State.SUCCEEDED, State.FAILED, State.CANCELLED)

    @classmethod
    def of_workflow(cls, workflow: Mapping[str, Any], nodes: Mapping[str, Any]) -> Progress:
        """A Workflow and its status's nodes, which Argo may have packed."""
        status = workflow.get("status") or {}
        phase = status.get("phase") or "Pending"
        states = {
            "Pending": State.WAITING,
            "Running": State.RUNNING,
            "Succeeded": State.SUCCEEDED,
        }
        state = states.get(phase, State.FAILED)
        stopped = (workflow.get("spec") or {}).get("shutdown") in STOPPED
        if state is State.FAILED and stopped:
            state = State.CANCELLED
        last = list(_last_tries(nodes))
        results = [result for node in last if (result := _result(node))]
        code = _one_of(_code(node) for node in last) if state is State.FAILED else None
        said = str(status.get("message") or "")
        return cls(state, said, tuple(_landed(results)), code)

    @classmethod
    def of_rayjob(cls, rayjob: Mapping[str, Any]) -> Progress:
        """A RayJob. Its job has ended well only when its cluster is known to be gone as well."""
        status = rayjob.get("status") or {}
        job, deployment = status.get("jobStatus") or "", status.get("jobDeploymentStatus") or ""
        message = str(status.get("message") or "")
        said = _fact(message) or str(status.get("reason") or "")
        if deployment in ("Failed", "ValidationFailed") or job == "FAILED":
            exited = EXITED.search(message)
            code = int(exited[1]) if exited else 3
            return cls(State.FAILED, said, exit_code=code if code in CODES else 3)
        if job == "STOPPED":
            return cls(State.CANCELLED, said)
        if job == "SUCCEEDED" and deployment == "Complete":
            return cls(State.SUCCEEDED, said)
        waiting = job in ("", "PENDING")
        return cls(State.WAITING if waiting else State.RUNNING, said)

    @classmethod
    def of_job(cls, job: Mapping[str, Any]) -> Progress:
        """A job as a Ray cluster's own API has it."""
        states = {
            "PENDING": State.WAITING,
            "RUNNING": State.RUNNING,
            "SUCCEEDED": State.SUCCEEDED,
            "STOPPED": State.CANCELLED,
        }
        state = states.get(str(job.get("status")), State.FAILED)
        code = job.get("driver_exit_code")
        failed = state is State.FAILED
        said = _fact(str(job.get("message") or ""))
        return cls(state, said, exit_code=(code if code in CODES else 3) if failed else None)


def _fact(message: str) -> str:
    """Ray goes on with the job's last lines, which `dreg submit logs` has all of."""
    return message.partition("\n")[0].partition(", last available")[0]


def _last_tries(nodes: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Pods, of which one that was tried again does not count."""
    again = {
        child
        for node in nodes.values()
        if node.get("type") == "Retry"
        for child in (node.get("children") or [])[:-1]
    }
    for key, node in nodes.items():
        if node.get("type") == "Pod" and key not in again:
            yield node


def _outputs(node: Mapping[str, Any]) -> Mapping[str, Any]:
    return node.get("outputs") or {}


def _result(node: Mapping[str, Any]) -> Mapping[str, Any]:
    for one in _outputs(node).get("parameters") or []:
        if one.get("name") == "result":
            try:
                made = json.loads(one.get("value") or "{}")
            except ValueError:
                return {}
            return made if isinstance(made, dict) else {}
    return {}


def _landed(results: list[Mapping[str, Any]]) -> Iterator[Landed]:
    for result in results:
        for one in result.get("datasets") or []:
            yield Landed(
                str(one.get("dataset")),
                str(one.get("state")),
                one.get("tag"),
                str(one.get("why") or ""),
            )


def _code(node: Mapping[str, Any]) -> int | None:
    if node.get("phase") not in ("Failed", "Error"):
        return None
    said = str(_outputs(node).get("exitCode") or "")
    return int(said) if said.isdigit() and int(said) in CODES else 3


def _one_of(codes: Iterator[int | None]) -> int:
    found = {code for code in codes if code}
    return found.pop() if len(found) == 1 else 3
