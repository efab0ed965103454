"""One namespace of a cluster, as the kubeconfig or a pod's own account reaches it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import pairwise
from typing import Any

from dreg.adapters.extras import needed
from dreg.adapters.kubernetes.credentials import bearer
from dreg.adapters.kubernetes.failures import INSTALL, Absent, At, Passing, odd, told
from dreg.adapters.kubernetes.kubeconfig import access
from dreg.core.submission import Kind
from dreg.errors import BadRequest, Outside

TYPES = {
    Kind.WORKFLOW: ("argoproj.io", "v1alpha1", "Workflow", "workflows"),
    Kind.RAYJOB: ("ray.io", "v1", "RayJob", "rayjobs"),
}
SECONDS = 30.0  # without an answer
WATCHED = 240  # seconds after which the server ends a watch, and another one begins
TRIES = 4
EXTRA = "k8s"


class Cluster:
    """Raises BadRequest where there is no kubeconfig, Outside for what the API does not do."""

    def __init__(
        self,
        namespace: str | None = None,
        context: str | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        lightkube = needed("lightkube", EXTRA)
        from lightkube.generic_resource import create_namespaced_resource

        found = access(context)
        try:
            self.client: Any = lightkube.Client(
                config=found.config, namespace=namespace, timeout=SECONDS, proxy=found.proxy
            )
        except (OSError, ValueError) as error:  # a certificate that is none, or without its key
            raise BadRequest(
                f"the credentials of the context `{found.config.context_name}` cannot be used: "
                + str(error).partition("\n")[0],
                hint="log in to the cluster again, or --context chooses another one",
            ) from error
        if found.log_in:
            # lightkube's own way knows one version of these programs, and not how they fail.
            self.client._client._client.auth = bearer(found.log_in)
        self.server = str(found.config.cluster.server)
        self.namespace = str(self.client.namespace)
        self.at = At(self.server, self.namespace)
        self.types: dict[Kind, Any] = {
            kind: create_namespaced_resource(*names) for kind, names in TYPES.items()
        }
        self.sleep = sleep

    def create(self, kind: Kind, manifest: Mapping[str, Any]) -> dict[str, Any]:
        """Make the object. Raises Exists where there is one of that name."""
        made = self.types[kind](manifest)
        what = f"make {kind}/{manifest['metadata']['name']}"
        try:
            # Asked again it is found to be there, so a lost answer makes no second one.
            return dict(self._patiently(what, lambda: self.client.create(made)))
        except Absent as error:
            plural = TYPES[kind][3]
            raise Outside(
                f"the cluster at {self.server} knows no {plural}",
                hint=INSTALL[plural].format(namespace=self.namespace),
            ) from error

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        """The object as it is now. Raises Absent."""
        what = f"show {kind}/{name}"
        return dict(self._patiently(what, lambda: self.client.get(self.types[kind], name)))

    def changes(self, kind: Kind, name: str, version: str) -> Iterator[dict[str, Any] | None]:
        """The object after each change since that version, None when it is gone, until the server ends the watch.

        Raises Outside when the watch breaks off.
        """
        fields = {"metadata.name": name}
        with told(self.at, f"watch {kind}/{name}"):
            for change, object_ in self.client.watch(
                self.types[kind], fields=fields, resource_version=version, server_timeout=WATCHED
            ):
                yield None if change == "DELETED" else dict(object_)

    def stop(self, kind: Kind, name: str) -> None:
        """End a Workflow, of which the record stays, or delete a RayJob, with its cluster. Raises Absent."""
        what = f"end {kind}/{name}"
        if kind is Kind.WORKFLOW:
            ended = {"spec": {"shutdown": "Terminate"}}
            from lightkube.types import PatchType

            self._patiently(
                what,
                lambda: self.client.patch(
                    self.types[kind], name, ended, patch_type=PatchType.MERGE
                ),
            )
            return
        from lightkube.types import CascadeType

        self._patiently(
            what,
            lambda: self.client.delete(self.types[kind], name, cascade=CascadeType.BACKGROUND),
        )

    def labelled(self, kind: Kind, labels: Mapping[str, str]) -> list[dict[str, Any]]:
        """The objects with these labels; none where the cluster does not know that kind."""
        said = ",".join(f"{key}={value}" for key, value in labels.items())
        found: list[dict[str, Any]] = []
        with suppress(Absent):
            found = self._patiently(
                f"list {TYPES[kind][3]} with {said}",
                lambda: [dict(one) for one in self.client.list(self.types[kind], labels=labels)],
            )
        return found

    def setting(self, config_map: str, key: str) -> str | None:
        """What the ConfigMap says, None if it does not. Raises Absent where there is none."""
        from lightkube.resources.core_v1 import ConfigMap

        found = self._patiently(
            f"read the ConfigMap {config_map}", lambda: self.client.get(ConfigMap, config_map)
        )
        value = (found.data or {}).get(key)
        return None if value is None else str(value)

    def pods(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The pods with these labels, oldest first, each with its phase; without those that wait for an object of
        the cluster, which say what it is like again and again."""
        from lightkube.resources.core_v1 import Pod

        found = self._patiently(
            "list pods", lambda: list(self.client.list(Pod, labels=dict(labels)))
        )
        found.sort(key=lambda pod: str(pod.metadata.creationTimestamp or ""))
        return {
            str(pod.metadata.name): str((pod.status and pod.status.phase) or "")
            for pod in found
            if not _waits(pod)
        }

    def log(self, pod: str, container: str | None, *, follow: bool) -> Iterator[str]:
        """The lines that a pod's container has said; with `follow`, until it ends."""
        with told(self.at, f"read the log of {pod}"):
            lines = self.client.log(pod, container=container, follow=follow, newlines=False)
            yield from lines

    def _patiently(self, what: str, ask: Callable[[], Any]) -> Any:
        """The answer; of a server that fails, what it says a few times later."""
        for again in range(TRIES):
            try:
                with told(self.at, what):
                    return ask()
            except Passing:
                if again == TRIES - 1:
                    raise
            self.sleep(0.5 * 2.0**again)
        raise odd(self.at, "nothing")


def _waits(pod: Any) -> bool:
    """Whether it is one of Argo's `resource` templates."""
    words = [
        word
        for container in (pod.spec and pod.spec.containers) or ()
        for word in (*(container.command or ()), *(container.args or ()))
    ]
    return ("argoexec", "resource") in pairwise(words)
