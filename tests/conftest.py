"""What all tests share: an environment of their own, and the fixtures that start real things."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import socketserver
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import pytest

from tests import pauses
from tests.gitconfig import gitconfig
from tests.hand_made import HandMade

# What pytest makes of the code of tests, and of Hypothesis, takes longer to make than all imports take: it is kept,
# whatever the environment says, from here on.
sys.dont_write_bytecode = False

pytest_plugins = [
    "tests.s3_server",
    "tests.sftp_server",
    "tests.small_registry",
    "tests.garden",
    "tests.many_files",  # imports the one above
    "tests.kinds",
    "tests.mlflow_server",
    "tests.trained_models",
    "tests.postgres_server",
    "tests.passages",
    "tests.skewed_clock",
    "tests.github_server",
    "tests.comments_server",
    "tests.kubernetes_server",
    "tests.cloud_servers",
    "tests.faults.table",
]

MEMORY = Path("/dev/shm")
ENOUGH = 6 << 30  # bytes; a run keeps about a third of it at a time
FOREIGN = (
    "AWS_", "AZURE_", "DREG_", "DVC_", "GIT_", "GITHUB_", "GH_", "GOOGLE_", "MLFLOW_", "PGVECTOR_", "STORAGE_EMULATOR_",
    "ARGO_", "KUBECONFIG", "KUBERNETES_", "RAY_API_", "RAY_AUTH_",
)  # fmt: skip
OURS = ("DREG_MIRROR",)


def pytest_configure() -> None:
    """Files that are read at once and never again need no disk, where there is memory for them.

    CI tries the same examples every time; people try new ones with every run. How long it takes to
    make examples says how busy the machine is.
    """
    from hypothesis import HealthCheck, settings

    settings.register_profile("people", suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("ci", settings.get_profile("people"), derandomize=True)
    settings.load_profile("ci" if os.environ.get("CI") else "people")
    chosen = {"PYTEST_DEBUG_TEMPROOT", "TMPDIR"} & os.environ.keys()
    if not chosen and is_roomy(MEMORY):
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(MEMORY)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: tests wait, for servers and for what they start."""
    return len(os.sched_getaffinity(0)) + 1


def pytest_sessionstart(session: pytest.Session) -> None:
    """Of all tests, each worker imports others first: what one makes of their code the next one finds."""
    name, workers = (
        os.environ.get("PYTEST_XDIST_WORKER"),
        os.environ.get("PYTEST_XDIST_WORKER_COUNT"),
    )
    if not name or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    files = sorted(Path(__file__).parent.rglob("test_*.py"))
    first = len(files) * int(name.removeprefix("gw")) // int(workers or 1)
    for file in files[first:] + files[:first]:
        if str(file.parent) not in sys.path:
            sys.path.insert(0, str(file.parent))  # as pytest does
        with suppress(Exception, pytest.skip.Exception):  # pytest tells of it when it gets there
            import_module(file.stem)


def pytest_collection_finish() -> None:
    """What is in memory by now stays: no search for garbage needs to look at it again."""
    gc.collect()
    gc.freeze()
    sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes long begins first, lest one worker has it left when the others are done.

    Then what needs MLflow, side by side: one worker imports it and starts its server, and not each.
    """
    items.sort(key=lambda item: (item.get_closest_marker("slow") is None, not needs_mlflow(item)))


def needs_mlflow(item: pytest.Item) -> bool:
    return not {"tracking", "mlflow_server"}.isdisjoint(getattr(item, "fixturenames", ()))


def is_roomy(place: Path) -> bool:
    """Whether there is enough memory at all and in this file system, which may run programs."""
    if not os.access(place, os.W_OK) or os.statvfs(place).f_flag & os.ST_NOEXEC:
        return False
    known = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(known["MemAvailable"].split()[0]) << 10
    return min(available, shutil.disk_usage(place).free) > ENOUGH


@pytest.fixture(autouse=True, scope="session")
def own_environment(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nothing of the user's configuration counts, and nothing of it is touched."""
    # Started in a shell's background, tests and all they start would ignore a Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name not in OURS:
            del os.environ[name]
    pauses.shorten()
    # Five may wait, as is usual, until they are let in: the sixth of many at once tries again in a second.
    socketserver.TCPServer.request_queue_size = 128
    home = tmp_path_factory.mktemp("home")
    (home / "gitconfig").write_text(
        gitconfig("Ada", "ada@example.com")
        + '[init]\n\tdefaultBranch = main\n[protocol "file"]\n\tallow = always\n'
    )
    for name in ("hooks", "info"):  # git's own template has a dozen examples of hooks as well
        (home / "git" / name).mkdir(parents=True)
    os.environ.update(
        HOME=str(home),
        XDG_CACHE_HOME=str(home / "cache"),
        GIT_CONFIG_GLOBAL=str(home / "gitconfig"),
        GIT_CONFIG_NOSYSTEM="1",
        GIT_TEMPLATE_DIR=str(home / "git"),
        AWS_EC2_METADATA_DISABLED="true",  # asking who is not there takes seconds
        DVC_NO_ANALYTICS="true",
        MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR="0",  # it tries as often, without seconds between
        NO_COLOR="1",
        COLUMNS="100",
    )


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """One that every user may look into: pytest closes its own to others, all at every start."""
    root = os.environ.get("PYTEST_DEBUG_TEMPROOT")
    with tempfile.TemporaryDirectory(prefix="dreg-", dir=root) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def nothing_made(tmp_path_factory: pytest.TempPathFactory) -> HandMade:
    """The original that tests copy."""
    home = tmp_path_factory.mktemp("by-hand")
    return HandMade(home, {"DREG_CACHE": str(home / "cache")})


@pytest.fixture
def hand_made(nothing_made: HandMade, tmp_path: Path) -> HandMade:
    """A registry whose releases a test makes by hand, and an empty training repository."""
    return nothing_made.copy(tmp_path)
