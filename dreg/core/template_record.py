"""What a dataset was made from: `pipelines/<name>/template.json`, kept in git.

It has the template's name, the answers, and the files as they were made. So the template's next
version can be merged with what the owner has changed since, and the version that it was made from
need be nowhere any more.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from dreg.errors import BadRequest

FILE = "template.json"
FORMAT = 1

Made = Mapping[str, bytes | None]


@dataclass(frozen=True)
class Record:
    """`template` is a kind, or the folder or git URL of an own template, of which `commit` was read.

    `made` has the bytes of each text file by its path in the registry; of others, None: their
    checksums are in `sums`, and they are not merged.
    """

    template: str
    own: bool
    commit: str | None
    dreg: str
    answers: Mapping[str, str | None]
    made: Made
    sums: Mapping[str, str]

    def is_as_made(self, path: str, content: bytes) -> bool:
        """Whether the file is what was made."""
        return self.sums.get(path) == hashlib.sha256(content).hexdigest()


def renamed(record: Record, name: str) -> Record:
    """The record where the dataset is called `name` now, and has its files in the folders of that name."""
    before = record.answers.get("name")
    if not before or before == name:
        return record

    def moved(path: str) -> str:
        for folder in ("pipelines", "data"):
            if path.startswith(f"{folder}/{before}/"):
                return f"{folder}/{name}/{path.removeprefix(f'{folder}/{before}/')}"
        return path

    return replace(
        record,
        answers={**record.answers, "name": name},
        made={moved(path): content for path, content in record.made.items()},
        sums={moved(path): digest for path, digest in record.sums.items()},
    )


def record_path(name: str) -> str:
    """The record's file, relative to the registry."""
    return f"pipelines/{name}/{FILE}"


def recorded(
    template: str,
    own: bool,
    commit: str | None,
    dreg: str,
    answers: Mapping[str, str | None],
    files: Mapping[str, bytes],
) -> Record:
    """The record of `files`, by path, that were made."""
    made = {path: content if is_text(content) else None for path, content in files.items()}
    sums = {path: hashlib.sha256(content).hexdigest() for path, content in files.items()}
    return Record(template, own, commit, dreg, dict(answers), made, sums)


def is_text(content: bytes) -> bool:
    """Whether it is text that can be merged by lines."""
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def record_json(record: Record) -> bytes:
    """The record's file: a line of the made files is a line of JSON, so that git shows what changed."""
    files: dict[str, Any] = {}
    for path, content in sorted(record.made.items()):
        text = None if content is None else content.decode()
        lines = None if text is None else text.split("\n")
        files[path] = {"sha256": record.sums[path], **({"lines": lines} if lines else {})}
    told = {
        "format": FORMAT,
        "template": record.template,
        "own": record.own,
        "commit": record.commit,
        "dreg": record.dreg,
        "answers": dict(record.answers),
        "files": files,
    }
    return (json.dumps(told, indent=1, ensure_ascii=False) + "\n").encode()


def parse_record(content: bytes, where: str) -> Record:
    """Raises BadRequest for what is no record, or one whose files are not what their checksums say."""
    try:
        told = json.loads(content)
        if told["format"] != FORMAT:
            raise ValueError(f"format {told['format']}")
        made: dict[str, bytes | None] = {}
        sums: dict[str, str] = {}
        for path, file in told["files"].items():
            lines = file.get("lines")
            made[path] = None if lines is None else "\n".join(lines).encode()
            sums[path] = str(file["sha256"])
            if lines is not None and hashlib.sha256(made[path] or b"").hexdigest() != sums[path]:
                raise ValueError(f"{path} is not what was made")
        answers = {str(key): value for key, value in told["answers"].items()}
        return Record(
            str(told["template"]), told["own"] is True, told["commit"], str(told["dreg"]),
            answers, made, sums,
        )  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadRequest(
            f"`{where}` is no record of a template: {error}", hint="get it back from git"
        ) from error
