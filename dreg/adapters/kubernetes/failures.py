"""What the Kubernetes API refuses, and how it fails, as a user is told it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dreg.errors import BadRequest, DregError, Outside


class Absent(BadRequest):
    """There is no object of that name."""


class Exists(BadRequest):
    """There is an object of that name already."""


class Passing(Outside):
    """It may be well a moment later."""


INSTALL = {
    "workflows": "install Argo Workflows, then: kubectl apply -k deploy/argo",
    "rayjobs": "install KubeRay's operator",
}
IDS = "ids are as `dreg submit` told them; --namespace names another namespace"
ROLE = "its account needs what the role `dreg-submit` in deploy/argo/access.yaml allows"


@contextmanager
def told(server: str, what: str) -> Iterator[None]:
    """Raises Absent, Exists, BadRequest, Passing or Outside for what goes wrong while `what` is done, such as
    `make workflow/x`; of what the API says, its own sentence.
    """
    import httpx2
    from lightkube.core.exceptions import ApiError, LoadResourceError

    try:
        yield
    except ApiError as error:
        raise of_status(server, what, error.status) from error
    except httpx2.HTTPStatusError as error:
        raise _of_code(server, what, error.response.status_code, "") from error
    except (httpx2.HTTPError, httpx2.StreamError) as error:
        late = isinstance(error, httpx2.TimeoutException)
        why = "no answer in time" if late else str(error).partition("\n")[0] or "no connection"
        raise Passing(
            f"the Kubernetes API at {server} cannot be asked: {why}",
            hint="see that the cluster runs and is reached from here: kubectl cluster-info",
        ) from error
    except (LoadResourceError, ValueError, KeyError, TypeError) as error:
        raise odd(server, f"what it sent cannot be read ({type(error).__name__})") from error


def of_status(server: str, what: str, status: Any) -> DregError:
    """The error that a Status of the API's means."""
    said = str(getattr(status, "message", "") or "")
    return _of_code(server, what, int(getattr(status, "code", 0) or 0), said)


def _of_code(server: str, what: str, code: int, said: str) -> DregError:
    sentence = said.rstrip(".")
    if code == 401:
        return Outside(
            f"the Kubernetes API at {server} does not accept the credentials",
            hint="renew them: kubectl auth whoami tells whose they are",
        )
    if code == 403:
        return Outside(
            f"the Kubernetes API at {server} does not let this account {what}",
            hint=ROLE,
            details=[sentence] if sentence else [],
        )
    if code == 404:
        return Absent(f"the cluster cannot {what}: there is no such thing", hint=IDS)
    if code == 409:
        return Exists(f"the cluster cannot {what}: it is there already", hint="take another --id")
    if code in (400, 422):
        return BadRequest(
            f"the cluster does not take it to {what}",
            hint="bring what is installed there up to date: kubectl apply -k deploy/argo",
            details=[sentence] if sentence else [],
        )
    return odd(server, f"{code} {sentence}".strip())


def odd(server: str, what: str) -> Passing:
    """What the API should not say."""
    return Passing(f"the Kubernetes API at {server} answers oddly: {what}", hint="try again later")
