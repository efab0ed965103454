"""Folders in git's own that hold what is half done, and go with the process that made them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PREFIX = "dreg-"
INDEX_LOCK = "index.lock"  # in a scratch folder, a second name of the lock that git takes for ours


@contextmanager
def scratch_folder(git_folder: Path) -> Iterator[Path]:
    """A new folder in git's own, removed at the end; what killed processes left there goes too."""
    tidy(git_folder)
    folder, handle = _made(git_folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def tidy(git_folder: Path) -> None:
    """Remove the scratch folders of processes that ended without doing so, and their index lock."""
    for folder in git_folder.glob(f"{PREFIX}*"):
        try:
            handle = _locked(folder)
        except OSError:
            continue
        try:
            lock = git_folder / INDEX_LOCK
            with contextlib.suppress(FileNotFoundError):
                if lock.samefile(folder / INDEX_LOCK):
                    lock.unlink()
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(handle)


def _made(git_folder: Path) -> tuple[Path, int]:
    while True:
        folder = git_folder / f"{PREFIX}{uuid.uuid4().hex[:12]}"
        folder.mkdir()
        with contextlib.suppress(FileNotFoundError, BlockingIOError):
            # Else somebody tidied it away before it was ours.
            return folder, _locked(folder, needed=False)


def _locked(folder: Path, *, needed: bool = True) -> int:
    """The open folder, locked. Raises BlockingIOError if another process has it, FileNotFoundError
    when it is gone, and OSError where folders cannot be locked (NFS), if that is `needed`."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            if needed:
                raise
        if os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
        raise FileNotFoundError(folder)
    except BaseException:
        os.close(handle)
        raise
