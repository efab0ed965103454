"""What the operating system refuses, in words, and the command that helps."""

from __future__ import annotations

import errno
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dreg.adapters.cache import cache_root
from dreg.errors import Outside

LOOP = "Symlink loop from "
# A fact, and a hint in which `{path}` is the path for a shell, `{place}` as much of it as is there.
IN_WORDS: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("the disk is full", "free some space: df -h {place}"),
    errno.EDQUOT: ("your quota of the disk is used up", "free some space: quota -s"),
    errno.EACCES: ("permission denied", "see who may: ls -ld {place}; or work at another place"),
    errno.EPERM: (
        "the operation is not permitted",
        "see whose it is, and whether it is immutable: ls -ld {place}; lsattr -d {place}",
    ),
    errno.EROFS: (
        "the file system is read-only",
        "mount it for writing (findmnt -T {place} says which it is), or work at another place",
    ),
    errno.EISDIR: ("a folder is where a file is expected", "move it away: mv {path} {path}.old"),
    errno.ENOTDIR: (
        "a file is where a folder is expected",
        "see which part of the path it is, and move it away: namei -l {place}",
    ),
    errno.EEXIST: ("something else is there already", "move it away: mv {path} {path}.old"),
    errno.ENOTEMPTY: (
        "a folder is not empty that should be",
        "see what is in it, and move that away: ls -la {place}",
    ),
    errno.ENOENT: (
        "a file or folder is not there",
        "see how far the path leads: namei -l {place}",
    ),
    errno.ENAMETOOLONG: (
        "a name is longer than its file system takes",
        "work in a folder with a shorter path, or shorten the name",
    ),
    errno.ELOOP: ("links lead in a circle", "see which, and remove one: namei -l {place}"),
    errno.EBUSY: ("it is in use", "see by whom: fuser -vm {place}"),
    errno.ETXTBSY: ("it is a program that runs", "see whose: fuser -v {place}"),
    errno.EFBIG: (
        "a file would be larger than its file system or your limit allows",
        "see the limit: ulimit -f; and what file system it is: findmnt -T {place}",
    ),
    errno.EIO: ("the disk fails", "see what the system says of it: dmesg | tail"),
    errno.ESTALE: (
        "the server of a network file system has lost it",
        "mount it anew: findmnt -T {place} says which it is",
    ),
    errno.ENOTCONN: (
        "the program behind a file system is gone",
        "mount it anew: findmnt -T {place} says which it is",
    ),
    errno.EUCLEAN: (
        "the file system is damaged",
        "see which it is, and have it checked: findmnt -T {place}; dmesg | tail",
    ),
    errno.EREMOTEIO: ("the disk fails", "see what the system says of it: dmesg | tail"),
    errno.ENXIO: ("the disk is gone", "see what is mounted there: findmnt -T {place}"),
    errno.ENODEV: ("the disk is gone", "see what is mounted there: findmnt -T {place}"),
    errno.EINVAL: (
        "the file system does not take this name, or cannot do this",
        "see which it is (findmnt -T {place}), and work on another",
    ),
    errno.EILSEQ: (
        "the file system does not take this name",
        "see which it is (findmnt -T {place}), and work on another",
    ),
    errno.EOPNOTSUPP: (
        "the file system cannot do this",
        "see which it is (findmnt -T {place}), and work on another",
    ),
    errno.ENOSYS: (
        "the file system cannot do this",
        "see which it is (findmnt -T {place}), and work on another",
    ),
    errno.ENOLCK: (
        "the file system gives no more locks",
        "see which it is (findmnt -T {place}): a network file system needs its lock service",
    ),
    errno.EMFILE: ("this process may open no more files", "let it open more: ulimit -n 4096"),
    errno.ENFILE: ("the machine can open no more files", "see who has so many: lsof | wc -l"),
    errno.ENOMEM: ("there is not enough memory", "see what takes it: free -h"),
    errno.EAGAIN: (
        "the machine gives no more processes or threads",
        "see the limit and what uses it up: ulimit -u; ps -eLf | wc -l",
    ),
}


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """What the operating system refuses is about `path`, where it does not say: writing to an open file
    fails without a name."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def is_full(error: BaseException) -> bool:
    """Whether it says that there is no more room: on the disk, or in the user's share of it."""
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def in_disguise(error: Exception) -> OSError | None:
    """What the operating system refused, where Python raises something else for it."""
    text = str(error)
    if isinstance(error, MemoryError):
        return OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))
    if isinstance(error, RuntimeError) and text == "can't start new thread":
        return OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
    if isinstance(error, RuntimeError) and text.startswith(LOOP):  # Path.resolve, until Python 3.13
        path = text.removeprefix(LOOP).strip("'")
        return OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return None


def in_words_of_git(said: str) -> OSError | None:
    """What the operating system refused, by what git says of it in English."""
    for number in IN_WORDS.keys() - {errno.ENOENT, errno.EEXIST, errno.EAGAIN, errno.EBUSY}:
        reason = os.strerror(number)
        if found := re.search(rf"(?:'([^'\n]+)')?:? ?{re.escape(reason)}\s*$", said, re.MULTILINE):
            return OSError(number, reason, found[1])
    return None


def outside(error: OSError, again: str = "run the command again") -> Outside:
    """The error as a user is told it; `again` says how to go on."""
    path = error.filename if isinstance(error.filename, str) else ""
    at = f" at `{path}`" if path else ""
    reason = error.strerror or str(error)
    own_words = error.errno is not None and reason == os.strerror(error.errno)
    fact, helps = IN_WORDS.get(error.errno or 0, ("", ""))
    if not fact:
        words = f"{reason[:1].lower()}{reason[1:]}{at}"
        where = f"see what is there: ls -ld {shlex.quote(_there(path))}; then " if path else ""
        return Outside(words, hint=f"{where}{again}; should it stay so, --debug says where")
    more = "" if own_words else f": {reason}"  # a library knows something about it
    for word, value in (("path", path), ("place", _there(path))):
        said = f" {shlex.quote(value)}" if value else "" if "df" in helps else " ."
        helps = helps.replace(f" {{{word}}}", said)
    return Outside(f"{fact}{at}{more}", hint=f"{helps}{_another_cache(path)}; then {again}")


def _another_cache(path: str) -> str:
    """Dreg's own folder need not be where it is."""
    root = cache_root()
    if not Path(path).is_relative_to(root):
        return ""
    return (
        f"; or have dreg's cache elsewhere than in {shlex.quote(str(root))}: export DREG_CACHE=DIR"
    )


def _there(path: str) -> str:
    """The path, or the nearest folder above that there is: what asks about it wants it to be there."""
    while path and not os.path.lexists(path):
        path = os.path.dirname(path)  # noqa: PTH120 - a text, relative as the user gave it
    return path
