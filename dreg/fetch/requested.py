"""What `dreg fetch` is to bring, by its arguments, the environment, dreg.toml and dreg.lock."""

from __future__ import annotations

import difflib
import os
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from semver import Version

from dreg.adapters import git
from dreg.adapters.requests_file import read_requests
from dreg.core.lock import Lock, Pin
from dreg.core.requests import Asked, Requests
from dreg.core.subset import EVERYTHING, Subset
from dreg.core.version import Range, check_name, parse_tag, range_or_revision, tag_of
from dreg.errors import BadRequest, DregError, Refused
from dreg.fetch.covering import covering, differs, refuse_uncovered
from dreg.fetch.pin import Request
from dreg.fetch.spare import of_environment
from dreg.output import out
from dreg.registry import Registry

VARIABLE = "DVC_DATA_VERSION"


def requests(
    lock: Lock,
    text: str | None,
    *,
    repo: str | None,
    output: str | None,
    raw: bool,
    subset: Subset | None = None,
    folder: Path | None = None,
    only_locked: bool = False,
    more: Sequence[str] = (),
) -> list[Request]:
    """What is to be brought: `text`, or all that dreg.toml in `folder` asks for and is locked.

    `more` are further options that were given, for the command that a refusal hints at.

    Raises BadRequest when that is nothing, or no registry is known; Refused when, with `only_locked`,
    dreg.lock does not cover it.
    """
    folder = folder or Path.cwd()
    asked = read_requests(folder)
    environment = _of_environment() if text is None else None
    if environment is not None:
        _refuse_other_version(lock, *environment)
    if text is None and not (lock.pins or asked.datasets):
        if environment is None:
            raise BadRequest(
                "there is no dreg.lock here that says what to fetch",
                hint="name a dataset: dreg fetch NAME@^1.0 --repo URL",
            )
        text = tag_of(*environment)
    if text is not None:
        if only_locked:
            name, wanted, revision = _parsed(text, lock, asked, by_file=False)
            said = Asked(name, wanted, repo, output, raw, revision=revision)
            covered = covering(lock, asked, said, subset, more)
            return [replace(_locked(covered, repo, raw, asked), output_said=output is not None)]
        return [_named(text, lock, asked, repo=repo, output=output, raw=raw, subset=subset)]
    if only_locked:
        refuse_uncovered(lock, folder, raw=raw, repo=repo, more=more)
    if output is not None:
        raise BadRequest("-o is the folder of one dataset", hint="name it: dreg fetch NAME -o DIR")
    if subset is not None:
        raise BadRequest(
            "a part is of one dataset",
            hint="name it: dreg fetch NAME --split train, or in dreg.toml",
        )
    found = []
    for name in sorted({*lock.pins, *asked.datasets}):
        pin, entry = lock.pins.get(name), asked.datasets.get(name)
        if entry is None or (pin is not None and not differs(entry, pin, asked)):
            assert pin is not None
            found.append(_locked(pin, repo, raw, asked))
        else:
            found.append(
                _named(
                    name, lock, asked, repo=repo, output=None, raw=raw, subset=None, by_file=True
                )
            )
    _refuse_overlaps(found)
    return found


def _named(
    text: str,
    lock: Lock,
    asked: Requests,
    *,
    repo: str | None,
    output: str | None,
    raw: bool,
    subset: Subset | None,
    by_file: bool = False,
) -> Request:
    name, wanted, revision = _parsed(text, lock, asked, by_file)
    pin, entry = lock.pins.get(name), asked.datasets.get(name)
    usual = entry.repo if entry else None
    place = output or (entry.output if entry else None) or (pin.output if pin else f"data/{name}")
    if entry is not None:
        raw, part = raw or entry.raw, entry.subset
    else:
        part = pin.subset if pin else Subset()
    _refuse_shared(name, place, lock)
    if pin is not None and not by_file:
        _tell_of_what_was(pin, place, entry is None and subset is None)
    return Request(
        name,
        wanted,
        repo or usual or default_repo(pin, asked),
        place,
        raw,
        pin,
        subset=part if subset is None else subset,
        asked=asked,
        revision=revision,
        output_said=output is not None,
    )


def _tell_of_what_was(pin: Pin, place: str, is_same_part: bool) -> None:
    """What an earlier command decides about this one, or this one about what an earlier one brought."""
    if is_same_part and not pin.subset.is_whole:
        part = shlex.join(pin.subset.options())
        out.note(
            f"only a part, as before ({part}); everything: dreg fetch {pin.dataset} --path '{EVERYTHING}'"
        )
    if Path(pin.output) != Path(place):
        out.note(f"{pin.output} stays as it is, and {place} takes its place in dreg.lock")


def _refuse_overlaps(found: list[Request]) -> None:
    for number, one in enumerate(found):
        for other in found[:number]:
            _refuse_same(one.output, other.dataset, other.output, one.dataset)


def _refuse_shared(name: str, place: str, lock: Lock) -> None:
    """Raises BadRequest for a folder that holds, or lies in, the one of another locked dataset."""
    for other, pin in lock.pins.items():
        if other != name:
            _refuse_same(place, other, pin.output, name)


def refuse_place_of_another(place: str, lock: Lock) -> None:
    """Raises BadRequest for a place that holds, or lies in, the folder of a locked dataset."""
    _refuse_shared("", place, lock)


def _refuse_same(place: str, other: str, theirs: str, name: str) -> None:
    folder, taken = (Path(path).expanduser().resolve() for path in (place, theirs))
    if folder in (taken, *taken.parents) or taken in folder.parents:
        raise BadRequest(
            f"`{place}` and `{theirs}`, where `{other}` is, would replace each other",
            hint=f"did you mean `{other}`?"
            if difflib.get_close_matches(name, [other], cutoff=0.7)
            else f"give each dataset a folder of its own: -o data/{name or 'NAME'}",
        )


def _locked(pin: Pin, repo: str | None, raw: bool, asked: Requests) -> Request:
    if repo is not None:  # a mirror of the registry: the commit and manifest must be the same
        pin = replace(pin, repo=git.public_url(repo))
    return Request(
        pin.dataset,
        Range.exactly(pin.version),
        repo or pin.repo,
        pin.output,
        raw or pin.raw,
        pin,
        exact=True,
        subset=pin.subset,
        asked=asked,
        as_locked=repo is None,
    )


def _parsed(text: str, lock: Lock, asked: Requests, by_file: bool) -> tuple[str, Range, str | None]:
    """Dataset, range and revision of `name@range`, `name@branch` or a tag.

    A bare name asks the environment, then dreg.toml, then the lock.
    """
    tag = parse_tag(text)
    if tag is not None:
        return tag[0], Range.exactly(tag[1]), None
    name, at, wanted = text.partition("@")
    check_name(name)
    if at and not wanted.strip():
        raise BadRequest(
            f"`{text}` names no version behind the `@`",
            hint=f"which one: {name}@^1.0; or the newest: {name}@latest",
        )
    if at:
        return name, *range_or_revision(wanted)
    environment = None if by_file else _of_environment()
    if environment is not None and environment[0] == name:
        return name, Range.exactly(environment[1]), None
    if name in asked.datasets:
        entry = asked.datasets[name]
        return name, entry.wanted, entry.revision
    pin = lock.pins.get(name)
    return name, *range_or_revision(pin.request if pin else "latest")


def _refuse_other_version(lock: Lock, name: str, version: Version) -> None:
    """Raises Refused where dreg.lock has another version than the environment: what is fetched and what
    `dreg.load` gives would differ."""
    pin = lock.pins.get(name)
    if pin is not None and pin.version != version:
        raise Refused(
            f"{VARIABLE} is `{tag_of(name, version)}`, and dreg.lock has `{pin.tag}`",
            hint=f"lock that one: dreg fetch {name}@{version}; or: unset {VARIABLE}",
        )


def _of_environment() -> tuple[str, Version] | None:
    """Dataset and version of the tag in DVC_DATA_VERSION; None if it is not set.

    Raises BadRequest for anything else there, nothing included: who set it wants that version, never
    another one.
    """
    text = os.environ.get(VARIABLE)
    found = parse_tag((text or "").strip())
    if text is not None and found is None:
        said = f"`{text}`, which is not the tag of a release" if text.strip() else "set, and empty"
        raise BadRequest(
            f"{VARIABLE} is {said}",
            hint=f"set it to a whole one such as wine-quality-v1.0.0, or unset it: unset {VARIABLE}",
        )
    return found


def default_repo(pin: Pin | None, asked: Requests | None = None) -> str:
    """The registry where none is named: by the environment, dreg.toml, dreg.lock, or the one around us.

    Raises BadRequest when there is none.
    """
    asked = read_requests(Path.cwd()) if asked is None else asked
    given = of_environment() or asked.repo
    if given:
        return given
    if pin is not None:
        return pin.repo
    try:
        return str(Registry.here().root)
    except DregError as error:
        raise BadRequest(
            "no registry to fetch from", hint="name it with --repo URL, or set DREG_REPO"
        ) from error
