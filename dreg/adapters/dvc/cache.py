"""DVC's local cache: where it is, and what its objects hold."""

from __future__ import annotations

import functools
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from dreg.adapters.dvc.digests import file_md5
from dreg.adapters.dvc.memory import Memory, listing_digest, settled, stamp_of
from dreg.core.json_text import parse_json
from dreg.core.remotes import object_key, setting
from dreg.core.snapshot import check_path
from dreg.errors import Refused

READ_ONLY = 0o444  # how DVC marks an object whose bytes it has checked


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
    """Whether `cache` has every byte of a file or folder, as DVC asks.

    A folder's files may be many. Where they all were there, what is asked later is whether anything was
    put into the cache or taken from it since; an object that somebody overwrote in its place is then
    found when its bytes are next read.
    """
    if not _has(cache, md5, memory):
        return False
    if not md5.endswith(".dir"):
        return True
    started = time.time_ns()
    path, listing = f"{cache}/{object_key(md5)}/", _listing(cache, started)
    if listing and memory.named.get(path, listing):
        return True
    files = read_dir_object(cache, md5)
    if files is None:
        return False
    read_only = True
    for child in files.values():
        mode = _mode(cache, child)
        read_only = read_only and mode == READ_ONLY
        if mode is None or not (mode == READ_ONLY or _has(cache, child, memory)):
            return False
    if listing and read_only:
        memory.named.put(path, listing, "complete")
    return True


def _listing(cache: Path, started: int) -> tuple[str] | None:
    """What tells one state of the cache from another; None while it was changed a moment ago."""
    names, stamps = [], []
    try:
        with os.scandir(cache / "files" / "md5") as folders:
            for folder in folders:
                names.append(folder.name)
                stamps.append(stamp_of(folder.stat()))
    except OSError:
        return None
    return listing_digest(names, stamps) if all(settled(s, started) for s in stamps) else None


def _mode(cache: Path, md5: str) -> int | None:
    try:
        return stat.S_IMODE(os.stat(f"{cache}/{object_key(md5)}").st_mode)  # noqa: PTH116
    except OSError:
        return None


def _has(cache: Path, md5: str, memory: Memory) -> bool:
    mode = _mode(cache, md5)
    if mode is None or mode == READ_ONLY:
        return mode is not None
    return file_md5(cache / object_key(md5), memory) == md5.removesuffix(".dir")
