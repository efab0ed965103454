"""The job API of a Ray cluster: jobs submitted, asked for, stopped, and what they say.

RAY_API_SERVER_ADDRESS names the cluster, RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH what it lets in, as for Ray's own
programs; its REST API is all that is needed, and Ray need not be installed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

from dreg.adapters.extras import needed
from dreg.errors import BadRequest, Outside

ADDRESS, TOKEN, TOKEN_FILE = "RAY_API_SERVER_ADDRESS", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
CONNECT_SECONDS, READ_SECONDS = 5.0, 60.0
TRIES, BUSY = 4, 7  # of who does not answer; of who says that it will, half a minute
GIVE = f"--address or {ADDRESS} takes http://HOST:8265"


class Absent(BadRequest):
    """The cluster knows no job of that name."""


class RayJobs:
    """Raises BadRequest for no address, Outside for what the API does not do."""

    def __init__(self, address: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        requests = needed("requests", "k8s")
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise BadRequest(f"`{address}` is no address of a Ray cluster's job API", hint=GIVE)
        self.address = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self.session = requests.Session()
        self.session.trust_env = False  # no ~/.netrc instead of the token
        if token := _token():
            self.session.headers["Authorization"] = f"Bearer {token}"
        self.sleep = sleep

    def submit(
        self,
        name: str,
        entrypoint: str,
        environment: Mapping[str, str],
        metadata: Mapping[str, str],
    ) -> bool:
        """Whether it is submitted now, and was not before; `entrypoint` is a shell's text to Ray."""
        body = {
            "entrypoint": entrypoint,
            "submission_id": name,
            "runtime_env": {"env_vars": dict(environment)},
            "metadata": dict(metadata),
        }
        answer = self._ask("POST", "/api/jobs/", body)
        if _done(answer):
            return True
        if "already exists" in answer.text:
            return False
        raise self._refused(answer)

    def get(self, name: str) -> dict[str, Any]:
        """The job as the cluster knows it. Raises Absent."""
        found = self._read(f"/api/jobs/{quote(name)}", name)
        return found if isinstance(found, dict) else {}

    def log(self, name: str) -> str:
        """All that the job has said so far. Raises Absent."""
        return str(self._read(f"/api/jobs/{quote(name)}/logs", name).get("logs") or "")

    def stop(self, name: str) -> None:
        """End the job; nothing if it has ended. Raises Absent."""
        answer = self._ask("POST", f"/api/jobs/{quote(name)}/stop")
        if answer.status_code == 404:
            raise self._absent(name)
        if not _done(answer):
            raise self._refused(answer)

    def _read(self, path: str, name: str) -> Any:
        answer = self._ask("GET", path)
        if answer.status_code == 404:
            raise self._absent(name)
        if not _done(answer):
            raise self._refused(answer)
        try:
            return answer.json()
        except ValueError as error:
            raise self._odd("its answer is no JSON") from error

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        """Asked again where there is no answer: a job of the same name is not started twice."""
        import requests

        for again in range(BUSY):
            try:
                answer = self.session.request(
                    method, f"{self.address}{path}", json=body, allow_redirects=False,
                    timeout=(CONNECT_SECONDS, READ_SECONDS),
                )  # fmt: skip
            except requests.RequestException as error:
                if again >= TRIES - 1:
                    late = isinstance(error, requests.Timeout)
                    raise Outside(
                        f"the Ray cluster at {self.address} cannot be asked: "
                        + ("no answer in time" if late else "no connection"),
                        hint="see that it runs, with its dashboard, and is reached from here",
                    ) from error
            else:
                if not _busy(answer) or again == BUSY - 1:
                    return answer
            self.sleep(0.5 * 2.0**again)
        raise self._odd("nothing")

    def _refused(self, answer: Any) -> Outside:
        if answer.status_code in (401, 403):
            lacks = "Authorization" not in self.session.headers
            return Outside(
                f"the Ray cluster at {self.address} "
                + ("wants a token" if lacks else "does not accept the token"),
                hint=f"{TOKEN} or {TOKEN_FILE} has the cluster's",
            )
        lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
        return self._odd(f"{answer.status_code} {lines[-1][:200] if lines else ''}".strip())

    def _odd(self, what: str) -> Outside:
        return Outside(
            f"the Ray cluster at {self.address} answers oddly: {what}", hint="see its dashboard"
        )

    def _absent(self, name: str) -> Absent:
        return Absent(
            f"the Ray cluster at {self.address} knows no `ray/{name}`",
            hint="ids are as `dreg submit` told them; a cluster that was started anew has forgotten them",
        )


def _done(answer: Any) -> bool:
    """Not where it leads elsewhere: the token is for this address."""
    return 200 <= int(answer.status_code) < 300


def _busy(answer: Any) -> bool:
    """As a cluster is that has just been started: its agents come later than its API."""
    code = int(answer.status_code)
    return code in (502, 503, 504) or (code == 500 and "try again later" in answer.text)


def address_of(given: str | None) -> str | None:
    """The address that was given, or that the environment names."""
    return given or os.environ.get(ADDRESS) or None


def _token() -> str | None:
    if token := os.environ.get(TOKEN):
        return token.strip()
    if path := os.environ.get(TOKEN_FILE):
        try:
            return Path(path).expanduser().read_text(encoding="utf-8").strip()
        except OSError as error:
            raise BadRequest(
                f"{TOKEN_FILE} names `{path}`, which cannot be read: {error.strerror}",
                hint=f"{TOKEN} may have the token itself",
            ) from error
    return None
