"""Telling DVC of the remote that DREG_REMOTE names, of which it knows nothing itself."""

from __future__ import annotations

import json
from pathlib import Path

from dreg.adapters.dvc.pipeline import scratch
from dreg.adapters.dvc_config import read_remotes, wanted_remote
from dreg.adapters.written import written

NAMELESS = "dreg"  # what DVC knows a remote by that is given as an address


def chosen_remote(root: Path) -> tuple[list[str], dict[str, str]]:
    """Options for `dvc pull`, and what to add to its environment. Nothing where its own default counts.

    Raises BadRequest for a name that no remote has.
    """
    wanted = wanted_remote(None)
    if wanted is None:
        return [], {}
    remotes = read_remotes(root)
    remote = remotes.choose(wanted)
    if remote.name in remotes.by_name:
        return ["--remote", remote.name], {}
    folder = scratch(root) / "remote"
    with written(folder / "config") as file:
        file.write(f"['remote \"{NAMELESS}\"']\n    url = {json.dumps(remote.url)}\n".encode())
    return ["--remote", NAMELESS], {"DVC_SYSTEM_CONFIG_DIR": str(folder)}
