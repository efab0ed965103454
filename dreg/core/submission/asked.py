"""What a submission is asked for, and the objects that say so to Argo and Ray."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dreg.core.ci.cluster import EMBEDDED, EMBEDDINGS, PIPELINE, RAY_INPUTS
from dreg.core.ci.compute import USUAL
from dreg.core.ci.workflows import RUN_INPUTS
from dreg.core.submission.identity import Kind
from dreg.errors import BadRequest

LABELS = {"app.kubernetes.io/part-of": "dreg"}
REQUEST = "dreg/request"  # the annotation with the request's digest
TEMPLATE = "workflows.argoproj.io/workflow-template"
WORKFLOW = "dreg/workflow"  # of a RayJob: the Workflow that made it, as deploy/argo has it
SUBMISSION = "DREG_SUBMISSION"  # by which a run knows that it is one
ENTRYPOINT = "dreg ci run"  # a shell's text, to Ray: what was chosen is in the environment


@dataclass(frozen=True)
class Asked:
    """What `dreg ci run` is to do there: these datasets, or all, with these options.

    `template` is the WorkflowTemplate of a Workflow, `image` what a RayJob runs in, `repo` the registry that a job of a Ray
    cluster clones: each is None where it is not for that kind, or the cluster says it.
    """

    datasets: tuple[str, ...]
    bump: str = "auto"
    force: bool = False
    compute_type: str = USUAL
    dry_run: bool = False
    template: str | None = None
    image: str | None = None
    repo: str | None = None

    @property
    def chosen(self) -> dict[str, str]:
        """By the names of the workflows' inputs."""
        names = " ".join(self.datasets)
        return {
            "pipelines": names,
            "dataset": names,
            "force": str(self.force).lower(),
            "bump": self.bump,
            "compute-type": self.compute_type,
            "dry-run": str(self.dry_run).lower(),
        }

    def environment(self) -> dict[str, str]:
        """What a job that runs pipelines finds."""
        return {one.variable: self.chosen[one.name] for one in RAY_INPUTS}

    def workflow(self, name: str) -> dict[str, Any]:
        """A Workflow of the WorkflowTemplate. Raises BadRequest for what that does not take."""
        template = self.template or PIPELINE
        if template == EMBEDDINGS and (len(self.datasets) != 1 or self.dry_run):
            raise BadRequest(
                f"`{template}` takes one dataset, and no dry run",
                hint=f"name one, or use the template {PIPELINE}",
            )
        inputs = EMBEDDED if template == EMBEDDINGS else RUN_INPUTS
        parameters = [
            {"name": one.name, "value": self.chosen[one.name]}
            for one in inputs
            if one.name in self.chosen
        ]
        return {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": self._metadata(name, {TEMPLATE: template}),
            "spec": {
                "workflowTemplateRef": {"name": template},
                "arguments": {"parameters": parameters},
            },
        }

    def rayjob(self, name: str, made: Mapping[str, Any], image: str) -> dict[str, Any]:
        """A RayJob; `made` is the one of the compute type that is rendered into files."""
        job: dict[str, Any] = json.loads(json.dumps(made))
        job["metadata"] = self._metadata(name, job["metadata"]["labels"])
        chosen = self.environment()
        cluster = job["spec"]["rayClusterSpec"]
        for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
            for container in group["template"]["spec"]["containers"]:
                container["image"] = image
                for one in container.get("env", ()):
                    if one["name"] in chosen:
                        one["value"] = chosen[one["name"]]
        for group in cluster["workerGroupSpecs"]:  # where the entrypoint runs
            for container in group["template"]["spec"]["containers"]:
                container["env"].insert(0, {"name": SUBMISSION, "value": f"{Kind.RAYJOB}/{name}"})
        return job

    def _metadata(self, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
        return {
            "name": name,
            "labels": {**LABELS, **labels},
            "annotations": {REQUEST: self.digest},
        }

    @property
    def digest(self) -> str:
        """The same for the same request, and for no other."""
        where = {"template": self.template, "image": self.image, "repo": self.repo}
        said = {key: value for key, value in where.items() if value is not None}
        text = json.dumps(self.chosen | said, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
