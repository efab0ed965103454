"""What KubeRay takes for a RayJob, as far as our files have it: nothing else, and pods by Kubernetes's own schema."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema

TEXT = {"type": "string"}
WHOLE = {"type": "integer", "minimum": 0}
LABELS = {"type": "object", "additionalProperties": TEXT}


def closed(required: tuple[str, ...], **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": list(required),
        "properties": properties,
    }


POD = closed(("spec",), spec={"type": "object"}, metadata=closed((), labels=LABELS))
GROUP = {"rayStartParams": LABELS, "template": POD}
CLUSTER = closed(
    ("headGroupSpec",),
    rayVersion=TEXT,
    headGroupSpec=closed(("rayStartParams", "template"), **GROUP),
    workerGroupSpecs={
        "type": "array",
        "items": closed(
            ("groupName", "replicas", "minReplicas", "maxReplicas", "rayStartParams", "template"),
            groupName=TEXT, replicas=WHOLE, minReplicas=WHOLE, maxReplicas=WHOLE, **GROUP,
        ),
    },
)  # fmt: skip
SCHEMA = closed(
    ("apiVersion", "kind", "metadata", "spec"),
    apiVersion={"const": "ray.io/v1"},
    kind={"const": "RayJob"},
    metadata=closed(
        (),
        name={"type": "string", "maxLength": 47, "pattern": "^[a-z]([-a-z0-9]*[a-z0-9])?$"},
        generateName={"type": "string", "maxLength": 42},
        namespace=TEXT, labels=LABELS, annotations=LABELS,
    ),
    spec=closed(
        ("entrypoint", "rayClusterSpec"),
        entrypoint=TEXT, entrypointResources=TEXT,
        submissionMode={"enum": ["K8sJobMode", "HTTPMode", "SidecarMode", "InteractiveMode"]},
        shutdownAfterJobFinishes={"type": "boolean"},
        ttlSecondsAfterFinished=WHOLE, activeDeadlineSeconds=WHOLE, backoffLimit=WHOLE,
        suspend={"type": "boolean"},
        rayClusterSpec=CLUSTER,
    ),
)  # fmt: skip


def wrong_with(rayjob: Any) -> list[str]:
    """What KubeRay, or Kubernetes in its pods, would not take."""
    found = [
        f"{'.'.join(map(str, error.path))}: {error.message}"
        for error in jsonschema.Draft202012Validator(SCHEMA).iter_errors(rayjob)
    ]
    return found or [text for pod in pods_of(rayjob) for text in wrong_with_pod(pod)]


def pods_of(rayjob: Any) -> Iterator[Any]:
    cluster = rayjob["spec"]["rayClusterSpec"]
    for group in (cluster["headGroupSpec"], *cluster["workerGroupSpecs"]):
        yield group["template"]["spec"]


def wrong_with_pod(spec: Any) -> list[str]:
    return wrong_with_kubernetes(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": spec}
    )


def wrong_with_kubernetes(thing: Any) -> list[str]:
    """What Kubernetes's own published schema does not have."""
    import kubernetes_validate

    try:
        kubernetes_validate.validate(thing, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{'.'.join(map(str, error.path))}: {error.message}"]
    return []
