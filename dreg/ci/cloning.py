"""A registry that is not here: cloned into a folder that goes with the command."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.cache import cache_folder
from dreg.adapters.dvc.pipeline import scratch
from dreg.adapters.dvc_config import wanted_remote
from dreg.adapters.git import check_url, git, public_url
from dreg.adapters.scratch import scratch_folder
from dreg.core.remotes import Remotes
from dreg.errors import BadRequest
from dreg.output import out
from dreg.registry import Registry

VARIABLE = "DREG_REPO"


@dataclass(frozen=True)
class Cloned(Registry):
    """A registry whose work tree is gone when the command ends. What is pushed stays, and logs."""

    def refuse_folder_beside(self) -> None:
        """Raises BadRequest where bytes would go to a folder beside the clone, and so with it."""
        text = (self.root / ".dvc" / "config").read_text(encoding="utf-8")
        remote = Remotes.parse(text).choose(wanted_remote(None))
        if remote.scheme == "" and not Path(remote.url).is_absolute():
            raise BadRequest(
                f"the remote `{remote.name}` is a folder beside the registry, and a clone has none beside it",
                hint="name a remote that is reached from here in DREG_REMOTE, by name, URL or path",
            )


@contextmanager
def registry_at(
    repo: str | None, *, branch: str | None = None, logs: Path | None = None
) -> Iterator[Registry]:
    """A clone of the registry at `repo`, with `branch` checked out. Without `repo` the registry around us; where there
    is none, a clone of that which DREG_REPO names.

    The logs of pipelines are kept in `logs`, or in dreg's cache. Raises BadRequest for what is no
    registry, Outside when it cannot be reached.
    """
    where = repo or _elsewhere()
    if where is None:
        yield Registry.here()
        return
    with scratch_folder() as folder:
        place = folder.resolve() / "registry"
        out.note(f"cloning {public_url(where)}")
        on = ("--branch", branch) if branch else ()
        git("clone", "--quiet", *on, "--", check_url(where), str(place))
        if not ((place / ".dvc" / "config").is_file() and (place / "pipelines").is_dir()):
            raise BadRequest(
                f"{public_url(where)} is no registry (no `.dvc/config` and `pipelines/`)",
                hint=f"check --repo or {VARIABLE}, and the branch",
            )
        kept = logs.expanduser().absolute() if logs else cache_folder("logs")
        kept.mkdir(parents=True, exist_ok=True)
        scratch(place).mkdir(parents=True)
        (scratch(place) / "logs").symlink_to(kept)
        yield Cloned(place)


def _elsewhere() -> str | None:
    """What DREG_REPO names, where there is no registry around us."""
    named = os.environ.get(VARIABLE)
    if not named:
        return None
    try:
        Registry.here()
    except BadRequest:
        return named
    return None
