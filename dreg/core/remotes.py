"""Remotes as DVC's configuration names them: where a registry keeps its bytes.

DVC's files are ConfigObj text: `[core]`, `['remote "name"']`, `key = value`, `#` comments. Only
what dreg needs is read, and changing the default leaves every other line as it was.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dreg.errors import BadRequest

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://.*")
SCHEMES = ("s3", "gs", "azure", "http", "https")
OBJECTS = "files/md5/"  # DVC's folder for objects on any remote

_SECTION = re.compile(r"\s*\[\s*(.+?)\s*\]\s*(?:#.*)?")
_REMOTE = re.compile(r"remote\s*\"(.+)\"")
_ENTRY = re.compile(r"\s*([^#=\s\[][^=]*?)\s*=\s*(.*?)\s*")


def object_key(md5: str, *, legacy: bool = False) -> str:
    """Where DVC keeps the bytes with this md5 (of a folder: md5 with `.dir`) on any remote.

    `legacy`: where DVC 2 did.
    """
    return f"{'' if legacy else OBJECTS}{md5[:2]}/{md5[2:]}"


@dataclass(frozen=True)
class Remote:
    """A place for bytes. `url` is `s3://bucket/prefix`, `http(s)://...` or a folder's path.

    The path may be relative: `Remotes` resolves it, or says that it cannot. `credentials` is the
    path of a shared credentials file; S3's keys themselves are never read from DVC's configuration.
    `options` are all that it says, for remotes that only DVC opens; there may be secrets in them.
    """

    name: str
    url: str
    endpoint: str = ""
    region: str = ""
    profile: str = ""
    credentials: str = ""
    anonymous: bool = False
    options: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def is_native(self) -> bool:
        """Whether dreg writes to it without DVC. It reads from `gs` too."""
        return self.scheme in ("", *SCHEMES) and self.scheme != "gs"

    @property
    def scheme(self) -> str:
        """`s3`, `http`, `https`, another URL's scheme, or `` for a folder."""
        match = URL.fullmatch(self.url)
        return match.group(1).lower() if match else ""


@dataclass(frozen=True)
class Remotes:
    """The configured remotes and which is the default."""

    default: str | None
    by_name: Mapping[str, Remote] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, local: str = "", *, folder: str | None = None) -> Remotes:
        """The remotes of `.dvc/config`, overridden key by key by `.dvc/config.local`.

        `folder` is the absolute path of `.dvc`, against which DVC resolves a folder's path;
        without it (the registry is a URL) such a remote stays relative. Raises BadRequest for
        a line that is neither section, entry nor comment.
        """
        default: str | None = None
        entries: dict[str, dict[str, str]] = {}
        for where, content in ((".dvc/config", text), (".dvc/config.local", local)):
            for section, key, value in _read(content, where):
                match = _REMOTE.fullmatch(section)
                if match:
                    entries.setdefault(match.group(1), {})[key] = value
                elif section == "core" and key == "remote":
                    default = value or None
        return cls(default, {name: _remote(name, entries, folder) for name in entries})

    def choose(self, wanted: str | None = None) -> Remote:
        """The remote called `wanted`, the one at that URL or path, or the default.

        Raises BadRequest when there is none, suggesting the closest name.
        """
        if wanted and wanted not in self.by_name and (URL.fullmatch(wanted) or "/" in wanted):
            return Remote(name=wanted, url=wanted)
        name = wanted or self.default
        if name is None:
            raise BadRequest(
                "the registry has no default remote",
                hint="name one with --remote or DREG_REMOTE; "
                "in the registry, make one the default: dreg remote use NAME",
            )
        return self.named(name)

    def named(self, name: str) -> Remote:
        """The remote called `name`. Raises BadRequest, suggesting the closest."""
        if name not in self.by_name:
            raise BadRequest(f"no remote named `{name}`", hint=self._closest(name))
        return self.by_name[name]

    def _closest(self, name: str) -> str:
        close = difflib.get_close_matches(name, self.by_name, n=1)
        if close:
            return f"did you mean `{close[0]}`?"
        if self.by_name:
            return f"remotes here: {', '.join(self.by_name)}"
        return f"add it with `dvc remote add {name} URL`"


def with_default(text: str, name: str) -> str:
    """The configuration `text` with `core.remote = name`; all other lines stay as they are."""
    lines = text.splitlines(keepends=True)
    core = None
    for number, line in enumerate(lines):
        section = _SECTION.fullmatch(line.rstrip("\r\n"))
        if section:
            if core is not None:
                break
            if _unquoted(section.group(1)) == "core":
                core = number
        elif core is not None:
            entry = _ENTRY.fullmatch(line.rstrip("\r\n"))
            if entry and entry.group(1).lower() == "remote":
                indent = line[: len(line) - len(line.lstrip())]
                lines[number] = f"{indent}remote = {name}\n"
                return "".join(lines)
    if core is None:
        return f"[core]\n    remote = {name}\n{text}"
    if not lines[core].endswith("\n"):
        lines[core] += "\n"
    return "".join([*lines[: core + 1], f"    remote = {name}\n", *lines[core + 1 :]])


def setting(text: str, where: str, section: str, key: str) -> str | None:
    """The value of one setting in the configuration `text`; the last one counts."""
    found = [value for s, k, value in _read(text, where) if (s, k) == (section, key)]
    return found[-1] if found else None


def _read(text: str, where: str) -> Iterator[tuple[str, str, str]]:
    """Section, key and value of every entry."""
    section = ""
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        header = _SECTION.fullmatch(line)
        entry = _ENTRY.fullmatch(line)
        if header:
            section = _unquoted(header.group(1))
        elif entry:
            yield section, _unquoted(entry.group(1)).lower(), _value(entry.group(2))
        else:
            raise BadRequest(
                f"{where}:{number} is neither a `[section]` nor `key = value`",
                hint=f"correct line {number} of {where}",
            )


def _value(text: str) -> str:
    quoted = re.match(r"(['\"])(.*?)\1\s*(?:#.*)?$", text)
    return quoted.group(2) if quoted else re.sub(r"\s*#.*$", "", text)


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def _remote(name: str, entries: Mapping[str, Mapping[str, str]], folder: str | None) -> Remote:
    entry = _inherited(name, entries, ())
    url = entry.get("url", "")
    if not URL.fullmatch(url) and not url.startswith("~") and folder is not None:
        url = posixpath.normpath(posixpath.join(folder, url))
    return Remote(
        name=name,
        url=url.removeprefix("file://"),
        endpoint=entry.get("endpointurl", ""),
        region=entry.get("region", ""),
        profile=entry.get("profile", ""),
        credentials=entry.get("credentialpath", ""),
        anonymous=entry.get("allow_anonymous_login", "").lower() == "true",
        options=entry,
    )


def _inherited(
    name: str, entries: Mapping[str, Mapping[str, str]], seen: tuple[str, ...]
) -> dict[str, str]:
    """The entry of a remote; one at `remote://other/path` has what `other` has."""
    entry = dict(entries[name])
    match = re.fullmatch(r"remote://([^/]+)(.*)", entry.get("url", ""))
    if match is None:
        return entry
    other, path = match.groups()
    if other not in entries or other in (*seen, name):
        raise BadRequest(
            f"the remote `{name}` refers to `{other}`, which leads nowhere",
            hint=f"correct the url of `{name}` in .dvc/config",
        )
    parent = _inherited(other, entries, (*seen, name))
    return {**parent, **entry, "url": parent.get("url", "").rstrip("/") + path}
