"""`dreg.lock` on disk: read, and rewritten as a whole under a temporary name."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable
from pathlib import Path

from dreg.adapters.written import written
from dreg.core.lock import Lock, Pin
from dreg.errors import BadRequest

LOCK = "dreg.lock"


def read_lock(folder: Path) -> Lock:
    """The lock in `folder`, empty where there is none. Raises BadRequest when malformed."""
    try:
        return Lock.parse((folder / LOCK).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Lock()
    except IsADirectoryError as error:
        raise BadRequest(
            f"`{LOCK}` is a folder", hint=f"move it away: {LOCK} is the file of what was fetched"
        ) from error
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"`{LOCK}` is not UTF-8 text",
            hint=f"restore {LOCK} from git, or remove it and fetch by name",
        ) from error


def write_pin(folder: Path, pin: Pin) -> None:
    """Put `pin` into the lock in `folder`; another process's pins written meanwhile stay."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        text = read_lock(folder).with_pin(pin).to_text()
        with written(folder / LOCK) as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())  # else the new name may outlive a power cut, and the text not
    finally:
        os.close(handle)


def refuse_no_folder(folders: Iterable[Path]) -> None:
    """Raises BadRequest for a folder that locks are to be looked for in and that is not there."""
    for folder in folders:
        if not folder.is_dir():
            raise BadRequest(f"there is no folder `{folder}`", hint="--locks takes folders")


def find_locks(folders: Iterable[Path]) -> list[Path]:
    """Every lock in these folders and below, sorted; hidden folders are left out."""
    found = set()
    for folder in folders:
        for inside, below, files in os.walk(folder):
            below[:] = [name for name in below if not name.startswith(".")]
            if LOCK in files:
                found.add(Path(inside) / LOCK)
    return sorted(found)
