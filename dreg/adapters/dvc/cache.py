"""DVC's local cache: where it is, and what its objects hold."""

from __future__ import annotations

import functools
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from dreg.adapters.dvc.digests import Memory, file_md5
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
    """Whether `cache` has every byte of a file or folder, as DVC asks."""
    if not _has(cache, md5, memory):
        return False
    if not md5.endswith(".dir"):
        return True
    files = read_dir_object(cache, md5)
    return files is not None and all(_has(cache, child, memory) for child in files.values())


def _has(cache: Path, md5: str, memory: Memory) -> bool:
    path = f"{cache}/{object_key(md5)}"  # no Path: there may be many thousands
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116
    except OSError:
        return False
    if stat.S_IMODE(mode) == READ_ONLY:
        return True
    return file_md5(Path(path), memory) == md5.removesuffix(".dir")
