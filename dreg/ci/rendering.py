"""Writing the files that automation runs by, from the one model of inputs, compute types and actions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dreg.adapters.templates import read_template
from dreg.adapters.written import written
from dreg.core.ci.workflows import filled
from dreg.errors import Refused
from dreg.registry import Registry

FOLDER = ".github/workflows"
# Of dreg itself: a registry has neither tests nor an image, and mostly no embeddings.
OWN = ("ci.yaml", "image.yaml", "run-embeddings-pipeline.yaml")
FROM_HERE = "python -m pip install --quiet --constraint constraints.txt '.[registry]'"
ALL_FROM_HERE = (
    "python -m pip install --quiet --constraint constraints.txt uv && uv pip install --system --quiet "
    "--torch-backend cpu --constraint constraints.txt '.[registry,ray,embeddings,vectors]'"
)
FROM_INDEX = "python -m pip install --quiet --requirement requirements.txt"


@dataclass(frozen=True)
class Rendered:
    """The files, those of them that were `written`, or with `--check` those that are `stale`."""

    files: tuple[str, ...]
    written: tuple[str, ...]
    stale: tuple[str, ...]

    def lines(self) -> Iterator[str]:
        yield from (f"wrote {path}" for path in self.written)
        if not self.written and not self.stale:
            yield f"{len(self.files)} files are as they should be"


def workflows(*, own: bool) -> dict[str, str]:
    """Every workflow by its path in a registry; `own`: in dreg's own repository."""
    install, install_all = (FROM_HERE, ALL_FROM_HERE) if own else (FROM_INDEX, FROM_INDEX)
    return {
        f"{FOLDER}/{name}": filled(text.decode(), install, install_all)
        for name, text in read_template("workflows").items()
        if own or name not in OWN
    }


def render(registry: Registry, *, check: bool = False) -> Rendered:
    """Write the files that are not as they should be; with `check`, raises Refused and names them."""
    own = (registry.root / "dreg" / "templates" / "workflows").is_dir()
    files = workflows(own=own)
    stale = [path for path, text in files.items() if _there(registry, path) != text]
    if not check:
        for path in stale:
            with written(registry.root / path) as file:
                file.write(files[path].encode())
        return Rendered(tuple(files), tuple(stale), ())
    if not stale:
        return Rendered(tuple(files), (), ())
    refused = Refused(
        f"{len(stale)} of {len(files)} files are not what the model makes",
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
