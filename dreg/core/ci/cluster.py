"""What the files for Argo Workflows and Ray are written from: the model of the workflows, said to Kubernetes.

What somebody chose gets into a pod as a value of its environment, or as one argument; into a manifest, which is
text to Argo, as JSON. It never becomes part of a shell's text, nor of YAML.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from dreg.core.ci.compute import COMPUTE_TYPES, GIB, ComputeType
from dreg.core.ci.workflows import (
    BYTES,
    BYTES_KEYS,
    COMPUTE,
    EMBEDDINGS_INPUTS,
    IMAGE_TAG,
    NIGHTLY_IN_CLUSTER,
    PIPELINES,
    POSTGRES,
    POSTGRES_KEYS,
    RUN_INPUTS,
    WRITTEN_BY,
    Input,
    marked,
)

NAME = "dreg"  # of the ConfigMap with endpoints, and of the Secret with keys
GIT = "dreg-git"  # the Secret by which commits and tags are pushed
TYPES = "dreg-compute-types"
PIPELINE, EMBEDDINGS = "data-pipeline", "embeddings-pipeline"
IMAGE, RAY_IMAGE = "image", "ray-image"  # keys of the ConfigMap
CREDENTIALS = "/var/run/dreg/git/credentials"
RAY_VERSION = "2.60.0"  # as constraints.txt has it: the image's
ENDING = "/dev/termination-log"  # from where Kubernetes takes what a container says at last
ANOTHER_TRY = "worth another try"
# A pod that was lost has no exit code of dreg's: Argo says Error, or Failed with -1 or what a signal made of it. Of dreg's own, 1
# and 2 would be the same again, and so is 3 unless it says that a neighbour failed. More memory or time is nobody's to give.
# No maxDuration: it counts from the first start, so that what ran for longer would never be tried again.
RETRIES = f"""\
limit: "3"
retryPolicy: Always
expression: >-
  lastRetry.status == "Error"
  || (lastRetry.exitCode == "3" && lastRetry.message contains "{ANOTHER_TRY}")
  || (!(lastRetry.exitCode in ["1", "2", "3"]) && !(lastRetry.message matches "OOMKilled|deadline"))
backoff: {{duration: 1m, factor: "2"}}"""
# Of who waits for a RayJob: what was made of it is in the message, as the condition that was met. The reason `AppFailed`,
# and a job that has failed, are what `dreg ci run` ended with; without them its cluster was lost.
RAYJOB_FAILED = (
    "status.jobDeploymentStatus == ValidationFailed, status.jobStatus in (FAILED, STOPPED), "
    "status.reason in (AppFailed, DeadlineExceeded), status.reason"
)
RAYJOB_RETRIES = """\
limit: "2"
retryPolicy: Always
expression: >-
  lastRetry.status == "Error"
  || !(lastRetry.message matches "'status.job|'status.reason in|deadline|is forbidden|is invalid")
backoff: {duration: 1m, factor: "2"}"""
CONFINED = """\
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}"""
MOUNTS = """\
- {name: work, mountPath: /work}
- {name: git, mountPath: /var/run/dreg/git, readOnly: true}"""
RAY_INPUTS = tuple(one for one in RUN_INPUTS if one.variable)
EMBEDDED = tuple(one for one in EMBEDDINGS_INPUTS if one is not IMAGE_TAG)


def argo_file(template: str, rayjob: str) -> str:
    """The file for Argo that a template makes; `rayjob` is the template of a RayJob's own text."""
    return marked(template, {**_marks(), "rayjob": _rayjob_within(rayjob)})


def ray_file(template: str, rayjob: str, compute: ComputeType) -> str:
    """The file of a RayJob on a compute type; `template` has the mark of the job's text, `rayjob`."""
    usual = {one.name: one.default for one in RAY_INPUTS} | {COMPUTE.name: compute.name}
    marks = {
        **_ray_marks(),
        "name": f"dreg-{compute.name}",
        "image": "dreg-ray",
        "compute-type": compute.name,
        "resources": json.dumps(resources(compute)),
        "chosen": "\n".join(
            f"- {{name: {one.variable}, value: {json.dumps(usual[one.name])}}}"
            for one in RAY_INPUTS
        ),
        "written-by": WRITTEN_BY,
    }
    return marked(template, {**marks, "rayjob": marked(rayjob, marks)})


def resources(compute: ComputeType) -> dict[str, dict[str, str]]:
    """A container's, of that compute type: what it asks for is what it gets."""
    all_of = {"cpu": str(compute.cpus), "memory": f"{compute.memory // GIB}Gi"}
    if compute.gpus:
        all_of["nvidia.com/gpu"] = str(compute.gpus)
    return {"requests": all_of, "limits": all_of}


def _rayjob_within(rayjob: str) -> str:
    """The RayJob's text as Argo makes it: with the workflow's parameters, each as JSON."""
    chosen = (one for one in EMBEDDED if one.variable)
    return marked(
        rayjob,
        {
            **_ray_marks(),
            "image": f"{{{{=toJson({parameter_of(RAY_IMAGE)})}}}}",
            "resources": "{{inputs.parameters.resources}}",
            "chosen": "\n".join(
                f"- {{name: {one.variable}, value: {{{{=toJson({parameter_of(one.name)})}}}} }}"
                for one in chosen
            )
            + '\n- {name: ARGO_WORKFLOW_NAME, value: "{{workflow.name}}"}'
            + '\n- {name: ARGO_WORKFLOW_UID, value: "{{workflow.uid}}"}',
        },
    )


def parameter_of(name: str) -> str:
    """A workflow's parameter in an expression of Argo's."""
    return f"workflow.parameters['{name}']"


def _marks() -> dict[str, str]:
    return {
        "written-by": WRITTEN_BY,
        "nightly": NIGHTLY_IN_CLUSTER,
        "run-parameters": "\n".join(map(parameter, RUN_INPUTS)),
        "embeddings-parameters": "\n".join(map(parameter, EMBEDDED)),
        "run-chosen": "\n".join(passed(one) for one in RUN_INPUTS if one is not PIPELINES),
        "pipelines": passed(PIPELINES),
        "bytes": _settings(BYTES, BYTES_KEYS),
        "postgres": _settings(POSTGRES, POSTGRES_KEYS),
        "registry": _registry(),
        "retries": RETRIES,
        "ending": f"- {{name: DREG_TERMINATION_LOG, value: {ENDING}}}",
        "rayjob-retries": RAYJOB_RETRIES,
        "rayjob-failed": RAYJOB_FAILED,
        "confined": CONFINED,
        "mounts": MOUNTS,
        "compute-types": "\n".join(
            f"{one.name}: '{json.dumps(resources(one))}'" for one in COMPUTE_TYPES.values()
        ),
    }


def _ray_marks() -> dict[str, str]:
    return {
        "ray-version": RAY_VERSION,
        "registry": _registry(),
        "bytes": _settings(BYTES, BYTES_KEYS),
    }


def parameter(one: Input) -> str:
    """The input as a WorkflowTemplate declares it."""
    options = ("true", "false") if one.boolean else one.options
    lines = [f"- name: {one.name}", f"  description: {json.dumps(one.description)}"]
    if options:
        lines.append(f"  enum: {json.dumps(options)}")
    return "\n".join([*lines, f"  value: {json.dumps(one.default)}"])


def passed(one: Input) -> str:
    """The input as a container's environment has it."""
    return f'- {{name: {one.variable}, value: "{{{{workflow.parameters.{one.name}}}}}"}}'


def _settings(settings: Mapping[str, str], keys: tuple[str, ...]) -> str:
    """From the ConfigMap and the Secret; what they lack is left to the program's own usual."""

    def lines() -> Iterator[str]:
        for kind, names in (("configMapKeyRef", tuple(settings)), ("secretKeyRef", keys)):
            for name in names:
                yield f"- name: {name}"
                yield f"  valueFrom: {{{kind}: {{name: {NAME}, key: {name}, optional: true}}}}"

    return "\n".join(lines())


def _registry() -> str:
    """Where the registry is, and how git gets to push there."""
    return "\n".join(
        (
            "- name: DREG_REPO",
            f"  valueFrom: {{configMapKeyRef: {{name: {NAME}, key: DREG_REPO}}}}",
            '- {name: GIT_CONFIG_COUNT, value: "1"}',
            "- {name: GIT_CONFIG_KEY_0, value: credential.helper}",
            f"- {{name: GIT_CONFIG_VALUE_0, value: store --file={CREDENTIALS}}}",
            "- {name: DREG_CACHE, value: /work/cache}",
            "- {name: TMPDIR, value: /work}",
        )
    )
