"""Handing the run of datasets to Argo or Ray, and looking after what was handed over."""

from __future__ import annotations

import os
import secrets
import shlex
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from dreg.adapters.ending import AskedToEnd, asked_to_end
from dreg.adapters.kubernetes import Cluster
from dreg.adapters.ray_jobs import ADDRESS, RayJobs, address_of
from dreg.adapters.step_files import tell_summary
from dreg.core.ci.automation import Automation
from dreg.core.ci.cluster import PIPELINE
from dreg.core.ci.compute import compute_type
from dreg.core.submission import Asked, Kind, Progress, Submission
from dreg.core.submission.identity import checked, name_for
from dreg.core.version import check_name
from dreg.errors import BadRequest, DregError, Interrupted, Refused, Terminated
from dreg.output import harmless, out
from dreg.registry import Registry
from dreg.submit.answer import Log, Submitted, judged, submitted
from dreg.submit.in_kubernetes import Deleted, InKubernetes
from dreg.submit.on_ray import OnRay
from dreg.submit.pods import Gone

COMMAND = "run"  # `dreg submit run`: all of them


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

    def options(self, kind: Kind) -> str:
        """For a command in a hint: what was given, and that kind of submission needs."""
        by_kubernetes = {"--namespace": self.namespace, "--context": self.context}
        given = {"--address": self.address} if kind is Kind.RAY else by_kubernetes
        return "".join(f" {key} {shlex.quote(value)}" for key, value in given.items() if value)


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
    wait: bool = False,
    follow: bool = False,
) -> Submitted:
    """Hand it over; with `wait`, until it is over; with `follow`, telling meanwhile what it says.

    What was submitted by that name and asked the same is that submission. Raises Refused if it asked something else,
    BadRequest, Outside; and with `wait`, or where that one is over, what the run ended with.
    """
    kind = _kind(to, place)
    _check(asked, kind)
    if kind is Kind.WORKFLOW:
        asked = replace(asked, template=asked.template or PIPELINE)
    submission = Submission(kind, checked(name) if name else _name(asked))
    backend = _backend(kind, place)
    options = place.options(kind)
    left = Left(submission, options)
    try:
        with asked_to_end(lambda by: out.error(left.behind(by))):
            answer, over = _handed_over(backend, submission, asked, left, wait=wait, follow=follow)
    except AskedToEnd as ended:
        raise left.behind(ended.number) from None
    if wait or follow:
        tell_summary(harmless(line) for line in answer.markdown())
    # Who asks again for what has failed must not take it for a new try.
    return judged(answer, options) if wait or follow or (answer.existed and over) else answer


@dataclass
class Left:
    """What somebody leaves behind who is asked to end: a submission that is there, or of which nobody knows."""

    submission: Submission
    options: str
    there: bool = False

    def behind(self, by: signal.Signals) -> DregError:
        """The error for having been ended by this signal."""
        kind = Interrupted if by is signal.SIGINT else Terminated
        look = f"dreg submit status {self.submission}{self.options}"
        if not self.there:
            fact = f"{by.name} came before it was known whether `{self.submission}` is submitted"
            return kind(fact, hint=look)
        return kind(
            f"{by.name} ended the waiting for `{self.submission}`, which goes on",
            hint=f"{look}; to end it: dreg submit cancel {self.submission}{self.options}",
        )


def _handed_over(
    backend: Backend, submission: Submission, asked: Asked, left: Left, *, wait: bool, follow: bool
) -> tuple[Submitted, bool]:
    """How it goes, and whether it is over. Raises Refused if one of that name was asked something else."""
    there = backend.submit(submission, asked)
    if there not in (None, asked.digest):
        raise Refused(
            f"`{submission}` is there, and was asked for something else",
            hint="take another --id",
        )
    left.there = True
    existed = there is not None
    out.note(f"{submission} {'is there already' if existed else 'is submitted'}: {backend.where}")
    if not wait and not follow:
        progress = backend.progress(submission)
        return submitted(submission, backend.where, progress, existed=existed), progress.over
    try:
        if follow:
            _follow(backend, submission)
        return _waited(backend, submission, existed=existed, told=not follow), True
    except Deleted:
        raise
    except DregError:
        look = f"dreg submit status {submission}{left.options}"
        out.note(f"nobody waits for {submission} any more, and it goes on: {look}")
        raise


def _follow(backend: Backend, submission: Submission) -> None:
    try:
        for line in backend.log(submission, follow=True):
            out.note(line)
    except Gone as error:  # it was over before anybody looked
        out.note(error.fact)


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


def _check(asked: Asked, kind: Kind) -> None:
    """Raises BadRequest for a compute type or a dataset that there cannot be, and for what is not for that kind."""
    _check_options(asked, kind)
    compute_type(asked.compute_type)
    for name in asked.datasets:
        check_name(name)
    if asked.repo:
        return
    try:
        registry = Registry.here()
    except BadRequest:
        return
    if asked.datasets:
        registry.datasets(list(asked.datasets))
    elif COMMAND in registry.names:
        raise BadRequest(
            f"`{COMMAND}` is a dataset here, and also how all of them are submitted",
            hint=f"that one: dreg submit {COMMAND} {COMMAND} ...; all: name them",
        )


def _check_options(asked: Asked, kind: Kind) -> None:
    if asked.template and kind is not Kind.WORKFLOW:
        raise BadRequest("--template is for Argo", hint="leave it out, or take --to argo")
    if asked.image and kind is not Kind.RAYJOB:
        raise BadRequest(
            "--image is for a RayJob",
            hint="leave it out: pods of Argo run in the ConfigMap's `image`, a Ray cluster in its own",
        )
    if asked.repo and kind is not Kind.RAY:
        raise BadRequest(
            "--repo is for a Ray cluster's own API; in Kubernetes the ConfigMap `dreg` says which registry",
            hint=f"leave it out, or name the cluster: --address, or {ADDRESS}",
        )


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


def _backend(kind: Kind, place: Place) -> Backend:
    if kind is not Kind.RAY:
        return InKubernetes(Cluster(place.namespace, place.context), place.options(kind))
    address = address_of(place.address)
    if address is None:
        raise BadRequest(
            "which Ray cluster is not said", hint=f"--address, or {ADDRESS}: http://HOST:8265"
        )
    return OnRay(RayJobs(address), place.options(kind))
