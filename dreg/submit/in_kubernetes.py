"""Workflows and RayJobs of a cluster, by the Kubernetes API."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dreg.adapters.kubernetes import Absent, Cluster, Exists, Passing
from dreg.ci.rendering import rayjob_on
from dreg.core.ci.cluster import NAME, RAY_IMAGE
from dreg.core.submission import Asked, Kind, Progress, State, Submission
from dreg.core.submission.asked import REQUEST
from dreg.errors import BadRequest, Outside
from dreg.submit.pods import said_by

BREAKS, LONGEST = (
    9,
    30.0,
)  # of a watch without a change between them, seconds of rest: two minutes or so in all
PODS = {Kind.WORKFLOW: "workflows.argoproj.io/workflow", Kind.RAYJOB: "job-name"}
MAIN = {Kind.WORKFLOW: "main", Kind.RAYJOB: None}


class InKubernetes:
    """Submissions in one namespace; `template` is the WorkflowTemplate, `image` that of a RayJob."""

    def __init__(
        self,
        cluster: Cluster,
        *,
        template: str = "",
        image: str | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.cluster = cluster
        self.template = template
        self.image = image
        self.sleep = sleep
        self.where = f"{cluster.server}, namespace {cluster.namespace}"

    def submit(self, submission: Submission, asked: Asked) -> str | None:
        """None if it was made now, else the digest of what the one that is there was asked for."""
        try:
            self.cluster.create(submission.kind, self._manifest(submission, asked))
        except Exists:
            there = self.cluster.get(submission.kind, submission.name)
            return str((there["metadata"].get("annotations") or {}).get(REQUEST, ""))
        return None

    def _manifest(self, submission: Submission, asked: Asked) -> dict[str, Any]:
        if submission.kind is Kind.WORKFLOW:
            return asked.workflow(submission.name, self.template)
        image = self.image or self.cluster.setting(NAME, RAY_IMAGE)
        if not image:
            raise BadRequest(
                f"which image the RayJob runs in is not said: the ConfigMap `{NAME}` has no `{RAY_IMAGE}`",
                hint="--image names one that has dreg and Ray, best by its digest",
            )
        return asked.rayjob(submission.name, rayjob_on(asked.compute_type), image)

    def progress(self, submission: Submission) -> Progress:
        """How it is going. Raises Absent."""
        return _progress(submission.kind, self.cluster.get(submission.kind, submission.name))

    def changes(self, submission: Submission) -> Iterator[Progress]:
        """How it is going, now and whenever that changes, until it is over. A watch that breaks off goes on."""
        kind, name, breaks, seen = submission.kind, submission.name, 0, False
        while True:
            try:
                there = self.cluster.get(kind, name)
                progress, seen = _progress(kind, there), True
                yield progress
                version = str(there["metadata"]["resourceVersion"])
                for changed in () if progress.over else self.cluster.changes(kind, name, version):
                    if changed is None:
                        break
                    progress, breaks = _progress(kind, changed), 0
                    yield progress
                    if progress.over:
                        break
                if progress.over:
                    return
            except Absent as error:
                if not seen:
                    raise
                raise Outside(f"`{submission}` was deleted", hint="submit it again") from error
            except Passing:
                breaks += 1
                if breaks > BREAKS:
                    raise
                self.sleep(min(0.25 * 2.0**breaks, LONGEST))

    def cancel(self, submission: Submission) -> Progress:
        """End it; how it is seen to be going then. What is over stays as it is."""
        progress = self.progress(submission)
        if progress.over:
            return progress
        self.cluster.stop(submission.kind, submission.name)
        return Progress(State.CANCELLED)

    def log(self, submission: Submission, *, follow: bool) -> Iterator[str]:
        """What its pods have said; with `follow`, until it is over. Raises Absent."""
        labels = {PODS[submission.kind]: submission.name}
        return said_by(
            self.cluster,
            labels,
            MAIN[submission.kind],
            over=lambda: not follow or self.progress(submission).over,
            follow=follow,
        )


def _progress(kind: Kind, there: Mapping[str, Any]) -> Progress:
    return (
        Progress.of_workflow(there, _nodes(there))
        if kind is Kind.WORKFLOW
        else Progress.of_rayjob(there)
    )


def _nodes(workflow: Mapping[str, Any]) -> Mapping[str, Any]:
    """The steps of a Workflow; Argo packs those of a large one."""
    status = workflow.get("status") or {}
    packed = status.get("compressedNodes")
    if not packed:
        return status.get("nodes") or {}
    try:
        nodes = json.loads(gzip.decompress(base64.b64decode(packed)))
    except (ValueError, OSError, EOFError):
        return {}
    return nodes if isinstance(nodes, dict) else {}
