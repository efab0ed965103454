"""Why a bucket failed, in the user's terms."""

from __future__ import annotations

import re
from dataclasses import dataclass

from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError

from dreg.adapters.objects.place import Unsteady
from dreg.errors import DregError, Outside

SKEWED = "RequestTimeTooSkewed"
# Codes of a 403 that say that the server does not know who asks.
NOBODY = (SKEWED, "InvalidAccessKeyId", "SignatureDoesNotMatch", "AuthenticationFailed")


@dataclass(frozen=True)
class Failures:
    """What errors say of one bucket: where it is, and (`identity`) who was refused.

    `server` is a URL of it, whose clock is looked at when requests are refused.
    """

    location: str
    bucket: str
    identity: str
    server: str = ""
    keys: str = "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose AWS_PROFILE"

    def no_bucket(self) -> DregError:
        """The error for a bucket that is not there."""
        return Outside(
            f"{self.location} has no bucket `{self.bucket}`",
            hint="check the bucket's name and the endpoint (AWS_ENDPOINT_URL), or create the bucket",
        )

    def of(self, error: BaseError) -> DregError:
        """The error that says what obstore's means."""
        text = str(error)
        reason = _reason(text)
        if is_refused(error):
            return self._by_clock(text) or Outside(
                f"{self.location} refused access ({reason}) to {self.identity}",
                hint=self.keys,
            )
        if "token request" in text or "Error authorizing" in text:
            return Outside(f"no credentials for {self.location}: {reason}", hint=self.keys)
        if is_without_bucket(text):
            return self.no_bucket()
        if "response body error" in text:  # it began well: the connection broke, or stalled
            return Unsteady(
                f"{self.location} stopped sending: {reason}",
                hint="run the command again; what is done already is kept",
            )
        if "kind: Connect" in text or "ConnectError" in text:
            return Outside(
                f"{self.location} cannot be reached: {reason}",
                hint="check that it runs and that the endpoint is right for here (AWS_ENDPOINT_URL)",
            )
        return Unsteady(
            f"{self.location} failed: {reason}",
            hint="run the command again; what is done already is kept",
        )

    def _by_clock(self, text: str) -> DregError | None:
        """The error for a refusal that a wrong clock explains. HEAD is refused without a reason."""
        from dreg.adapters.clock import MOST_SKEW, ahead_of  # HTTP, which a good fetch does without

        code = re.search(r"<Code>(\w+)</Code>", text)
        if code is not None and code[1] != SKEWED:
            return None
        skew = ahead_of(self.server)
        if code is None and (skew is None or abs(skew) < MOST_SKEW):
            return None
        off = (
            f"{abs(skew):,.0f} s {'ahead' if skew > 0 else 'behind'}"
            if skew
            else "too far from its own"
        )
        return Outside(
            f"{self.location} refuses what is signed by a wrong clock: the one here is {off}"
            + (f" ({code[1]})" if code else ""),
            hint="set the clock, for example by NTP; dreg doctor says when it is right",
        )


def is_refused(error: BaseError) -> bool:
    """Whether the server knows who asks, or does not, and says no."""
    refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
    return refused or re.search(r"status: 40[13]\b", str(error)) is not None


def is_forbidden(error: BaseError) -> bool:
    """Whether the server knows who asks, and that one may not do this."""
    if isinstance(error, PermissionDeniedError):
        return True
    code = re.search(r"<Code>(\w+)</Code>", str(error))
    forbidden = "status code: 403" in str(error)
    return forbidden and (code is None or code[1] not in NOBODY)


def is_without_bucket(text: str) -> bool:
    """Whether the server said that there is no such bucket, or container."""
    return any(
        said in text for said in ("NoSuchBucket", "ContainerNotFound", "bucket does not exist")
    )


def _reason(text: str) -> str:
    """The cause in obstore's message: the server's own code, the system's words, or its first line."""
    code = re.search(r"<Code>(\w+)</Code>", text)
    status = re.search(r"non-2xx status code: (\d+ [A-Za-z ]+)", text)
    system = re.search(r'(?:message|error): "([^"]+)"', text)
    if code:
        return code.group(1)
    if status:
        return status.group(1).strip()
    if system:
        return system.group(1)
    if "TimedOut" in text or "kind: Timeout" in text:
        return "timed out"
    return text.partition("\n")[0].rpartition(" - ")[2] or "unknown"
