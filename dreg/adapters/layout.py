"""Where a dataset's files are in a registry, and reading the two that describe it."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dreg.core.json_text import parse_json
from dreg.errors import BadRequest

if TYPE_CHECKING:
    from dreg.core.contract import Contract
    from dreg.core.profile import Profile

CHANGELOG = "CHANGELOG.md"


@dataclass(frozen=True)
class Layout:
    """The two folders of the dataset `name` in the registry at `root`."""

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

    @property
    def changelog_path(self) -> str:
        """The changelog's file, relative to the registry."""
        return f"{self.folders[1]}/{CHANGELOG}"

    def changelog(self) -> str:
        """The changelog in the tree; empty if there is none. Raises BadRequest if not UTF-8."""
        try:
            return (self.root / self.changelog_path).read_bytes().decode()
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError as error:
            raise BadRequest(
                f"`{self.changelog_path}` is not UTF-8 text", hint="save it as UTF-8"
            ) from error

    def contract(self) -> Contract:
        """Raises BadRequest when dataset.yaml is missing or malformed."""
        from dreg.adapters.yaml_files import read_text, shown

        path = self.pipeline / "dataset.yaml"
        return _contract(read_text(path), shown(path))

    def profile(self) -> Profile | None:
        """The profile in the tree; None before the first run. Raises BadRequest if malformed."""
        from dreg.adapters.yaml_files import shown
        from dreg.core.profile import Profile

        try:
            data = parse_json(self.metadata.read_bytes())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise BadRequest(
                f"`{shown(self.metadata)}` is not JSON: {error}",
                hint=f"measure again: dreg run {self.name}",
            ) from error
        return Profile.from_json(data, shown(self.metadata))


@functools.lru_cache(
    maxsize=4096
)  # several steps of a command ask for it, and parsing takes the longest
def _contract(text: str, where: str) -> Contract:
    # Here, because `fetch` and `status` know a registry and read no contract.
    from dreg.adapters.yaml_files import parse_yaml
    from dreg.core.contract import Contract

    return Contract.parse(parse_yaml(text, where), where)
