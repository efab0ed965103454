"""What the Kubernetes API refuses, and how it fails, as a user is told it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from dreg.errors import BadRequest, DregError, Outside


class Absent(BadRequest):
    """There is no object of that name."""


class Exists(BadRequest):
    """There is an object of that name already."""


class NoNamespace(BadRequest):
    """There is nothing at all where it was looked for."""


class Passing(Outside):
    """It may be well a moment later."""


NO_NAMESPACE = re.compile(r'^namespaces ".*" not found')


@dataclass(frozen=True)
class At:
    """Who is asked, and of which namespace."""

    server: str
    namespace: str


INSTALL = {
    "workflows": "install Argo Workflows, then: kubectl apply -n {namespace} -k deploy/argo",
    "rayjobs": "install KubeRay's operator",
}
IDS = "ids are as `dreg submit` told them; --namespace names another namespace"
ROLE = "its account needs what the role `dreg-submit` in deploy/argo/access.yaml allows there; --namespace names another one"


@contextmanager
def told(at: At, what: str) -> Iterator[None]:
    """Raises Absent, Exists, BadRequest, Passing or Outside for what goes wrong while `what` is done, such as
    `make workflow/x`; of what the API says, its own sentence.
    """
    import httpx2
    from lightkube.core.exceptions import ApiError, ConfigError, LoadResourceError

    try:
        yield
    except ApiError as error:
        raise of_status(at, what, error.status) from error
    except httpx2.HTTPStatusError as error:
        raise _of_code(at, what, error.response.status_code, "") from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        late = isinstance(error, httpx2.TimeoutException)
        why = "no answer in time" if late else str(error).partition("\n")[0] or "no connection"
        raise Passing(
            f"the Kubernetes API at {at.server} cannot be asked: {why}",
            hint="see that the cluster runs and is reached from here: kubectl cluster-info",
        ) from error
    except (ConfigError, OSError) as error:  # the file with a token, which is read again and again
        why = str(error).partition("\n")[0]
        raise Outside(
            f"the credentials for the Kubernetes API at {at.server} cannot be read any more: {why}",
            hint="log in to the cluster again",
        ) from error
    except (LoadResourceError, ValueError, KeyError, TypeError) as error:
        raise odd(at, f"what it sent cannot be read ({type(error).__name__})") from error


def of_status(at: At, what: str, status: Any) -> DregError:
    """The error that a Status of the API's means."""
    said = str(getattr(status, "message", "") or "")
    return _of_code(at, what, int(getattr(status, "code", 0) or 0), said)


def _of_code(at: At, what: str, code: int, said: str) -> DregError:
    sentence = said.rstrip(".")
    if code == 401:
        return Outside(
            f"the Kubernetes API at {at.server} does not accept the credentials",
            hint="renew them: log in to the cluster again; then `kubectl auth whoami` tells whose they are",
        )
    if code == 403:
        return Outside(
            f"the Kubernetes API at {at.server} does not let this account {what} in the namespace `{at.namespace}`",
            hint=ROLE,
            details=[sentence] if sentence else [],
        )
    if code == 404 and NO_NAMESPACE.search(said):
        return NoNamespace(
            f"the cluster at {at.server} has no namespace `{at.namespace}`",
            hint=f"--namespace names another one; or make it: kubectl create namespace {at.namespace}",
        )
    if code == 404:
        return Absent(
            f"the cluster cannot {what}: there is no such thing in the namespace `{at.namespace}`",
            hint=IDS,
        )
    if code == 409:
        return Exists(f"the cluster cannot {what}: it is there already", hint="take another --id")
    if code in (400, 422):
        return BadRequest(
            f"the cluster does not take it to {what}",
            hint="bring what is installed there up to date: "
            f"kubectl apply -n {at.namespace} -k deploy/argo",
            details=[sentence] if sentence else [],
        )
    return odd(at, f"{code} {sentence}".strip())


def odd(at: At, what: str) -> Passing:
    """What the API should not say."""
    return Passing(
        f"the Kubernetes API at {at.server} answers oddly: {what}", hint="try again later"
    )
