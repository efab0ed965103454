"""What all tests share: an environment of their own, and the fixtures that start real things."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.hand_made import HandMade

# CI tries the same examples every time; people try new ones with every run. How long it takes to
# make examples says how busy the machine is.
settings.register_profile("people", suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("people"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "people")

pytest_plugins = [
    "tests.s3_server",
    "tests.sftp_server",
    "tests.small_registry",
    "tests.many_files",  # imports the one above
    "tests.kinds",
    "tests.mlflow_server",
    "tests.postgres_server",
    "tests.passages",
    "tests.skewed_clock",
    "tests.github_server",
    "tests.comments_server",
    "tests.kubernetes_server",
    "tests.cloud_servers",
    "tests.faults.table",
]

FOREIGN = (
    "AWS_", "AZURE_", "DREG_", "DVC_", "GIT_", "GITHUB_", "GH_", "GOOGLE_", "MLFLOW_", "PGVECTOR_", "STORAGE_EMULATOR_",
    "ARGO_", "KUBECONFIG", "KUBERNETES_", "RAY_API_", "RAY_AUTH_",
)  # fmt: skip
OURS = ("DREG_MIRROR",)


@pytest.fixture(autouse=True, scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the user's configuration counts, and nothing of it is touched."""
    # Started in a shell's background, tests and all they start would ignore a Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name not in OURS:
            del os.environ[name]
    home = tmp_path_factory.mktemp("home")
    (home / "gitconfig").write_text(
        "[user]\n\tname = Ada\n\temail = ada@example.com\n"
        '[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n'
    )
    os.environ.update(
        HOME=str(home),
        XDG_CACHE_HOME=str(home / "cache"),
        GIT_CONFIG_GLOBAL=str(home / "gitconfig"),
        GIT_CONFIG_NOSYSTEM="1",
        AWS_EC2_METADATA_DISABLED="true",  # asking who is not there takes seconds
        DVC_NO_ANALYTICS="true",
        NO_COLOR="1",
        COLUMNS="100",
    )


@pytest.fixture
def hand_made(tmp_path: Path) -> HandMade:
    """A registry whose releases a test makes by hand, and an empty training repository."""
    return HandMade(tmp_path, {"DREG_CACHE": str(tmp_path / "cache")})
