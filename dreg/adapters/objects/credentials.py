"""Who dreg is to S3: the standard AWS chain only, and no key ever enters a message.

Keys in the environment are used as they are; only without them is botocore (profiles, web
identity, containers, instances) imported.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from dreg.core.remotes import Remote
from dreg.errors import DregError, Outside

if TYPE_CHECKING:
    from obstore.store import S3Credential

# botocore renews at least ten minutes before a key ends, so for half of that it is good.
RENEW = timedelta(minutes=5)


# What decides where S3 is and who asks it, if it is set: goes along to other processes.
TRAVELS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
)


def credentials(
    remote: Remote, location: str, environment: Mapping[str, str] = os.environ
) -> tuple[dict[str, Any], str]:
    """Options for S3Store, and whose credentials they are."""
    region = (
        remote.region
        or environment.get("AWS_REGION")
        or environment.get("AWS_DEFAULT_REGION")
        or ""
    )
    options: dict[str, Any] = {"region": region or "us-east-1"}
    if remote.anonymous:
        return {**options, "skip_signature": True}, "anonymous"
    key, secret = (environment.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    if key and secret:
        keys = {"access_key_id": key, "secret_access_key": secret}
        if token := environment.get("AWS_SESSION_TOKEN"):
            keys["session_token"] = token
        return {**options, **keys}, "the keys in the environment (AWS_ACCESS_KEY_ID)"

    from botocore.exceptions import BotoCoreError
    from botocore.session import Session

    try:
        session = Session(profile=remote.profile or None)
        if remote.credentials:
            session.set_config_variable("credentials_file", remote.credentials)
        found = session.get_credentials()
        options["region"] = region or session.get_config_variable("region") or "us-east-1"
    except BotoCoreError as error:
        raise _no_credentials(location, str(error)) from error
    if found is None:
        raise _no_credentials(location, "the AWS credential chain has none")

    def provide() -> S3Credential:
        current = found.get_frozen_credentials()
        return {
            "access_key_id": current.access_key,
            "secret_access_key": current.secret_key,
            "token": current.token,
            "expires_at": datetime.now(UTC) + RENEW,
        }

    profile = remote.profile or os.environ.get("AWS_PROFILE")
    identity = f"profile `{profile}`" if profile else "the default profile"
    return {**options, "credential_provider": provide}, f"{identity} ({found.method})"


def _no_credentials(location: str, reason: str) -> DregError:
    return Outside(
        f"no credentials for {location}: {reason}",
        hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose a profile with AWS_PROFILE",
    )
