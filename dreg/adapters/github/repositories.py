"""Repositories, their READMEs and files, as GitHub's API tells of them."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from dreg.adapters.github.api import Absent, Api
from dreg.core.sources import REPOSITORY
from dreg.errors import Outside

NO_LICENCE = (None, "", "NOASSERTION")


@dataclass(frozen=True)
class Repo:
    """A public repository, as `owner/name`, and its licence as SPDX has it, if GitHub knows one."""

    name: str
    licence: str | None


@dataclass(frozen=True)
class Readme:
    """A repository's README: its path there, git's hash of it, its bytes."""

    path: str
    blob: str
    content: bytes


def repositories(api: Api, organisation: str) -> tuple[Repo, ...]:
    """The public repositories of an organisation or a person that are no forks, sorted by name.

    What is private is left out, also where the token may see it: what is collected gets published.
    Raises Absent for an unknown name.
    """
    try:
        found = list(api.pages(f"/orgs/{organisation}/repos?type=public&per_page=100"))
    except Absent:
        found = list(api.pages(f"/users/{organisation}/repos?type=owner&per_page=100"))
    kept = [_repo(api, told) for told in found if not told.get("private") and not told.get("fork")]
    return tuple(sorted(kept, key=lambda repo: repo.name))


def readme(api: Api, repo: str) -> Readme | None:
    """The README of a repository's default branch; None if it has none."""
    try:
        told = api.get(f"/repos/{repo}/readme")
    except Absent:
        return None
    path, sha = told.get("path"), told.get("sha")
    if not isinstance(path, str) or not isinstance(sha, str):
        raise api.odd("a README without path and sha")
    if told.get("encoding") != "base64":  # larger than 1 MB: only by its hash
        return Readme(path, sha, blob(api, repo, sha))
    return Readme(path, sha, _checked(api, told, sha))


def last_change(api: Api, repo: str, path: str) -> str | None:
    """The newest commit of the default branch that changed the file."""
    found = api.get(f"/repos/{repo}/commits?path={quote(path)}&per_page=1")
    return str(found[0]["sha"]) if found else None


def blob(api: Api, repo: str, sha: str) -> bytes:
    """The content that git's hash `sha` names, checked by it. Raises Absent, Outside."""
    return _checked(api, api.get(f"/repos/{repo}/git/blobs/{sha}"), sha)


def git_hash(content: bytes) -> str:
    """What git calls a file of this content."""
    head = b"blob %d\0" % len(content)
    return hashlib.sha1(head + content, usedforsecurity=False).hexdigest()


def _repo(api: Api, told: Mapping[str, Any]) -> Repo:
    name = told.get("full_name")
    if not isinstance(name, str) or not REPOSITORY.fullmatch(name):
        raise api.odd(f"a repository called {name!r}")
    spdx = (told.get("license") or {}).get("spdx_id")
    return Repo(name, None if spdx in NO_LICENCE else str(spdx))


def _checked(api: Api, told: Mapping[str, Any], sha: str) -> bytes:
    try:
        content = base64.b64decode(told["content"])
    except (KeyError, TypeError, binascii.Error) as error:
        raise api.odd("a file without content") from error
    if git_hash(content) != sha:
        raise Outside(
            f"GitHub at {api.url} gave other bytes than {sha[:12]} names", hint="try again later"
        )
    return content
