"""A registry: a git repository with `pipelines/`, `data/` and a DVC remote."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.layout import Layout
from dreg.errors import BadRequest


class Dataset(Layout):
    """A name that owns `pipelines/<name>/` and `data/<name>/` in the registry at `root`."""


@dataclass(frozen=True)
class Registry:
    """The registry whose work tree is at `root` (absolute)."""

    root: Path

    @classmethod
    def here(cls, start: Path | None = None) -> Registry:
        """The registry around `start` (default: the current folder). Raises BadRequest."""
        inside = (start or Path.cwd()).resolve()
        for folder in (inside, *inside.parents):
            if (folder / ".dvc" / "config").is_file() and (folder / "pipelines").is_dir():
                return cls(folder)
        raise BadRequest(
            f"`{inside}` is not inside a registry (no `.dvc/config` and `pipelines/` here or above)",
            hint="make one with `dreg init DIR`, or name one with `-C DIR`",
        )

    @functools.cached_property
    def names(self) -> tuple[str, ...]:
        """Names of all datasets, sorted."""
        return tuple(
            sorted(path.parent.name for path in self.root.glob("pipelines/[!.]*/dvc.yaml"))
        )

    def dataset(self, name: str) -> Dataset:
        """Raises BadRequest for an unknown name, suggesting the closest."""
        if name not in self.names:
            raise unknown_dataset(name, self.names)
        return Dataset(self.root, name)

    def datasets(self, names: list[str] | None = None) -> tuple[Dataset, ...]:
        """The named datasets in the order given, or all."""
        return tuple(self.dataset(name) for name in dict.fromkeys(names or self.names))


def unknown_dataset(name: str, names: tuple[str, ...]) -> BadRequest:
    """The error for a dataset that is not among `names`."""
    close = difflib.get_close_matches(name, names, n=1)
    if close:
        hint = f"did you mean `{close[0]}`?"
    elif names:
        hint = f"datasets here: {', '.join(names)}"
    else:
        hint = "make one with `dreg new NAME --kind tabular`"
    return BadRequest(f"no dataset named `{name}`", hint=hint)
