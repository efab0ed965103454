"""A remote as a file system of fsspec, which pandas, Ray Data, polars and others read from.

For S3 it is obstore's, the client that fetches too, with the endpoint and the credentials that a
fetch would use. It can be sent to other processes: keys of the environment go with it, a profile is
looked up again where it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dreg.adapters.extras import needed
from dreg.adapters.objects.credentials import credentials
from dreg.adapters.objects.opening import CLIENT, RETRY, endpoint_of
from dreg.core.remotes import Remote

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem


def url_of(remote: Remote, key: str) -> str:
    """Where the object is: `s3://bucket/prefix/key`, an `http(s)` URL, or a `file` URL."""
    if remote.scheme:
        return f"{remote.url.rstrip('/')}/{key}"
    return (Path(remote.url).expanduser() / key).as_uri()


def filesystem(remote: Remote) -> AbstractFileSystem:
    """The file system that the remote's URLs are read from. Raises Outside without credentials."""
    fsspec = needed("fsspec", "fsspec")
    if not remote.scheme:
        return fsspec.filesystem("file")
    store: Any = needed("obstore.fsspec", "fsspec").FsspecStore
    client: dict[str, Any] = {**CLIENT, "allow_http": True}
    if remote.scheme != "s3":
        return store(remote.scheme, client_options=client, retry_config=RETRY)
    endpoint = endpoint_of(remote)
    options, _ = credentials(remote, f"the remote `{remote.name}`")
    if "credential_provider" in options:
        options["credential_provider"] = Chain(remote)
    if endpoint:
        options["endpoint"] = endpoint
        client["allow_http"] = endpoint.startswith("http://")
    return store(
        "s3",
        client_options=client,
        retry_config=RETRY,
        virtual_hosted_style_request=False,
        **options,
    )


@dataclass(frozen=True)
class Chain:
    """Credentials by the AWS chain of the process that asks."""

    remote: Remote

    def __call__(self) -> Any:
        options, _ = credentials(self.remote, urlsplit(self.remote.url).netloc)
        provide = options.get("credential_provider")
        if provide is not None:
            return provide()
        return {
            "access_key_id": options.get("access_key_id"),
            "secret_access_key": options.get("secret_access_key"),
            "token": options.get("session_token"),
            "expires_at": None,
        }
