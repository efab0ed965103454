"""What must hold whatever happened, read from the bytes themselves: nothing here is dreg's code."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

RELEASE = re.compile(r"[a-z0-9-]+-v\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?")
MANIFEST = re.compile(r"^Dreg-Manifest: sha256:([0-9a-f]{64})$", re.MULTILINE)

Get = Callable[[str], bytes | None]


def lies(bare: Path, get: Get) -> Iterator[str]:
    """Every way in which a tag on the git remote promises what is not there; `get` reads objects."""
    for tag in _git(bare, "tag", "--list").decode().split():
        if not RELEASE.fullmatch(tag):
            continue
        message = _git(bare, "cat-file", "tag", tag).decode()
        found = MANIFEST.search(message)
        if found is None:
            yield f"{tag} names no manifest"
            continue
        yield from _lies_of(bare, tag, found[1], get)


def _lies_of(bare: Path, tag: str, digest: str, get: Get) -> Iterator[str]:
    text = get(f"dreg/manifests/sha256/{digest[:2]}/{digest[2:]}.json")
    if text is None or hashlib.sha256(text).hexdigest() != digest:
        yield f"{tag}: its manifest is missing or has other bytes"
        return
    manifest = json.loads(text)
    if not manifest["files"]:
        yield f"{tag} has no files"
    for file in manifest["files"]:
        if file.get("in_git"):
            path = f"data/{manifest['dataset']}/{file['path']}"
            data: bytes | None = _git(bare, "cat-file", "blob", f"{tag}:{path}")
        else:
            data = get(_key(file["md5"]))
        if data is None:
            yield f"{tag}: {file['path']} is missing"
        elif (len(data), _md5(data), hashlib.sha256(data).hexdigest()) != (
            file["size"], file["md5"], file["sha256"],
        ):  # fmt: skip
            yield f"{tag}: {file['path']} has other bytes"
    for path, name in manifest["directories"].items():
        data = get(_key(name))
        if data is None or f"{_md5(data)}.dir" != name:
            yield f"{tag}: the folder object of {path} is missing or has other bytes"
            continue
        for child in json.loads(data):
            if get(_key(child["md5"])) is None:
                yield f"{tag}: {path}/{child['relpath']} of the folder object is missing"


def in_folder(store: Path) -> Get:
    """Reads objects of a remote that is a folder."""

    def get(key: str) -> bytes | None:
        try:
            return (store / key).read_bytes()
        except FileNotFoundError:
            return None

    return get


def damaged(store: Path) -> list[str]:
    """Objects in a folder under DVC's names that are not what their names say."""
    objects = [path for path in (store / "files" / "md5").glob("??/*") if path.is_file()]
    return [
        str(path)
        for path in objects
        if _md5(path.read_bytes()) != f"{path.parent.name}{path.name}".removesuffix(".dir")
    ]


def _key(md5: str) -> str:
    return f"files/md5/{md5[:2]}/{md5[2:]}"


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", *arguments], cwd=folder, capture_output=True, check=True).stdout
