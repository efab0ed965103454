"""Writing the files that automation runs by, from the one model of inputs, compute types and actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from dreg.adapters.templates import read_template
from dreg.adapters.written import written
from dreg.core.ci.cluster import argo_file, ray_file
from dreg.core.ci.compute import COMPUTE_TYPES, compute_type
from dreg.core.ci.workflows import filled
from dreg.core.wording import numbered
from dreg.errors import Refused
from dreg.registry import Registry

FOLDER = ".github/workflows"
ARGO, RAY = "deploy/argo", "deploy/ray"
RAYJOB = "rayjob.yaml"  # what is the same in all of them
# Of dreg itself: a registry has neither tests nor an image, and mostly no embeddings.
OWN = ("ci.yaml", "image.yaml", "run-embeddings-pipeline.yaml")
FROM_HERE = "python -m pip install --quiet --constraint constraints.txt '.[registry]'"
ALL_FROM_HERE = (
    "python -m pip install --quiet --constraint constraints.txt uv && uv pip install --system --quiet "
    "--torch-backend cpu --constraint constraints.txt '.[registry,ray,embeddings,vectors]'"
)
SUBMIT_FROM_HERE = "python -m pip install --quiet --constraint constraints.txt '.[registry,k8s]'"
FROM_INDEX = "python -m pip install --quiet --requirement requirements.txt"
SUBMIT_FROM_INDEX = f"{FROM_INDEX} 'dreg[k8s]'"


@dataclass(frozen=True)
class Rendered:
    """The files, those of them that were `written`, or with `--check` those that are `stale`."""

    files: tuple[str, ...]
    written: tuple[str, ...]
    stale: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        yield from (f"wrote {path}" for path in self.written)
        if not self.written and not self.stale:
            yield f"{numbered(len(self.files), 'file')} are as they should be"


def workflows(*, own: bool) -> dict[str, str]:
    """Every workflow by its path in a registry; `own`: in dreg's own repository."""
    here = (FROM_HERE, ALL_FROM_HERE, SUBMIT_FROM_HERE)
    installs = here if own else (FROM_INDEX, FROM_INDEX, SUBMIT_FROM_INDEX)
    return {
        f"{FOLDER}/{name}": filled(text.decode(), *installs)
        for name, text in read_template("workflows").items()
        if own or name not in OWN
    }


def for_cluster() -> dict[str, str]:
    """Every file for Argo Workflows and Ray, by its path in a registry."""
    argo, ray = read_template("deploy/argo"), read_template("deploy/ray")
    rayjob = ray[RAYJOB].decode()
    files = {f"{ARGO}/{name}": argo_file(text.decode(), rayjob) for name, text in argo.items()}
    return files | {
        f"{RAY}/{one.name}.yaml": ray_file(ray["job.yaml"].decode(), rayjob, one)
        for one in COMPUTE_TYPES.values()
    }


def rayjob_on(compute: str) -> dict[str, Any]:
    """The RayJob of a compute type, as its file has it. Raises BadRequest for an unknown one."""
    ray = read_template("deploy/ray")
    text = ray_file(ray["job.yaml"].decode(), ray[RAYJOB].decode(), compute_type(compute))
    made: dict[str, Any] = yaml.safe_load(text)
    return made


def render(registry: Registry, *, check: bool = False, cluster: bool = False) -> Rendered:
    """Write the files that are not as they should be; with `check`, raises Refused and names them.

    Those for a cluster where `cluster` asks for them, and wherever they are.
    """
    own = (registry.root / "dreg" / "templates" / "workflows").is_dir()
    files = workflows(own=own)
    if own or cluster or (registry.root / ARGO).is_dir():
        files |= for_cluster()
    stale = [path for path, text in files.items() if _there(registry, path) != text]
    if not check:
        for path in stale:
            with written(registry.root / path) as file:
                file.write(files[path].encode())
        return Rendered(tuple(files), tuple(stale), ())
    if not stale:
        return Rendered(tuple(files), (), ())
    refused = Refused(
        f"{len(stale)} of {numbered(len(files), 'file')} are not what the model makes",
        hint="write them: dreg ci render",
        details=stale,
    )
    refused.answer = Rendered(tuple(files), (), tuple(stale))
    raise refused


def _there(registry: Registry, path: str) -> str | None:
    try:
        return (registry.root / path).read_text(encoding="utf-8")
    except (FileNotFoundError, UnicodeDecodeError):
        return None
