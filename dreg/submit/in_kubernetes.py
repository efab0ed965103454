"""Workflows and RayJobs of a cluster, by the Kubernetes API."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from dreg.adapters.kubernetes import Absent, Cluster, Exists, Passing
from dreg.ci.rendering import rayjob_on
from dreg.core.ci.cluster import NAME, PIPELINE, RAY_IMAGE
from dreg.core.submission import Asked, Kind, Progress, State, Submission
from dreg.core.submission.asked import REQUEST, WORKFLOW
from dreg.errors import BadRequest, Outside
from dreg.submit.patience import Patience
from dreg.submit.pods import Gone, Pod, said_by

OF_WORKFLOW, JOB = "workflows.argoproj.io/workflow", "job-name"  # labels of pods


class Deleted(Outside):
    """Somebody has ended it by deleting it."""


class InKubernetes:
    """Submissions in one namespace; `options` are those by which `dreg submit` finds it."""

    def __init__(
        self, cluster: Cluster, options: str = "", *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self.cluster = cluster
        self.options = options
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
            return asked.workflow(submission.name)
        image = asked.image or self._ray_image()
        return asked.rayjob(submission.name, rayjob_on(asked.compute_type), image)

    def _ray_image(self) -> str:
        try:
            image, what = self.cluster.setting(NAME, RAY_IMAGE), f"has no `{RAY_IMAGE}`"
        except Absent:
            image, what = None, f"is not there in the namespace `{self.cluster.namespace}`"
        if image:
            return image
        raise BadRequest(
            f"which image the RayJob runs in is not said: the ConfigMap `{NAME}` {what}",
            hint="--image names one that has dreg and Ray, best by its digest; --namespace another namespace",
        )

    def progress(self, submission: Submission) -> Progress:
        """How it is going. Raises Absent."""
        return _progress(submission.kind, self.cluster.get(submission.kind, submission.name))

    def changes(self, submission: Submission) -> Iterator[Progress]:
        """How it is going, now and whenever that changes, until it is over. A watch that breaks off goes on."""
        kind, name, seen = submission.kind, submission.name, False
        patience = Patience()
        while True:
            try:
                there = self.cluster.get(kind, name)
                progress, seen = _progress(kind, there), True
                yield progress
                version = str(there["metadata"]["resourceVersion"])
                for changed in () if progress.over else self.cluster.changes(kind, name, version):
                    if changed is None:
                        break
                    progress = _progress(kind, changed)
                    patience.well()
                    yield progress
                    if progress.over:
                        break
                if progress.over:
                    return
            except Absent as error:
                if not seen:
                    raise
                raise Deleted(f"`{submission}` was deleted", hint="submit it again") from error
            except Passing as error:
                self.sleep(patience.rest(error))

    def cancel(self, submission: Submission) -> Progress:
        """End it, and the RayJobs that it made; how it is seen to be going then. What is over stays as it is."""
        there = self.cluster.get(submission.kind, submission.name)
        progress = _progress(submission.kind, there)
        if not progress.over:
            self.cluster.stop(submission.kind, submission.name)
            progress = Progress(State.CANCELLED)
        if submission.kind is Kind.WORKFLOW and _template(there) != PIPELINE:
            # A Workflow that is ended leaves them as they are.
            for made in self._made_by(submission):
                if not Progress.of_rayjob(made).over:
                    with suppress(Absent):
                        self.cluster.stop(Kind.RAYJOB, str(made["metadata"]["name"]))
        return progress

    def _made_by(self, submission: Submission) -> list[dict[str, Any]]:
        """The RayJobs of a Workflow."""
        return self.cluster.labelled(Kind.RAYJOB, {WORKFLOW: submission.name})

    def _pods(self, submission: Submission) -> dict[str, Pod]:
        """By name those of the submission, and those that submit the jobs of its RayJobs, and say what these say."""
        if submission.kind is Kind.RAYJOB:
            return self._labelled(JOB, submission.name, None)
        pods = self._labelled(OF_WORKFLOW, submission.name, "main")
        if self._makes_rayjobs(submission):
            for made in self._made_by(submission):
                pods |= self._labelled(JOB, str(made["metadata"]["name"]), None)
        return pods

    def _labelled(self, label: str, name: str, container: str | None) -> dict[str, Pod]:
        found = self.cluster.pods({label: name})
        return {pod: Pod(phase, container) for pod, phase in found.items()}

    def _makes_rayjobs(self, submission: Submission) -> bool:
        return _template(self.cluster.get(submission.kind, submission.name)) != PIPELINE

    def log(self, submission: Submission, *, follow: bool) -> Iterator[str]:
        """What its pods have said; with `follow`, until it is over. Raises Absent, and Gone where all of them are gone."""
        said = False
        for line in said_by(
            self.cluster,
            lambda: self._pods(submission),
            over=lambda: not follow or self.progress(submission).over,
            follow=follow,
        ):
            said = True
            yield line
        if not said and self.progress(submission).over and not self._pods(submission):
            raise Gone(
                f"`{submission}` is over, and its pods are gone with all that they said",
                hint=f"dreg submit status {submission}{self.options} tells what became of it; what pods said is where the "
                "cluster keeps logs, if it does",
            )


def _template(workflow: Mapping[str, Any]) -> str:
    of = (workflow.get("spec") or {}).get("workflowTemplateRef") or {}
    return str(of.get("name") or "")


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
