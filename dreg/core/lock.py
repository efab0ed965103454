"""A training repository's pins: `dreg.lock`, each request resolved to exact bytes.

One `[[dataset]]` table a dataset, sorted by name, one line a value, so that changes to different
datasets merge and a moved version reads well in a diff.
"""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from semver import Version

from dreg.core.snapshot import DIGEST
from dreg.core.subset import Subset
from dreg.core.version import check_name
from dreg.errors import BadRequest, DregError, Refused

FORMAT = 1
HEADER = (
    "# Written by `dreg fetch`; commit it. `dreg fetch` without a name restores exactly this.\n"
)


@dataclass(frozen=True)
class Pin:
    """A request and what it was resolved to.

    `request` is the range, `digest` Snapshot.digest of the files, `output` the folder they are
    in, relative to the lock. `manifest` (SHA-256) is None for a plain DVC repository.
    """

    dataset: str
    request: str
    repo: str
    version: Version
    tag: str
    commit: str
    manifest: str | None
    digest: str
    output: str
    raw: bool = False
    subset: Subset = field(default_factory=Subset)

    def check_not_moved(self, commit: str, manifest: str | None) -> None:
        """Raises Refused unless the tag still leads to this commit and manifest."""
        for what, locked, now in (
            ("commit", self.commit, commit),
            ("manifest", self.manifest or "none", manifest or "none"),
        ):
            if locked != now:
                same = commit == self.commit
                first = f", remove `{self.dataset}` from dreg.lock, and then" if same else ""
                raise Refused(
                    f"the tag `{self.tag}` moved: dreg.lock has the {what} {locked[:12]}, "
                    f"the registry now {now[:12]}",
                    hint=f"releases never change, so ask the registry's owner; to accept this one{first}: "
                    f"dreg fetch {self.dataset}@{commit}",
                )

    def check_digest(self, digest: str) -> None:
        """Raises Refused unless the release's files have the locked digest."""
        if self.digest != digest:
            raise Refused(
                f"dreg.lock has the digest {self.digest[:12]} for `{self.tag}`, "
                f"and its files have {digest[:12]}",
                hint="restore dreg.lock from git; to accept these files, "
                f"remove `{self.dataset}` from dreg.lock and fetch it by name",
            )


@dataclass(frozen=True)
class Lock:
    """The pins by dataset."""

    pins: Mapping[str, Pin] = field(default_factory=dict)

    def with_pin(self, pin: Pin) -> Lock:
        """This lock with the dataset's pin replaced or added."""
        return Lock({**self.pins, pin.dataset: pin})

    def to_text(self) -> str:
        """The TOML; equal locks have equal text."""
        tables = [_table(self.pins[name]) for name in sorted(self.pins)]
        return "\n".join([HEADER + f"format = {FORMAT}\n", *tables])

    @classmethod
    def parse(cls, text: str, where: str = "dreg.lock") -> Lock:
        """The lock in `text`. Raises BadRequest that names `where` when it is not one."""
        again = f"restore {where} from git, or remove it and fetch by name"
        try:
            data = tomllib.loads(text)
            if not isinstance(data.get("format", FORMAT), int):
                raise TypeError(f"its format is {data['format']!r}")
            if data.get("format", FORMAT) > FORMAT:
                raise BadRequest(
                    f"`{where}` has format {data['format']}, and this dreg reads up to {FORMAT}",
                    hint="upgrade dreg: pip install --upgrade dreg",
                )
            if not data:  # dreg writes the format at least: what was there is lost
                raise BadRequest(f"`{where}` is empty, which dreg never leaves it", hint=again)
            tables = data.get("dataset", [])
            if not isinstance(tables, list) or not all(isinstance(item, dict) for item in tables):
                raise TypeError("`dataset` is not a list of tables")
            pins = [_pin(item) for item in tables]
        except tomllib.TOMLDecodeError as error:
            raise BadRequest(f"`{where}` is not TOML: {error}", hint=again) from error
        except DregError:
            raise
        except (KeyError, TypeError, ValueError) as error:
            why = f"a dataset has no `{error.args[0]}`" if isinstance(error, KeyError) else error
            raise BadRequest(
                f"`{where}` is not a lock that dreg wrote: {why}", hint=again
            ) from error
        twice = sorted(name for name, n in Counter(pin.dataset for pin in pins).items() if n > 1)
        if twice:
            raise BadRequest(
                f"`{where}` has more than one entry for {', '.join(f'`{name}`' for name in twice)}",
                hint=f"a merge may have kept both: remove the wrong one, or {again}",
            )
        return cls({pin.dataset: pin for pin in pins})


def _table(pin: Pin) -> str:
    values: dict[str, str] = {
        "name": pin.dataset,
        "request": pin.request,
        "repo": pin.repo,
        "version": str(pin.version),
        "tag": pin.tag,
        "commit": pin.commit,
        **({"manifest": f"sha256:{pin.manifest}"} if pin.manifest else {}),
        "digest": f"sha256:{pin.digest}",
        "output": pin.output,
    }
    lines = ["[[dataset]]", *(f"{key} = {_quoted(value)}" for key, value in values.items())]
    more = {**({"raw": True} if pin.raw else {}), **pin.subset.to_json()}
    return "\n".join([*lines, *(f"{key} = {_value(value)}" for key, value in more.items())]) + "\n"


def _value(value: Any) -> str:
    return "true" if value is True else f"[{', '.join(map(_quoted, value))}]"


def _quoted(text: str) -> str:
    """A TOML basic string. It escapes what JSON escapes, and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _pin(item: Any) -> Pin:
    manifest = item.get("manifest")
    return Pin(
        dataset=check_name(_text(item["name"])),
        request=_text(item["request"]),
        repo=_text(item["repo"]),
        version=Version.parse(_text(item["version"])),
        tag=_text(item["tag"]),
        commit=_text(item["commit"]),
        manifest=None if manifest is None else _sha256(manifest),
        digest=_sha256(item["digest"]),
        output=_text(item["output"]),
        raw=bool(item.get("raw", False)),
        subset=Subset.of(
            _texts(item.get("split", [])),
            _texts(item.get("path", [])),
            _texts(item.get("columns", [])),
            bool(item.get("metadata-only", False)),
        ),
    )


def _texts(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list of texts")
    return [_text(item) for item in value]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _sha256(value: Any) -> str:
    digest = _text(value).removeprefix("sha256:")
    if not DIGEST.fullmatch(digest):
        raise ValueError(f"{value!r} is not a sha256")
    return digest
