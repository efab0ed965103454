"""DVC's local cache: where it is, and what its objects hold."""

from __future__ import annotations

import functools
import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from dreg.adapters.dvc.digests import file_md5
from dreg.adapters.dvc.memory import Memory, settled, stamp_of
from dreg.core.json_text import parse_json
from dreg.core.remotes import OBJECTS, object_key, setting
from dreg.core.snapshot import check_path
from dreg.errors import Refused

READ_ONLY_FILE = stat.S_IFREG | 0o444  # how DVC marks an object whose bytes it has checked
LENGTH = 32  # characters of an md5


def cache_path(root: Path, md5: str) -> Path:
    """Where the bytes with this md5 are, if they are here (of a folder: md5 with `.dir`)."""
    return cache_folder(root) / object_key(md5)


@functools.cache
def cache_folder(root: Path) -> Path:
    """DVC's cache of the registry at `root`: `cache.dir`, else `.dvc/cache`."""
    for config in (*_in_registry(root), *_on_machine()):
        try:
            text = config.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            continue
        if given := setting(text, str(config), "cache", "dir"):
            return (config.parent / Path(given).expanduser()).resolve()
    return root / ".dvc" / "cache"


def _in_registry(root: Path) -> tuple[Path, ...]:
    return root / ".dvc" / "config.local", root / ".dvc" / "config"


def _on_machine() -> Iterator[Path]:
    """The user's and the machine's configuration, where DVC looks for them."""
    home = Path.home()
    if sys.platform == "darwin":
        user, machine = home / "Library/Application Support", Path("/Library/Application Support")
    else:
        user = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
        machine = Path((os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)[0])
    yield Path(os.environ.get("DVC_GLOBAL_CONFIG_DIR") or user / "dvc") / "config"
    yield Path(os.environ.get("DVC_SYSTEM_CONFIG_DIR") or machine / "dvc") / "config"


def read_dir_object(cache: Path, md5: str) -> dict[str, str] | None:
    """The md5s of a folder's files by path below it, as DVC recorded them in `cache`.

    None if the object is not there or damaged. Raises Refused for an unsafe path.
    """
    try:
        listed = parse_json((cache / object_key(md5)).read_bytes())
        files = {str(entry["relpath"]): str(entry["md5"]) for entry in listed}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    for path in files:
        try:
            check_path(f"{md5}/{path}")  # below a folder: a colon cannot name a drive
        except Refused as error:
            raise Refused(
                f"the folder object {md5} in DVC's cache lists a file with the unsafe path {path!r}",
                hint=f"remove `{cache / object_key(md5)}`, then run the pipeline again",
            ) from error
    return files


def cached(root: Path, md5: str) -> bool:
    """Whether the cache of the registry has the bytes with this md5, undamaged."""
    return holds(cache_folder(root), md5, Memory(None))


def holds(cache: Path, md5: str, memory: Memory) -> bool:
    """Whether `cache` has every byte of a file or folder, as DVC asks."""
    if not _has(cache, md5, memory):
        return False
    if not md5.endswith(".dir"):
        return True
    children = _children(cache, md5, memory)
    if children is None:
        return False
    # Looked up from the open folder and not from the root, each one costs a sixth less, and there may
    # be many thousands.
    top = os.open(cache / OBJECTS, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for child in children:
            try:
                mode = os.stat(f"{child[:2]}/{child[2:]}", dir_fd=top).st_mode
            except OSError:
                return False
            if mode != READ_ONLY_FILE and not _has(cache, child, memory):
                return False
    finally:
        os.close(top)
    return True


def _children(cache: Path, md5: str, memory: Memory) -> Sequence[str] | None:
    """The md5s of a folder's files; once its object was read, it is remembered."""
    path = cache / object_key(md5)
    started = time.time_ns()
    stamp = stamp_of(path.stat())
    note = f"{path}/"  # the path itself is noted with its own md5
    known = memory.named.get(note, stamp)
    if known is not None:
        return [known[at : at + LENGTH] for at in range(0, len(known), LENGTH)]
    try:
        files = read_dir_object(cache, md5)
    except Refused:  # of no use, so it is made again
        return None
    if files is None:
        return None
    children = list(files.values())
    if settled(stamp, started) and all(len(child) == LENGTH for child in children):
        memory.named.put(note, stamp, "".join(children))
    return children


def _has(cache: Path, md5: str, memory: Memory) -> bool:
    path = cache / object_key(md5)
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return mode == READ_ONLY_FILE or file_md5(path, memory) == md5.removesuffix(".dir")
