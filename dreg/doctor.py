"""Whether everything that `dreg fetch` needs from here works, one thing after the other."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters import git
from dreg.adapters.cache import cache_folder
from dreg.adapters.clock import MOST_SKEW, ahead_of
from dreg.adapters.dvc_config import Remotely, wanted_remotes
from dreg.adapters.half_written import half_written
from dreg.adapters.lock_file import read_lock
from dreg.adapters.object_cache import PARTS, ObjectCache
from dreg.adapters.objects import open_store
from dreg.adapters.objects.opening import endpoint_of
from dreg.adapters.os_errors import outside
from dreg.adapters.requests_file import read_requests
from dreg.core.manifest import manifest_digest, manifest_key
from dreg.core.release import Release
from dreg.core.remotes import Remote
from dreg.core.wording import numbered
from dreg.errors import DregError, Outside
from dreg.fetch.covering import refuse_uncovered
from dreg.fetch.requested import default_repo
from dreg.manifests import remotes_at
from dreg.output import size, table


@dataclass(frozen=True)
class Check:
    """One thing that was tried; `hint` is what to do if it is not `ok`."""

    what: str
    ok: bool
    told: str
    hint: str = ""


@dataclass(frozen=True)
class Health:
    """All that was tried, in the order in which a fetch needs it."""

    checks: tuple[Check, ...]

    def lines(self) -> Iterator[str]:
        yield from table(
            ("", "CHECK", ""), [("ok" if c.ok else "FAILS", c.what, c.told) for c in self.checks]
        )
        for check in self.checks:
            if not check.ok:
                yield f"{check.what}: {check.hint}"


def examine(repo: str | None = None, remote: Remotely = None) -> Health:
    """Try everything. Raises Outside, with the answer in it, when something fails."""
    here = Path.cwd()
    checks = [
        _tried("git", lambda: git.git("--version").decode().strip()),
        _tried("requests and lock", lambda: _files(here)),
        _tried("cache", lambda: _cache(here)),
    ]
    for place in _registries(repo):
        shown = git.public_url(place)
        checks.append(_tried(f"registry {shown}", lambda place=place: _registry(place)))  # type: ignore[misc]
        answers = checks[-1].ok
        checks.append(_tried(f"cache of {shown}", lambda p=place, a=answers: _git_cache(p, a)))  # type: ignore[misc]
        if answers:
            checks += _remotes(place, remote)
    health = Health(tuple(checks))
    wrong = [check for check in checks if not check.ok]
    if wrong:
        failure = Outside(
            f"{len(wrong)} of {len(checks)} checks fail: {', '.join(c.what for c in wrong)}",
            hint=wrong[0].hint,
        )
        failure.answer = health
        raise failure
    return health


def _tried(what: str, trial: Callable[[], str]) -> Check:
    try:
        return Check(what, True, trial())
    except DregError as error:
        return Check(what, False, error.fact, error.hint)
    except OSError as error:
        known = outside(error)
        return Check(what, False, known.fact, known.hint)


def _files(here: Path) -> str:
    asked, lock = read_requests(here), read_lock(here)
    refuse_uncovered(lock, here)
    return f"{len(asked.datasets)} asked for, {len(lock.pins)} locked"


def _cache(here: Path) -> str:
    cache = ObjectCache()
    folder = cache_folder("objects")
    with half_written(folder / PARTS):
        pass  # it can be written to
    same = folder.stat().st_dev == here.stat().st_dev
    kept = cache.link.value if same or cache.link.value == "copy" else "keeps nothing: other disk"
    return f"{folder} ({kept}; {size(shutil.disk_usage(folder).free)} free)"


def _git_cache(repo: str, answers: bool) -> str:
    git.refuse_damaged(repo, renew=answers)
    return "what was read of it is sound"


def _registries(repo: str | None) -> list[str]:
    asked, lock = read_requests(Path.cwd()), read_lock(Path.cwd())
    if repo is not None:
        return [repo]
    known = [pin.repo for pin in lock.pins.values()]
    known += [entry.repo for entry in asked.datasets.values() if entry.repo]
    if not known:
        known = [default_repo(None, asked)]
    return list(dict.fromkeys(known))


def _registry(repo: str) -> str:
    tags = list(git.remote_tags(repo, "*-v*").values())
    # A plain DVC repository may have nothing but lightweight tags, which then are its releases.
    tags = [tag for tag in tags if tag.annotated] or tags
    releases = [r for tag in tags if (r := Release.of(tag.name, tag.commit)) is not None]
    return (
        f"{numbered(len(releases), 'release')} of "
        f"{numbered(len({r.dataset for r in releases}), 'dataset')}"
    )


def _remotes(repo: str, remote: Remotely) -> list[Check]:
    """What is wrong with each remote that a fetch would try: access, and its clock."""
    asked = read_requests(Path.cwd())
    revision = git.revision(repo, "HEAD")
    remotes = asked.as_seen_from_here(remotes_at(repo, revision.read(".dvc/config")))
    checks = []
    for name in wanted_remotes(remote) or asked.remote or (None,):
        try:
            chosen = remotes.choose(name)
        except DregError as error:
            checks.append(Check(f"remote {name or ''}".strip(), False, error.fact, error.hint))
            continue
        key = _some_object(repo)
        checks.append(_tried(f"remote {chosen.name}", lambda c=chosen, k=key: _access(c, k)))  # type: ignore[misc]
        skew = ahead_of(chosen.url if chosen.scheme != "s3" else endpoint_of(chosen))
        if skew is not None:
            checks.append(_clock(chosen, skew))
    return checks


def _some_object(repo: str) -> str:
    """A key to ask for: the manifest of a release, if there is one."""
    tags = [tag for tag in git.remote_tags(repo, "*-v*").values() if tag.annotated]
    releases = [tag for tag in tags if Release.of(tag.name, tag.commit) is not None]
    for tag in git.fetch_tags(repo, [tag.name for tag in releases[-1:]]):
        digest = manifest_digest(tag.message or "")
        if digest is not None:
            return manifest_key(digest)
    return ""


def _access(remote: Remote, key: str) -> str:
    store = open_store(remote)
    by = f" as {store.identity}" if store.identity else ""
    place = store.location.removeprefix(f"the remote `{remote.name}` ")
    if key and store.size(key) is None:
        raise Outside(
            f"{store.location} answers{by}, and lacks the newest manifest",
            hint="choose the remote that has it: --remote NAME|URL or DREG_REMOTE",
        )
    if not key:
        next(store.listed("files/md5/"), None)
    return f"{place}{by}"


def _clock(remote: Remote, skew: float) -> Check:
    what = f"clock of {remote.name}"
    if abs(skew) < MOST_SKEW:
        return Check(what, True, f"{abs(skew):.0f} s apart")
    way = "ahead" if skew > 0 else "behind"
    return Check(
        what, False, f"the clock here is {abs(skew):.0f} s {way}", "set the clock, e.g. by NTP"
    )
