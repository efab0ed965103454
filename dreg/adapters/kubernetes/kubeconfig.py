"""Which cluster is meant, and by whose credentials: kubeconfig files as kubectl reads them, else a pod's own account."""

from __future__ import annotations

import base64
import binascii
import difflib
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreg.adapters.kubernetes.credentials import LogIn
from dreg.errors import BadRequest

VARIABLE = "KUBECONFIG"
USUAL = "~/.kube/config"
PARTS = {"clusters": "cluster", "users": "user", "contexts": "context"}
FILES = {
    "cluster": ("certificate-authority",),
    "user": ("client-certificate", "client-key", "tokenFile"),
}
# Of who logs in, or whom: what lightkube would pass over, and ask as somebody else.
NOT_DONE = ("auth-provider", "as", "as-uid", "as-groups")
HINT = f"{VARIABLE} names the file that tells of one; --context chooses among several"


@dataclass(frozen=True)
class Access:
    """A cluster and who asks it, as lightkube takes it; `log_in` for who has a program for that."""

    config: Any
    log_in: LogIn | None = None
    proxy: str | None = None


def access(context: str | None) -> Access:
    """That of the context, or of the current one. Raises BadRequest for what is not there or not readable.

    Of several files the first that has a name, or a current context, has it; one of several need not be there.
    """
    from lightkube import KubeConfig
    from lightkube.core.exceptions import ConfigError

    files = _files()
    if not files:
        try:
            return Access(KubeConfig.from_service_account().get())
        except (ConfigError, OSError, LookupError) as error:
            raise BadRequest(
                f"no Kubernetes cluster is known here: there is no {VARIABLE}, no {USUAL}, and this is no pod",
                hint=HINT,
            ) from error
    return _access(_Merged(files), context)


def _files() -> list[Path]:
    """Those that are there. Raises BadRequest where some are named, and none of them is."""
    told = [text for text in os.environ.get(VARIABLE, "").split(os.pathsep) if text.strip()]
    named = [Path(text).expanduser() for text in told] or [Path(USUAL).expanduser()]
    found = [path for path in named if path.exists()]
    if told and not found:
        raise BadRequest(
            f"no Kubernetes cluster is known here: {VARIABLE} names "
            + ", ".join(f"`{path}`" for path in named)
            + ("; it is not there" if len(named) == 1 else "; none of them is there"),
            hint=HINT,
        )
    return found


class _Merged:
    """What the files say together: entries by part and name, each with the file that it is from."""

    def __init__(self, files: list[Path]) -> None:
        self.told = ", ".join(f"`{path}`" for path in files)
        self.current: str | None = None
        self.entries: dict[str, dict[str, tuple[dict[str, Any], Path]]] = {
            part: {} for part in PARTS
        }
        for path in files:
            self._add(path)

    def _add(self, path: Path) -> None:
        import yaml

        try:
            text = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except OSError as error:
            raise _unknown(f"`{path}` cannot be read: {error.strerror}") from error
        except (yaml.YAMLError, ValueError) as error:
            raise _unknown(f"`{path}` is no kubeconfig") from error
        if not isinstance(text, dict):
            raise _unknown(f"`{path}` is no kubeconfig")
        for part, one in PARTS.items():
            try:
                entries = [(str(e["name"]), dict(e[one] or {})) for e in text.get(part) or []]
            except (TypeError, KeyError, ValueError) as error:
                raise _unknown(f"the {part} in `{path}` are not as a kubeconfig's") from error
            for name, value in entries:
                self.entries[part].setdefault(name, (value, path))
        self.current = self.current or str(text.get("current-context") or "") or None

    def entry(self, part: str, name: str, asker: str = "") -> tuple[dict[str, Any], Path]:
        """The entry of that name. Raises BadRequest, suggesting the closest."""
        known = self.entries[part]
        if name in known:
            return known[name]
        raise BadRequest(
            f"there is no {PARTS[part]} `{name}` in {self.told}{asker}",
            hint=_among(part, name, known),
        )


def _unknown(why: str) -> BadRequest:
    return BadRequest(f"no Kubernetes cluster is known here: {why}", hint=HINT)


def _among(part: str, name: str, known: Mapping[str, Any]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"did you mean `{close[0]}`?"
    return f"there are: {', '.join(known)}" if known else f"{VARIABLE} names the file that has it"


def _access(merged: _Merged, context: str | None) -> Access:
    import msgspec
    from lightkube.config import models
    from lightkube.config.kubeconfig import SingleConfig

    name = context or merged.current
    if name is None:
        known = ", ".join(merged.entries["contexts"])
        raise BadRequest(
            f"no Kubernetes cluster is known here: {merged.told} has no current context",
            hint=f"--context names one of {known}" if known else HINT,
        )
    chosen, _ = merged.entry("contexts", name)
    asker = f", which the context `{name}` names"
    cluster, at = merged.entry("clusters", str(chosen.get("cluster") or ""), asker)
    if not str(cluster.get("server")).startswith(("http://", "https://")):
        raise _unknown(f"the `server` of `{chosen['cluster']}` in `{at}` is no address")
    user, of = merged.entry("users", str(chosen["user"]), asker) if chosen.get("user") else ({}, at)
    who = f"of `{chosen.get('user')}` in `{of}`"
    _check_user(user, who, of)
    log_in = _log_in(user.pop("exec", None), who, of)
    cluster |= _placed("cluster", cluster, at, f"of `{chosen['cluster']}` in `{at}`")
    user |= _placed("user", user, of, who)
    try:
        config = SingleConfig(
            context_name=name,
            context=msgspec.convert(chosen, models.Context),
            cluster=msgspec.convert(cluster, models.Cluster),
            user=msgspec.convert(user, models.User),
            fname=at,
        )
    except msgspec.ValidationError as error:
        raise _unknown(f"the context `{name}` in {merged.told} is not as it should be") from error
    return Access(config, log_in, cluster.get("proxy-url"))


def _check_user(user: Mapping[str, Any], who: str, file: Path) -> None:
    for key in NOT_DONE:
        if user.get(key):
            raise BadRequest(
                f"the `{key}` {who} is not something dreg can do",
                hint="--context chooses another one; a token, a certificate or a program that logs in will do",
            )


def _placed(kind: str, entry: Mapping[str, Any], file: Path, whose: str) -> dict[str, str]:
    """The files that the entry names, from where its own file is. Raises BadRequest for one that is not there."""
    found = {}
    for key in FILES[kind]:
        if not entry.get(key) or entry.get(f"{key}-data"):
            continue
        path = file.parent.absolute() / Path(str(entry[key])).expanduser()
        try:
            path.open("rb").close()
        except OSError as error:
            raise BadRequest(
                f"the `{key}` {whose} is `{path}`, which cannot be read: {error.strerror}",
                hint="log in to the cluster again, or --context chooses another one",
            ) from error
        found[key] = str(path)
    for key in _data(entry):
        try:
            base64.b64decode(str(entry[key]), validate=True)
        except binascii.Error as error:
            raise BadRequest(
                f"the `{key}` {whose} is no base64", hint="write the kubeconfig anew"
            ) from error
    return found


def _data(entry: Mapping[str, Any]) -> Iterator[str]:
    yield from (key for key in entry if key.endswith("-data") and entry[key])


def _log_in(given: Any, who: str, file: Path) -> LogIn | None:
    """The program that logs in. Raises BadRequest for one that is not installed."""
    if not given:
        return None
    try:
        command = str(given["command"])
        words = [str(word) for word in given.get("args") or []]
        more = {str(one["name"]): str(one["value"]) for one in given.get("env") or []}
        version = str(given["apiVersion"])
    except (TypeError, KeyError, AttributeError) as error:
        raise _unknown(f"the `exec` {who} is not as a kubeconfig's") from error
    if os.sep in command:  # as kubectl has it: from where the file is, not from here
        command = str(file.parent.absolute() / command)
    if shutil.which(command, path=more.get("PATH")) is None:
        install = " ".join(str(given.get("installHint") or "").split())
        raise BadRequest(
            f"the program that logs in to the cluster is not installed: `{command}`, the `exec` {who}",
            hint=install or f"install it, so that this works: {shlex.quote(command)} --help",
        )
    return LogIn((command, *words), more, version)
