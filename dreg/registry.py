"""A registry: a git repository with `pipelines/`, `data/` and a DVC remote."""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from pathlib import Path

from dreg.core.contract import Contract
from dreg.core.profile import Profile
from dreg.errors import BadRequest


@dataclass(frozen=True)
class Dataset:
    """A name that owns `pipelines/<name>/` and `data/<name>/` in the registry at `root`."""

    root: Path
    name: str

    @property
    def pipeline(self) -> Path:
        return self.root / "pipelines" / self.name

    @property
    def data(self) -> Path:
        return self.root / "data" / self.name

    @property
    def metadata(self) -> Path:
        """The profile's file."""
        return self.data / "metadata.json"

    @property
    def folders(self) -> tuple[str, str]:
        """The dataset's two folders, relative to the registry."""
        return f"pipelines/{self.name}", f"data/{self.name}"

    def contract(self) -> Contract:
        """Raises BadRequest when dataset.yaml is missing or malformed."""
        from dreg.adapters.yaml_files import read_yaml, shown  # a third of the time of `fetch`

        path = self.pipeline / "dataset.yaml"
        return Contract.parse(read_yaml(path), shown(path))

    def profile(self) -> Profile | None:
        """The profile in the tree; None before the first run. Raises BadRequest if malformed."""
        import json

        from dreg.adapters.yaml_files import shown

        try:
            data = json.loads(self.metadata.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise BadRequest(
                f"`{shown(self.metadata)}` is not JSON: {error}",
                hint=f"measure again: dreg run {self.name}",
            ) from error
        return Profile.from_json(data, shown(self.metadata))


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
