"""What the services are told, as .env.docker has it; nothing has a default here, least of all a password."""

from __future__ import annotations

from collections.abc import Mapping

from dreg.errors import BadRequest

VARIABLES = (
    "S3_PORT", "S3_BUCKET", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY",
    "PGVECTOR_PORT", "PGVECTOR_DATABASE", "PGVECTOR_USER", "PGVECTOR_PASSWORD",
    "MLFLOW_PORT",
)  # fmt: skip
PORTS = tuple(name for name in VARIABLES if name.endswith("_PORT"))
FOREIGN = ("AWS_", "DREG_", "DVC_", "MLFLOW_", "PG", "POSTGRES_", "S3_", "WEED_")


def value(environment: Mapping[str, str], name: str) -> str:
    """Raises BadRequest where it is missing or empty."""
    if found := environment.get(name, "").strip():
        return found
    raise BadRequest(
        f"{name} is not set", hint="make services sets what you did not: it reads .env.docker"
    )


def port(environment: Mapping[str, str], name: str) -> int:
    """A port. Raises BadRequest for what is none."""
    text = value(environment, name)
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise BadRequest(f"{name} is `{text}`, which is no port", hint=f"a number: {name}=9100")
    return int(text)


def inherited(environment: Mapping[str, str]) -> dict[str, str]:
    """What a server gets of its caller's environment: no other server's keys, addresses and options."""
    return {k: v for k, v in environment.items() if not k.startswith(FOREIGN)}
