"""How things stand with a dataset's pipeline, found out without starting DVC."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dreg.adapters.dvc.cache import cache_folder, holds
from dreg.adapters.dvc.digests import Advance, digests, file_md5
from dreg.adapters.dvc.memory import Memory
from dreg.adapters.dvc.outputs import read_lock, read_pipeline
from dreg.adapters.yaml_files import read_yaml, shown
from dreg.core.freshness import Seen, Verdict, verdict
from dreg.core.stages import LockedStage, Stage, below, in_order, paths
from dreg.errors import BadRequest


def quietly(total: int) -> Advance:
    """Announces nothing and counts nothing."""
    return lambda n: None


def scratch(root: Path) -> Path:
    """Where dreg keeps what only this work tree needs; ignored by git as all of `.dvc/tmp` is."""
    return root / ".dvc" / "tmp" / "dreg"


@dataclass(frozen=True)
class Pipeline:
    """The pipeline of the dataset `name` in the registry at `root`."""

    root: Path
    name: str

    @property
    def folder(self) -> str:
        return f"pipelines/{self.name}"

    @property
    def file(self) -> str:
        """Its dvc.yaml, as DVC is told which pipeline is meant."""
        return f"{self.folder}/dvc.yaml"

    @functools.cached_property
    def stages(self) -> dict[str, Stage]:
        """Raises BadRequest when dvc.yaml is malformed."""
        return read_pipeline(self.root, self.name)

    def locked(self) -> dict[str, LockedStage]:
        """Read anew, since a run rewrites it. Raises BadRequest when dvc.lock is malformed."""
        return read_lock(self.root, self.name)

    @functools.cached_property
    def order(self) -> list[str]:
        """Names of the stages, each behind those it needs. Raises BadRequest for a cycle."""
        return in_order(self.stages, shown(self.root / self.file))

    @functools.cached_property
    def is_plain(self) -> bool:
        """Whether all of dvc.yaml is understood without DVC."""
        return not any(stage.beyond for stage in self.stages.values())

    def targets(self, names: list[str]) -> list[str]:
        """The stages as DVC's command line names them."""
        return [f"{self.file}:{name}" for name in names]

    def reads(self) -> set[str]:
        """Names of the other datasets whose data a stage depends on."""
        found = set()
        for stage in self.stages.values():
            for _, path in stage.deps:
                parts = path.split("/")
                if parts[0] == "data" and len(parts) > 1:
                    found.add(parts[1])
        return found - {self.name}

    def verdicts(self, announce: Callable[[int], Advance] = quietly) -> dict[str, Verdict]:
        """How things stand with every stage, in order.

        Raises BadRequest when dvc.yaml, dvc.lock or a params file is malformed.
        """
        locked = self.locked()
        memory = _memory(self.root, self.name)
        md5, puzzling = digests(self.root, paths(self.stages.values()), memory, announce)
        recorded = {
            out.path: (record.md5, out.cached)
            for stage in self.stages.values()
            for out in stage.outs
            if (entry := locked.get(stage.name)) and (record := entry.outs.get(out.written))
        }
        cache = cache_folder(self.root)
        uncached = frozenset(
            path
            for path, (known, cached) in recorded.items()
            # What is not here or differs is told by that; only then nobody looks at the cache.
            if cached and md5[path] == known and not holds(cache, known, memory)
        )
        memory.save()
        seen = Seen(md5, self._params(), uncached, puzzling)
        made = {path: known for path, (known, _) in recorded.items()}
        return {
            name: verdict(self.stages[name], locked.get(name), self.folder, seen, made)
            for name in self.order
        }

    def _params(self) -> dict[str, Any]:
        files = {below(self.folder, f) for stage in self.stages.values() for f in stage.params}
        return {file: _values(self.root / file) for file in files}


def remembered_md5(root: Path, name: str, path: Path) -> str | None:
    """The md5 of a file of the dataset, read only if it was touched since its pipeline ran."""
    return file_md5(path, _memory(root, name))


def _memory(root: Path, name: str) -> Memory:
    return Memory(scratch(root) / "digests" / f"{name}.json")


def _values(path: Path) -> Any:
    """The values in a params file; None if there is no such file."""
    if not path.is_file():
        return None
    if path.suffix != ".json":
        return read_yaml(path) or {}
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise BadRequest(
            f"`{shown(path)}` is not JSON: {error}", hint=f"correct {shown(path)}"
        ) from error
