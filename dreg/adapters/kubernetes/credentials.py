"""A kubeconfig's program that logs in: the token that it gives, asked for anew when that is not accepted any more."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from dreg.errors import Outside

SAID = 3  # lines of what it said at last


@dataclass
class LogIn:
    """Its words, what is added to its environment, and the version of the API that it speaks."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    version: str
    _token: str | None = None
    _alone: Lock = field(default_factory=Lock)

    def token(self, *, other_than: str | None = None) -> str:
        """A token; `other_than` was not accepted. Raises Outside for a program that gives none."""
        with self._alone:  # several logs are read at the same time
            if self._token is None or self._token == other_than:
                self._token = self._asked()
            return self._token

    def _asked(self) -> str:
        # It may ask for a password, or say where to log in: to who sits there.
        seen = sys.stderr.isatty()
        wanted = {
            "kind": "ExecCredential",
            "apiVersion": self.version,
            "spec": {"interactive": seen},
        }
        try:
            done = subprocess.run(
                self.command,
                env={**os.environ, **self.environment, "KUBERNETES_EXEC_INFO": json.dumps(wanted)},
                stdin=None if seen else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=None if seen else subprocess.PIPE,
                check=False,
            )
        except OSError as error:
            raise self._failed(f"cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            said = (done.stderr or b"").decode(errors="replace").splitlines()
            raise self._failed(
                f"ended with exit code {done.returncode}",
                [line.strip() for line in said if line.strip()][-SAID:],
            )
        try:
            token = json.loads(done.stdout)["status"]["token"]
        except (ValueError, KeyError, TypeError):
            token = None
        if not token or not isinstance(token, str):
            raise self._failed("gave no token")
        return token

    def _failed(self, what: str, said: list[str] | None = None) -> Outside:
        return Outside(
            f"the program that logs in to the cluster {what}: `{self.command[0]}`",
            hint=f"log in again, until this gives a token: {shlex.join(self.command)}",
            details=said or [],
        )


def bearer(log_in: LogIn) -> Any:
    """How requests show its token; of an answer that does not accept it, once more with a new one."""
    import httpx2

    class Bearer(httpx2.Auth):
        def sync_auth_flow(self, request: Any) -> Any:
            token = log_in.token()
            request.headers["Authorization"] = f"Bearer {token}"
            response = yield request
            if response.status_code == 401:
                token = log_in.token(other_than=token)
                request.headers["Authorization"] = f"Bearer {token}"
                yield request

    return Bearer()
