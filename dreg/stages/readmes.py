"""READMEs of an organisation: which there are is written to sources.yaml, and the pipeline reads just those.

    python scripts/refresh.py                  ask GitHub which READMEs there are now
    python scripts/refresh.py --local FOLDER   take a folder of them below $DREG_MIRROR instead

What is new upstream changes sources.yaml, and so becomes the next version; what is not changes
nothing. A pipeline that asked GitHub itself would make other data at every run.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from dreg.adapters.declared_sources import SOURCES_FILE
from dreg.adapters.github import Api, last_change, readme, repositories
from dreg.adapters.github.repositories import git_hash
from dreg.adapters.source_list import read_list
from dreg.adapters.sources import Cache
from dreg.adapters.written import written
from dreg.core.sources import GitHubBlob, Local
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside
from dreg.stages.progress import say
from dreg.stages.workspace import Workspace, here

SUFFIX = "_README.md"
HEAD = "# Which files there are, and where each is from. Written by scripts/refresh.py.\n"
Entries = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Document:
    """A README: its file below `raw/`, where it is from, and under which licence, as far as known."""

    file: str
    repository: str
    path: str
    blob: str
    commit: str | None
    licence: str | None


@dataclass(frozen=True)
class Found:
    """A README as it is now, with the mirror that has it where GitHub does not answer."""

    document: Document
    content: bytes
    local: str | None = None


def documents(workspace: Workspace) -> tuple[Document, ...]:
    """The READMEs that sources.yaml lists, sorted by file. Raises BadRequest when it is none of ours."""
    path = workspace.pipeline / SOURCES_FILE
    told: Any = read_list(workspace, path) if path.is_file() else None
    try:
        listed = told["documents"]
        return tuple(Document(file=file, **listed[file]) for file in sorted(listed))
    except (KeyError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"`pipelines/{workspace.name}/{SOURCES_FILE}` lists no documents",
            hint="write it anew: python scripts/refresh.py",
        ) from error


def known_before(workspace: Workspace) -> tuple[Document, ...]:
    """The READMEs as they were listed last; none where nothing that can be read was listed."""
    try:
        return documents(workspace)
    except BadRequest:
        return ()


def refresh(arguments: Sequence[str] | None = None) -> None:
    """Write sources.yaml anew, and say what is new, other or gone.

    Raises BadRequest for other arguments than the above, and for an organisation that is not named;
    Outside when GitHub cannot be asked, or there is no README at all: then nothing is written.
    """
    workspace = here()
    given = list(sys.argv[1:] if arguments is None else arguments)
    owner = organisation(workspace)
    known, licences = known_before(workspace), noted_licences(workspace)
    if not given:
        found = list(on_github(Api(), owner, known, licences))
    elif len(given) == 2 and given[0] == "--local":
        found = list(below_mirror(owner, given[1], known, licences))
    else:
        raise BadRequest(
            f"`{' '.join(given)}` is no way to refresh",
            hint="python scripts/refresh.py, or: python scripts/refresh.py --local FOLDER",
        )
    found = [one for one in found if has_text(one)]
    if not found:
        raise Outside(
            f"`{owner}` has no README at all, and sources.yaml stays as it is",
            hint="check `organisation` in params.yaml",
        )
    record(workspace, found)


def organisation(workspace: Workspace) -> str:
    """Whose READMEs are wanted. Raises BadRequest when params.yaml doesn't say."""
    name = workspace.params.get("organisation")
    if not isinstance(name, str) or not name.replace("-", "").isalnum() or not name.isascii():
        raise BadRequest(
            f"`pipelines/{workspace.name}/params.yaml` names no organisation"
            + (f": `{name}`" if name else ""),
            hint="write `organisation: NAME`, as in github.com/NAME",
        )
    return name


def on_github(
    api: Api, owner: str, known: Iterable[Document], licences: Mapping[str, str]
) -> Iterator[Found]:
    """The READMEs of the owner's public repositories. Which commit changed one is asked of new ones;
    where GitHub knows no licence, it is as `licences` has it."""
    before = {document.repository: document for document in known}
    for repo in repositories(api, owner):
        now = readme(api, repo.name)
        if now is None:
            continue
        old = before.get(repo.name)
        same = old is not None and (old.path, old.blob) == (now.path, now.blob)
        commit = old.commit if same and old else None
        commit = commit or last_change(api, repo.name, now.path)
        file = file_of(repo.name, now.path)
        licence = repo.licence or licences.get(repo.name.partition("/")[2])
        document = Document(file, repo.name, now.path, now.blob, commit, licence)
        yield Found(document, now.content)


def below_mirror(
    owner: str, folder: str, known: Iterable[Document], licences: Mapping[str, str]
) -> Iterator[Found]:
    """The files `<repository>_README.md` in a folder below $DREG_MIRROR.

    Commit and licence are what is `known` of the same bytes. Of others nobody noted the commit, and the
    licence is the one that the repository was known to have, else as `licences` has it. Raises
    BadRequest for what is no folder below it.
    """
    mirror = os.environ.get("DREG_MIRROR")
    if not mirror:
        raise BadRequest(
            "DREG_MIRROR names no folder to look in", hint="DREG_MIRROR=FOLDER, then again"
        )
    place = Path(mirror) / folder
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        raise BadRequest(
            f"`{folder}` is no folder below DREG_MIRROR, which others have elsewhere",
            hint=f"name it as it is below {mirror}",
        )
    if not place.is_dir():
        raise BadRequest(
            f"there is no folder `{folder}` below DREG_MIRROR",
            hint=f"see what is there: ls {mirror}",
        )
    before = {document.repository: document for document in known}
    for path in sorted(place.glob(f"*{SUFFIX}")):
        name = path.name.removesuffix(SUFFIX)
        repo, content = f"{owner}/{name}", path.read_bytes()
        blob, old = git_hash(content), before.get(repo)
        commit = old.commit if old and old.blob == blob else None
        licence = (old.licence if old else None) or licences.get(name)
        document = Document(file_of(repo, "README.md"), repo, "README.md", blob, commit, licence)
        yield Found(document, content, f"{folder.strip('/')}/{path.name}")


def has_text(one: Found) -> bool:
    """Whether there is something to publish; says so where there is not. One such README is no reason to
    publish none of the others."""
    try:
        why = "" if one.content.decode().strip() else "has no text"
    except UnicodeDecodeError:
        why = "is not UTF-8"
    if why:
        say(f"{one.document.repository}: {one.document.path} {why}, and is left out")
    return not why


def noted_licences(workspace: Workspace) -> Mapping[str, str]:
    """Licences by repository's name, as the owner noted them in params.yaml. Raises BadRequest for
    what is no such note."""
    noted = workspace.params.get("licences") or {}
    if isinstance(noted, dict) and all(isinstance(x, str) for x in (*noted, *noted.values())):
        return noted
    raise BadRequest(
        f"`licences` in `pipelines/{workspace.name}/params.yaml` has something else than names",
        hint="write `licences: {REPOSITORY: SPDX-IDENTIFIER}`",
    )


def file_of(repository: str, path: str) -> str:
    """A name that says what it is, and no time: what stays the same stays where it is."""
    return f"{repository.partition('/')[2]}{PurePosixPath(path).suffix.lower() or '.txt'}"


def record(workspace: Workspace, found: Iterable[Found]) -> None:
    """Write sources.yaml; a README that has not changed keeps the mirrors that it had."""
    path = workspace.pipeline / SOURCES_FILE
    old = read_list(workspace, path) if path.is_file() else {}
    before: Entries = (old.get("sources") if isinstance(old, dict) else None) or {}
    sources: Entries = {}
    listed: Entries = {}
    for one in sorted(found, key=lambda one: one.document.file):
        told = dict(vars(one.document))
        file = told.pop("file")
        listed[file] = told
        sources[file] = source(one, before.get(file))
        keep(one)
    for line in news(before, sources):
        say(line)
    text = yaml.safe_dump({"sources": sources, "documents": listed}, sort_keys=False, width=200)
    with written(path) as file:
        file.write(f"{HEAD}{text}".encode())


def source(one: Found, before: Mapping[str, Any] | None) -> dict[str, Any]:
    """The entry of the list that the stage `download` reads."""
    sha256 = hashlib.sha256(one.content).hexdigest()
    if before and before.get("sha256") == sha256 and one.local is None:
        return dict(before)
    document = one.document
    mirrors: list[dict[str, Any]] = [
        {"github": {"repository": document.repository, "blob": document.blob}}
    ]
    if one.local:
        mirrors.append({"local": one.local})
    return {"sha256": sha256, "size": len(one.content), "mirrors": mirrors}


def keep(one: Found) -> None:
    """Into the download cache, with the kind of mirror: the next run needs not ask for it again."""
    cache, sha256 = Cache.of_user(), hashlib.sha256(one.content).hexdigest()
    with cache.locked(sha256):
        if not cache.holds(sha256):
            cache.keep(sha256, len(one.content), [one.content])
            with written(cache.note(sha256)) as note:
                note.write((Local if one.local else GitHubBlob).kind.encode())


def news(before: Entries, now: Entries) -> Iterator[str]:
    """What is other than before, a line each."""
    for file in sorted(before.keys() | now.keys()):
        if file not in now:
            yield f"{file}: gone, it will not be in the next version"
        elif file not in before:
            yield f"{file}: new"
        elif before[file].get("sha256") != now[file]["sha256"]:
            yield f"{file}: changed"
    same = sum(before.get(file, {}).get("sha256") == one["sha256"] for file, one in now.items())
    yield f"{numbered(len(now), 'README')}, {same:,} of them as before"
