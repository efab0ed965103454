"""Handing the run of datasets to Argo or Ray, and looking after what was handed over."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from dreg.adapters.kubernetes import Cluster
from dreg.adapters.ray_jobs import ADDRESS, RayJobs, address_of
from dreg.adapters.step_files import tell_summary
from dreg.core.ci.automation import Automation
from dreg.core.ci.cluster import PIPELINE
from dreg.core.ci.compute import compute_type
from dreg.core.submission import Asked, Kind, Progress, Submission
from dreg.core.submission.identity import checked, name_for
from dreg.core.version import check_name
from dreg.errors import BadRequest, DregError, Refused
from dreg.output import harmless, out
from dreg.registry import Registry
from dreg.submit.answer import Log, Submitted, judged, submitted
from dreg.submit.in_kubernetes import InKubernetes
from dreg.submit.on_ray import OnRay


class To(StrEnum):
    """Who runs it."""

    argo = "argo"
    ray = "ray"


@dataclass(frozen=True)
class Place:
    """Which cluster: a namespace and a context of the kubeconfig, or the address of a Ray cluster's job API."""

    namespace: str | None = None
    context: str | None = None
    address: str | None = None


class Backend(Protocol):
    """Who keeps submissions."""

    where: str

    def submit(self, submission: Submission, asked: Asked) -> str | None: ...
    def progress(self, submission: Submission) -> Progress: ...
    def changes(self, submission: Submission) -> Iterator[Progress]: ...
    def cancel(self, submission: Submission) -> Progress: ...
    def log(self, submission: Submission, *, follow: bool) -> Iterator[str]: ...


def submit(
    asked: Asked,
    to: To,
    place: Place,
    *,
    name: str | None = None,
    template: str = PIPELINE,
    image: str | None = None,
    repo: str | None = None,
    wait: bool = False,
    follow: bool = False,
) -> Submitted:
    """Hand it over; with `wait`, until it is over; with `follow`, telling meanwhile what it says.

    What was submitted by that name and asked the same is that submission. Raises Refused if it asked something else,
    BadRequest, Outside; and with `wait` what the run ended with.
    """
    _check(asked, repo)
    kind = _kind(to, place)
    if repo and kind is not Kind.RAY:
        raise BadRequest(
            "--repo is for a Ray cluster's own API; in Kubernetes the ConfigMap `dreg` says which registry",
            hint=f"leave it out, or name the cluster: --address, or {ADDRESS}",
        )
    submission = Submission(kind, checked(name) if name else _name(asked))
    backend = _backend(kind, place, template=template, image=image, repo=repo)
    there = backend.submit(submission, asked)
    if there not in (None, asked.digest):
        raise Refused(
            f"`{submission}` is there, and was asked for something else",
            hint="take another --id",
        )
    out.note(f"{submission} {'is there already' if there else 'is submitted'}: {backend.where}")
    existed = there is not None
    if not wait and not follow:
        return submitted(submission, backend.where, backend.progress(submission), existed=existed)
    try:
        if follow:
            for line in backend.log(submission, follow=True):
                out.note(line)
        answer = _waited(backend, submission, existed=existed, told=not follow)
    except (DregError, KeyboardInterrupt):
        out.note(
            f"nobody waits for {submission} any more, and it goes on: dreg submit status {submission}"
        )
        raise
    tell_summary(harmless(line) for line in answer.markdown())
    return judged(answer)


def status(text: str, place: Place) -> Submitted:
    """How a submission is going."""
    submission, backend = _found(text, place)
    return submitted(submission, backend.where, backend.progress(submission))


def cancel(text: str, place: Place) -> Submitted:
    """End a submission; one that is over stays as it is."""
    submission, backend = _found(text, place)
    return submitted(submission, backend.where, backend.cancel(submission))


def logs(text: str, place: Place, *, follow: bool) -> Log:
    """What a submission has said; with `follow` it is also told while it comes, and then not answered again."""
    submission, backend = _found(text, place)
    backend.progress(submission)  # raises for what is not there
    lines = []
    for line in backend.log(submission, follow=follow):
        lines.append(line)
        if follow:
            out.line(line)
    return Log(str(submission), tuple(lines))


def _waited(backend: Backend, submission: Submission, *, existed: bool, told: bool) -> Submitted:
    before = None
    progress = None
    for progress in backend.changes(submission):
        if told and (progress.state, progress.message) != before:
            before = (progress.state, progress.message)
            said = f" ({progress.message})" if progress.message else ""
            out.note(f"{submission} {progress.state}{said}")
    assert progress is not None, "it is looked at once at least"
    return submitted(submission, backend.where, progress, existed=existed)


def _check(asked: Asked, repo: str | None) -> None:
    """Raises BadRequest for a compute type or a dataset that there cannot be."""
    compute_type(asked.compute_type)
    for name in asked.datasets:
        check_name(name)
    if asked.datasets and not repo:
        try:
            registry = Registry.here()
        except BadRequest:
            return
        registry.datasets(list(asked.datasets))


def _kind(to: To, place: Place) -> Kind:
    if to is To.argo:
        return Kind.WORKFLOW
    return Kind.RAY if address_of(place.address) else Kind.RAYJOB


def _name(asked: Asked) -> str:
    """The same for a step of an automated run that is run again, else another each time."""
    automation = Automation.of(os.environ)
    what = automation.run if automation and automation.run else secrets.token_hex(8)
    return name_for(asked.datasets, what, asked.digest)


def _found(text: str, place: Place) -> tuple[Submission, Backend]:
    submission = Submission.parse(text)
    return submission, _backend(submission.kind, place)


def _backend(
    kind: Kind,
    place: Place,
    *,
    template: str = PIPELINE,
    image: str | None = None,
    repo: str | None = None,
) -> Backend:
    if kind is not Kind.RAY:
        return InKubernetes(Cluster(place.namespace, place.context), template=template, image=image)
    address = address_of(place.address)
    if address is None:
        raise BadRequest(
            "which Ray cluster is not said", hint=f"--address, or {ADDRESS}: http://HOST:8265"
        )
    return OnRay(RayJobs(address), repo)
