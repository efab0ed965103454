"""Whether dreg.lock covers what is asked for: `dreg fetch --locked`."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from dreg.adapters import git
from dreg.adapters.requests_file import read_requests
from dreg.core.lock import Lock, Pin
from dreg.core.requests import Asked, Requests
from dreg.core.subset import Subset
from dreg.errors import Refused


def refuse_uncovered(
    lock: Lock,
    folder: Path,
    *,
    raw: bool = False,
    repo: str | None = None,
    more: Sequence[str] = (),
) -> None:
    """Raises Refused unless dreg.lock has just what dreg.toml asks for, and with `raw` the raw files.

    `repo` and `more` are further options that were given, for the command that helps.
    """
    asked = read_requests(folder)
    wrong = []
    for name, entry in sorted(asked.datasets.items()):
        pin, whole = lock.pins.get(name), replace(entry, raw=entry.raw or raw)
        why = "is not in dreg.lock" if pin is None else differs(whole, pin, asked)
        if why:
            wrong.append(f"{name} {why}")
    for name, pin in sorted(lock.pins.items()):
        if raw and not pin.raw:
            wrong.append(f"{name} is locked without its raw files")
    if wrong:
        usual = None if asked.repo else repo
        raise _uncovered(wrong, _command(repo=usual, raw=raw, more=more))


def covering(
    lock: Lock, asked: Requests, said: Asked, subset: Subset | None, more: Sequence[str] = ()
) -> Pin:
    """The pin that covers one request, as it was said; `subset` is None if nothing is said of a part.

    A repository that was said is a mirror of the registry, and no matter. `more` are further options that
    were given. Raises Refused when no pin does.
    """
    name, entry = said.dataset, asked.datasets.get(said.dataset)
    pin, mirrored = lock.pins.get(name), said.repo is not None
    again = _command(
        f"{name}@{said.revision or said.wanted}",
        repo=None if asked.repo or (entry and entry.repo) else said.repo,
        output=said.output,
        raw=said.raw,
        subset=subset,
        more=more,
    )
    if pin is None:
        raise _uncovered([f"{name} is not in dreg.lock"], again)
    usual = entry or Asked(name, said.wanted, raw=pin.raw, subset=pin.subset)
    whole = replace(
        said,
        repo=None if mirrored else usual.repo,
        output=said.output or usual.output,
        raw=said.raw or usual.raw,
        subset=usual.subset if subset is None else subset,
    )
    why = differs(whole, pin, replace(asked, repo=None) if mirrored else asked)
    if why:
        raise _uncovered([f"{name} {why}"], again)
    return pin


def _command(
    request: str | None = None,
    *,
    repo: str | None = None,
    output: str | None = None,
    raw: bool = False,
    subset: Subset | None = None,
    more: Sequence[str] = (),
) -> str:
    """The command that locks just this."""
    words = ["dreg", "fetch", *([request] if request else [])]
    words += ["--repo", git.public_url(repo)] if repo else []
    words += ["-o", output] if output else []
    words += ["--raw"] if raw else []
    words += subset.options() if subset is not None else []
    return shlex.join([*words, *more])


def _uncovered(wrong: list[str], again: str) -> Refused:
    return Refused(
        "dreg.lock does not cover what is asked for",
        hint=f"bring it up to date and commit it: {again}",
        details=wrong,
    )


def differs(entry: Asked, pin: Pin, asked: Requests) -> str:
    """In what the pin is not what was asked for, in words; empty if it is."""
    repo = entry.repo or asked.repo
    if entry.revision is None:
        exact = entry.wanted.bounds == (("=", pin.version),)
        if pin.version not in entry.wanted and not exact:
            return f"is locked at {pin.version}, which is not in `{entry.wanted}`"
    elif entry.revision not in (pin.request, pin.commit):
        return f"is locked for `{pin.request}`, and asked for at `{entry.revision}`"
    if repo is not None and git.public_url(repo) != pin.repo:
        return f"is locked from {pin.repo}, and asked for from {git.public_url(repo)}"
    if entry.output is not None and entry.output != pin.output:
        return f"is locked in {pin.output}, and asked for in {entry.output}"
    if (entry.raw, entry.subset) != (pin.raw, pin.subset):
        return "is locked with other parts than are asked for"
    return ""
