"""Running git, and saying in the user's terms why it failed."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from dreg.adapters.cache import cache_place
from dreg.adapters.os_errors import in_words_of_git, outside
from dreg.errors import BadRequest, DregError, Outside, Refused

# What a hook of git's sets for its own repository; `git rev-parse --local-env-vars` has them all.
# dreg finds the repository by the folder it works in, and must not write to another.
FOREIGN = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_GRAFT_FILE",
    "GIT_QUARANTINE_PATH",
)
# git's own housekeeping would go on when we are killed, and leave a lock that stops it for good.
# Submodules, which may be out of reach, are nothing to releases.
QUIETLY = ("--quiet", "--no-tags", "--no-auto-maintenance", "--no-recurse-submodules")
# Transports that run a command of the URL's choosing, whatever the user's configuration allows.
NEVER = {"protocol.ext.allow": "never", "protocol.fd.allow": "never"}
# What the user has git print beside what it is asked for, where what it prints is read.
PLAINLY = {"log.showSignature": "false"}


class Unreachable(Outside):
    """Nobody answered: what the repository has now cannot be known (exit code 3)."""


def git(
    *arguments: str,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    seconds: float | None = None,
) -> bytes:
    """Stdout of `git arguments`. Raises Outside with git's last words when it fails."""
    done = start(arguments, cwd, stdin, environment, seconds=seconds)
    if done.returncode != 0:
        raise failure(arguments, done.stderr.decode(errors="replace"))
    return done.stdout


def start(
    arguments: Sequence[str],
    cwd: Path | None,
    stdin: bytes | None = None,
    environment: Mapping[str, str] | None = None,
    handles: Sequence[int] = (),
    seconds: float | None = None,
    into: BinaryIO | None = None,
) -> subprocess.CompletedProcess[bytes]:
    # Messages are matched below, so they must be git's own English; prompts would hang in CI.
    quiet = {"LC_ALL": "C", "GIT_TERMINAL_PROMPT": os.environ.get("GIT_TERMINAL_PROMPT", "0")}
    try:
        return subprocess.run(
            ["git", *arguments],
            cwd=cwd,
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            stdout=into or subprocess.PIPE,
            stderr=subprocess.PIPE,
            check=False,
            pass_fds=handles,
            timeout=seconds,
            env={**surroundings(), **within(), **configured(), **quiet, **(environment or {})},
        )
    except subprocess.TimeoutExpired:
        raise Unreachable(  # not from the error, which has the URL with what may be a password
            f"git had no answer within {seconds:g} s", hint="check the network and the URL"
        ) from None
    except FileNotFoundError as error:
        if shutil.which("git"):
            raise BadRequest(f"there is no folder `{cwd}`", hint="check the path") from error
        raise Outside(
            "git is not installed", hint="install git, then run the command again"
        ) from error


def within() -> dict[str, str]:
    """What keeps git from looking for a repository above dreg's own ones, if one of those is damaged: the
    cache may lie in a repository of the user's, which would be changed."""
    ceilings = [str(cache_place("git")), os.environ.get("GIT_CEILING_DIRECTORIES", "")]
    return {"GIT_CEILING_DIRECTORIES": os.pathsep.join(filter(None, ceilings))}


def surroundings() -> dict[str, str]:
    """The process's environment, without what says which repository git works on."""
    return {name: value for name, value in os.environ.items() if name not in FOREIGN}


def configured(settings: Mapping[str, str] | None = None) -> dict[str, str]:
    """What to add to a git process's environment for it to have `settings`, and what always holds."""
    wanted = {**(settings or {}), **NEVER, **PLAINLY}
    first = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    found = {"GIT_CONFIG_COUNT": str(first + len(wanted))}
    for number, (key, value) in enumerate(wanted.items(), start=first):
        found |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return found


def failure(
    arguments: Sequence[str], stderr: str, repo: str = "", cwd: Path | None = None
) -> DregError:
    """The error for a git process that ended badly, said in the user's terms where known.

    `repo` is the repository elsewhere that it was about, `cwd` what git's paths are relative to.
    """
    lines = [line for line in stderr.strip().splitlines() if line.strip()]
    text = stderr.lower()
    words = " ".join(arguments[:1])
    unreachable = (
        "could not resolve host",
        "refused",
        "timed out",
        "connect to",
        "no route to host",
        "network is unreachable",
        "connection reset",
        "returned error: 50",  # of a proxy before the server
    )
    if any(sign in text for sign in unreachable) and "permission" not in text:
        return Unreachable(
            "the git server cannot be reached",
            hint="check the network and the URL",
            details=lines[-3:],
        )
    if any(
        t in text
        for t in (
            "authentication failed",
            "permission denied (",
            "permission denied, please",
            "could not read username",
            "terminal prompts disabled",
        )
    ):
        return Outside(
            "the git server refused access",
            hint="check that `git ls-remote URL` works for you (credential helper, ssh key, token)",
            details=lines[-3:],
        )
    if (refused := by_the_system(stderr)) is not None:
        if cwd is not None:
            refused.filename = str(cwd / (refused.filename or ""))
        known = outside(refused)
        return Outside(known.fact, hint=known.hint, details=lines[-3:])
    if "not a git repository" in text or "does not appear to be a git repository" in text:
        if not repo and "--" in arguments and words == "ls-remote":
            repo = arguments[list(arguments).index("--") + 1]
        what = f"`{public_url(repo)}`" if repo else "that"
        return BadRequest(
            f"{what} is not a git repository", hint="check the path or URL", details=lines[:1]
        )
    return Outside(
        f"`git {words}` failed",
        hint="see to what git says above, then run the command again",
        details=lines[-5:],
    )


def by_the_system(stderr: str) -> OSError | None:
    """What the operating system refused git, by git's words; None if it was something else."""
    if "out of diskspace" in stderr.lower():  # of its index it says so
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    return in_words_of_git(stderr)


def git_failed(error: Any, moved: Sequence[str] = ()) -> Exception:
    """What became of a git command, which was to move references on a remote if any are named."""
    reported = str(error.stdout)  # with --porcelain, git reports each reference here
    said = str(error.stderr).strip().removeprefix("stderr: '").removesuffix("'").strip()
    if "tell me who you are" in said.lower() or "empty ident name" in said.lower():
        return Outside(
            "git does not know who you are",
            hint='git config user.name "Your Name"; git config user.email you@example.com',
        )
    if "unpack failed" in said or "unpacker error" in reported:
        return Outside(
            "the git server could not keep what was pushed; nothing was changed there",
            hint="see that its disk has space and can be written to, or tell who runs it",
            details=said.splitlines()[-5:],
        )
    if "remote rejected" in reported or "protected branch" in said:
        if not any(reference.startswith("refs/heads/") for reference in moved):
            tags = ", ".join(f"`{reference.removeprefix('refs/tags/')}`" for reference in moved)
            return Refused(
                f"the git server declined the push of {tags}; nothing was changed there",
                hint="ask for the right to push such tags, or do it from CI",
                details=said.splitlines()[-5:],
            )
        return Refused(
            "the git server declined the push; nothing was released",
            hint="ask for the right to push this branch and its tags, or release from CI",
            details=said.splitlines()[-5:],
        )
    command = error.command[1:2] if isinstance(error.command, list) else [str(error.command)]
    return failure(command, said)


def check_url(repo: str) -> str:
    """`repo` if git may be given it: no option, no helper that runs a command. Raises BadRequest."""
    if repo.startswith("-") or re.match(r"[A-Za-z0-9+.-]*::", repo) or "\0" in repo:
        raise BadRequest(
            f"`{public_url(repo)}` is not a repository URL that dreg opens",
            hint="use https://, ssh://, git@host:path, file:// or a path",
        )
    return repo


def public_url(repo: str) -> str:
    """`repo` without a user and password in it: for messages, and for files that are committed."""
    match = re.fullmatch(r"([a-z][a-z0-9+.-]*)://([^/@]*)@(.*)", repo, re.IGNORECASE)
    if match is None:
        return repo
    scheme, who, rest = match.groups()
    user = "" if scheme.lower() in ("http", "https") else who.partition(":")[0]
    return f"{scheme}://{user}{'@' if user else ''}{rest}"
