"""Opening a bucket or a web folder through obstore."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from obstore.store import HTTPStore, S3Store

from dreg.adapters.objects.bucket import Bucket
from dreg.adapters.objects.credentials import credentials
from dreg.adapters.objects.failures import Failures
from dreg.core.remotes import Remote
from dreg.core.secrets import without_credentials
from dreg.errors import BadRequest

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# Nothing answers: said within seconds. A stalled transfer: noticed by the time between two reads,
# as a whole file may rightly take hours.
RETRY: RetryConfig = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=10),
    "backoff": {
        "init_backoff": timedelta(milliseconds=100),
        "max_backoff": timedelta(seconds=2),
        "base": 2,
    },
}
STALLED = 30.0  # seconds; DREG_TIMEOUT says otherwise
CLIENT: ClientConfig = {
    "connect_timeout": timedelta(seconds=3),
    "read_timeout": timedelta(seconds=STALLED),
    "timeout": timedelta(days=1),
}


def client_options() -> ClientConfig:
    """CLIENT, with the stall timeout that the environment sets. Raises BadRequest for no number."""
    given = os.environ.get("DREG_TIMEOUT") or STALLED
    try:
        seconds = timedelta(seconds=float(given))
    except (ValueError, OverflowError) as error:
        raise BadRequest(
            f"DREG_TIMEOUT is `{given}`", hint="it is a number of seconds, as in DREG_TIMEOUT=30"
        ) from error
    return {**CLIENT, "read_timeout": seconds}


def open_bucket(remote: Remote, environment: Mapping[str, str]) -> Bucket:
    """The bucket or web folder at `remote`. Raises Outside when no credentials are to be found."""
    if remote.scheme in ("http", "https"):
        client: ClientConfig = {**client_options(), "allow_http": remote.scheme == "http"}
        web = HTTPStore(remote.url, client_options=client, retry_config=RETRY)
        at = f"the remote `{remote.name}` at {without_credentials(remote.url)}"
        return Bucket(web, Failures(at, "", "none"))
    parts = urlsplit(remote.url)
    if not parts.netloc:
        raise BadRequest(
            f"the remote `{remote.name}` names no bucket: {remote.url}",
            hint=f"dvc remote modify {remote.name} url {remote.scheme}://BUCKET",
        )
    if remote.scheme in ("gs", "azure"):
        return _open_cloud(remote, environment)
    endpoint = endpoint_of(remote, environment)
    at = f" at {without_credentials(endpoint)}" if endpoint else ""
    location = f"the remote `{remote.name}` (s3://{parts.netloc}{parts.path}){at}"
    options, identity = credentials(remote, location, environment)
    if endpoint:
        options["endpoint"] = endpoint
    bucket = S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        client_options={**client_options(), "allow_http": endpoint.startswith("http://")},
        retry_config=RETRY,
        virtual_hosted_style_request=False,
        **options,
    )
    server = endpoint or "https://s3.amazonaws.com"
    return Bucket(bucket, Failures(location, parts.netloc, identity, server))


def _open_cloud(remote: Remote, environment: Mapping[str, str]) -> Bucket:
    from dreg.adapters.objects import clouds

    of_google = remote.scheme == "gs"
    opened = clouds.google if of_google else clouds.azure
    store, identity, server = opened(remote, client_options(), RETRY, environment)
    parts = urlsplit(remote.url)
    at = f" at {without_credentials(server)}" if server else ""
    location = f"the remote `{remote.name}` ({remote.scheme}://{parts.netloc}{parts.path}){at}"
    hint = clouds.GOOGLE_HINT if of_google else clouds.AZURE_HINT
    server = server or "https://storage.googleapis.com"
    return Bucket(store, Failures(location, parts.netloc, identity, server, hint))


def endpoint_of(remote: Remote, environment: Mapping[str, str] = os.environ) -> str:
    """The S3 server's URL: by the environment, else the registry's; empty for AWS itself."""
    given = environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    return given or remote.endpoint
