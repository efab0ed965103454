"""S3 and http(s) through obstore, with credentials by the standard AWS chain only.

Keys in the environment are used as they are; only without them is botocore (profiles, web
identity, containers, instances) imported. No key ever enters a message.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import HTTPStore, S3Store

from dreg.adapters.objects import CHUNK, Page, missing
from dreg.core.remotes import Remote
from dreg.core.stored import Stored
from dreg.errors import BadRequest, DregError, Outside

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import ClientConfig, RetryConfig, S3Credential

SMALL = 8 * 1024 * 1024
PAGE = 1000
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
CLIENT: ClientConfig = {
    "connect_timeout": timedelta(seconds=3),
    "read_timeout": timedelta(seconds=60),
    "timeout": timedelta(days=1),
}
# botocore renews at least ten minutes before a key ends, so for half of that it is good.
RENEW = timedelta(minutes=5)


def open_bucket(remote: Remote) -> Bucket:
    """The bucket or web folder at `remote`. Raises Outside when no credentials are to be found."""
    if remote.scheme in ("http", "https"):
        client: ClientConfig = {**CLIENT, "allow_http": remote.scheme == "http"}
        store = HTTPStore(remote.url, client_options=client, retry_config=RETRY)
        return Bucket(store, f"the remote `{remote.name}` at {_public(remote.url)}", "", "none")
    parts = urlsplit(remote.url)
    if not parts.netloc:
        raise BadRequest(
            f"the remote `{remote.name}` names no bucket: {remote.url}",
            hint=f"dvc remote modify {remote.name} url s3://BUCKET",
        )
    endpoint = (
        os.environ.get("AWS_ENDPOINT_URL_S3")
        or os.environ.get("AWS_ENDPOINT_URL")
        or remote.endpoint
    )
    at = f" at {_public(endpoint)}" if endpoint else ""
    location = f"the remote `{remote.name}` (s3://{parts.netloc}{parts.path}){at}"
    options, identity = _credentials(remote, location)
    if endpoint:
        options["endpoint"] = endpoint
    store_s3 = S3Store(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        client_options={**CLIENT, "allow_http": endpoint.startswith("http://")},
        retry_config=RETRY,
        virtual_hosted_style_request=False,
        **options,
    )
    return Bucket(store_s3, location, parts.netloc, identity)


class Bucket:
    """Objects in one bucket, or below one URL. `identity` says in errors who was refused."""

    near = False

    def __init__(
        self, store: S3Store | HTTPStore, location: str, bucket: str, identity: str
    ) -> None:
        self.location = location
        self._store = store
        self._bucket = bucket
        self._identity = identity

    def stat(self, key: str) -> Stored | None:
        try:
            return self._stored(obstore.head(self._store, key))
        except FileNotFoundError:
            return None
        except BaseError as error:
            raise self._failure(error) from error

    def pages(self, prefix: str) -> Iterator[Page | None]:
        if isinstance(self._store, HTTPStore):
            yield None
            return
        try:
            for page in obstore.list(self._store, prefix, chunk_size=PAGE):
                yield [(one["path"], self._stored(one)) for one in page]
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        except BaseError as error:
            if isinstance(error, PermissionDeniedError):
                yield None  # who may read and write single objects need not be allowed to list
            else:
                raise self._failure(error) from error

    def _stored(self, meta: ObjectMeta) -> Stored:
        """Only S3 says what an ETag is; a web server's may be anything."""
        etag = "" if isinstance(self._store, HTTPStore) else meta["e_tag"] or ""
        return Stored(meta["size"], etag.strip('"'))

    def read(self, key: str) -> Iterator[bytes]:
        try:
            found = obstore.get(self._store, key)
            if found.meta["size"] <= SMALL:
                yield found.bytes().to_bytes()
            else:
                yield from found.stream(min_chunk_size=CHUNK)
        except FileNotFoundError as error:
            if "NoSuchBucket" in str(error):
                raise self._no_bucket() from error
            raise missing(key, self.location) from error
        except BaseError as error:
            raise self._failure(error) from error

    def write(self, key: str, chunks: Iterator[bytes], size: int) -> None:
        try:
            if size <= SMALL:
                obstore.put(self._store, key, b"".join(chunks), use_multipart=False)
            else:
                obstore.put(self._store, key, chunks, chunk_size=SMALL)
        except FileNotFoundError as error:
            raise self._no_bucket() from error
        except BaseError as error:
            raise self._failure(error) from error

    def delete(self, key: str) -> None:
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except BaseError as error:
            raise self._failure(error) from error

    def _no_bucket(self) -> DregError:
        return Outside(
            f"{self.location} has no bucket `{self._bucket}`",
            hint="check the bucket's name and the endpoint (AWS_ENDPOINT_URL), or create the bucket",
        )

    def _failure(self, error: BaseError) -> DregError:
        text = str(error)
        reason = _reason(text)
        refused = isinstance(error, PermissionDeniedError | UnauthenticatedError)
        if refused or re.search(r"status: 40[13]\b", text):
            return Outside(
                f"{self.location} refused access ({reason}) to {self._identity}",
                hint="check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose AWS_PROFILE",
            )
        if "NoSuchBucket" in text:
            return self._no_bucket()
        if "kind: Connect" in text or "kind: Timeout" in text:
            return Outside(
                f"{self.location} cannot be reached: {reason}",
                hint="check that it runs and that the endpoint is right for here (AWS_ENDPOINT_URL)",
            )
        return Outside(
            f"{self.location} failed: {reason}",
            hint="run the command again; what is done already is kept",
        )


def _credentials(remote: Remote, location: str) -> tuple[dict[str, Any], str]:
    """Options for S3Store, and whose credentials they are."""
    region = (
        remote.region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    )
    options: dict[str, Any] = {"region": region or "us-east-1"}
    if remote.anonymous:
        return {**options, "skip_signature": True}, "anonymous"
    key, secret = (os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"))
    if key and secret:
        keys = {"access_key_id": key, "secret_access_key": secret}
        if token := os.environ.get("AWS_SESSION_TOKEN"):
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


def _public(url: str) -> str:
    """`url` without a user and password in it."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
