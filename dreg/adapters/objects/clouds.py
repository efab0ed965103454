"""Opening a bucket of Google's or a container of Azure's through obstore.

Credentials are those that DVC's configuration here or the environment names, else what the machine has:
gcloud's application default credentials or the metadata server; workload identity, the managed
identity or, where it is installed, the login of `az`.

Both are given tokens, which whoever gets one may use. So a server that is not the cloud's own is taken from
the environment only, or with the key that stands beside it: a registry could name any.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from obstore.store import AzureStore, GCSStore

from dreg.core.remotes import Remote
from dreg.errors import BadRequest

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig

# What goes along to other processes, if it is set; what of it is a path has to be there too.
TRAVELS = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "STORAGE_EMULATOR_HOST",
    "AZURE_STORAGE_CONNECTION_STRING",
    "AZURE_STORAGE_ACCOUNT",
    "AZURE_STORAGE_ENDPOINT",
    "AZURE_STORAGE_KEY",
    "AZURE_STORAGE_SAS_TOKEN",
    "AZURE_TENANT_ID",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
)
GOOGLE_HINT = (
    "log in with `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
)
AZURE_HINT = (
    "set AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, or use `az login`"
)


def google(
    remote: Remote, client: ClientConfig, retry: RetryConfig, environment: Mapping[str, str]
) -> tuple[GCSStore, str, str]:
    """The bucket, whose credentials are used, and the server if it is not Google's."""
    options: dict[str, Any] = {}
    key = remote.credentials or environment.get("GOOGLE_APPLICATION_CREDENTIALS", "")
    base = environment.get("STORAGE_EMULATOR_HOST", "")
    if base:  # as Google's own clients do: it asks for no credentials
        base = base if "://" in base else f"http://{base}"
        options |= {"base_url": base, "bearer_token": "emulator"}
        identity = "nobody, as STORAGE_EMULATOR_HOST is set"
    elif remote.anonymous:
        options["skip_signature"], identity = True, "anonymous"
    elif key:
        options["application_credentials"] = os.path.expanduser(key)  # noqa: PTH111 (a text for obstore)
        identity = f"the credentials in {key}"
    else:
        identity = "the application default credentials"
    parts = urlsplit(remote.url)
    store = GCSStore(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        client_options={**client, "allow_http": base.startswith("http://")},
        retry_config=retry,
        **options,
    )
    return store, identity, base


def azure(
    remote: Remote, client: ClientConfig, retry: RetryConfig, environment: Mapping[str, str]
) -> tuple[AzureStore, str, str]:
    """The container, whose credentials are used, and the server. Raises BadRequest without an account."""

    def said(option: str, variable: str = "") -> str:
        return str(remote.options.get(option) or environment.get(variable) or "")

    connection = _connection(said("connection_string", "AZURE_STORAGE_CONNECTION_STRING"))
    account = connection.get("accountname") or said("account_name", "AZURE_STORAGE_ACCOUNT")
    if not account:
        raise BadRequest(
            f"the remote `{remote.name}` names no storage account",
            hint=f"set AZURE_STORAGE_ACCOUNT, or: dvc remote modify {remote.name} account_name ACCOUNT",
        )
    options: dict[str, Any] = {"account_name": account}
    key, sas, secret = (connection.get(n, "") for n in ("accountkey", "sharedaccesssignature", ""))
    endpoint = connection.get("blobendpoint", "")
    if not connection:
        key, sas = (
            said("account_key", "AZURE_STORAGE_KEY"),
            said("sas_token", "AZURE_STORAGE_SAS_TOKEN"),
        )
        secret = said("client_secret", "AZURE_CLIENT_SECRET")
        endpoint = environment.get("AZURE_STORAGE_ENDPOINT", "")
    if endpoint:
        options["endpoint"] = endpoint
    if remote.anonymous or (endpoint and not (key or sas or secret)):
        options["skip_signature"], identity = True, "anonymous"
    elif key:
        options["account_key"], identity = key, f"the key of the account `{account}`"
    elif sas:
        options["sas_key"], identity = sas.lstrip("?"), f"a SAS token of the account `{account}`"
    elif secret:
        options["tenant_id"] = said("tenant_id", "AZURE_TENANT_ID")
        options["client_id"] = said("client_id", "AZURE_CLIENT_ID")
        options["client_secret"] = secret
        identity = f"the service principal {options['client_id']}"
    elif shutil.which("az") and not environment.get("AZURE_FEDERATED_TOKEN_FILE"):
        options["use_azure_cli"], identity = True, "who is logged in to az"
    else:
        identity = "the identity of this machine"
    parts = urlsplit(remote.url)
    store = AzureStore(
        parts.netloc,
        prefix=parts.path.strip("/") or None,
        client_options={**client, "allow_http": endpoint.startswith("http://")},
        retry_config=retry,
        **options,
    )
    return store, identity, endpoint or f"https://{account}.blob.core.windows.net"


def _connection(text: str) -> Mapping[str, str]:
    """A connection string's parts, by name in small letters."""
    parts = (part.partition("=") for part in text.split(";") if part.strip())
    return {name.strip().lower(): value.strip() for name, _, value in parts}
