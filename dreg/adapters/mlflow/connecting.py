"""MLflow's client, and its errors in a user's terms."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dreg.adapters.extras import needed
from dreg.adapters.git import public_url
from dreg.errors import BadRequest, DregError, Outside

# MLflow itself tries for minutes when nobody answers.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
URI = "MLFLOW_TRACKING_URI"


def store_here(given: str | None) -> str | None:
    """The store to ask: `given`, else by environment, else MLflow's own default, if it is here."""
    uri = given or os.environ.get(URI)
    if uri:
        return uri
    if Path("mlflow.db").is_file():
        return f"sqlite:///{Path('mlflow.db').absolute()}"
    return Path("mlruns").absolute().as_uri() if Path("mlruns").is_dir() else None


def client(uri: str) -> Any:
    """MLflow's client, only to read from the store at `uri`."""
    if "://" not in uri or uri.startswith("file:"):
        # MLflow refuses to write to folders any more unless told so; reading old runs does no harm.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
    with explained(uri):
        return library().MlflowClient(tracking_uri=uri, registry_uri=uri)


def library() -> Any:
    """The module `mlflow`. Raises Outside when it is not installed."""
    for name, value in IMPATIENT.items():
        os.environ.setdefault(name, value)
    module = needed("mlflow", "mlflow")
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # its warnings are for who trains
    return module


@contextmanager
def explained(uri: str | None) -> Iterator[None]:
    """Errors of MLflow as ours. `Absent` for what the store does not have."""
    where = f"MLflow at {public_url(uri)}" if uri else "MLflow"
    exceptions = needed("mlflow.exceptions", "mlflow")
    try:
        yield
    except ModuleNotFoundError as error:
        raise Outside(
            f"{where} is a store that needs the Python module `{error.name}`, which is not installed",
            hint="pip install mlflow",
        ) from error
    except exceptions.MlflowException as error:
        raise _failure(error, where) from error


class Absent(BadRequest):
    """The store can be asked and does not have it (exit code 2)."""


def _failure(error: Any, where: str) -> DregError:
    code = getattr(error, "error_code", "")
    said = " ".join(str(error).split()).rstrip(".")
    if code in ("RESOURCE_DOES_NOT_EXIST", "NOT_FOUND", "ENDPOINT_NOT_FOUND"):
        return Absent(f"{where} has no such thing: {said}", hint=f"check the name, and {URI}")
    if "Max retries" in said or "refused" in said or "Failed to resolve" in said:
        return Outside(
            f"{where} cannot be reached",
            hint=f"check that it runs, and {URI}, or name it: --tracking URI",
        )
    if code in ("PERMISSION_DENIED", "UNAUTHENTICATED", "CUSTOMER_UNAUTHORIZED"):
        return Outside(
            f"{where} refused access: {said}",
            hint="check MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN",
        )
    return Outside(f"{where} failed: {said}", hint=f"check {URI}")
