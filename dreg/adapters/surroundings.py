"""Where data is made: versions of dreg, Python and the packages that make it.

Those are the packages that dreg needs to run a pipeline, those that its scripts import, and what they all
need. What else is installed made nothing: a linter more in an environment is no other data.
"""

from __future__ import annotations

import ast
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import packages_distributions
from pathlib import Path

from dreg import __version__
from dreg.adapters.layout import Layout
from dreg.adapters.yaml_files import read_yaml
from dreg.core.about import Surroundings
from dreg.errors import DregError

OURS = "dreg"
RUNS = "registry"  # dreg's extra that pipelines need
EMBEDS = "embeddings"  # and the one of those that declare a model
REQUIRES = re.compile(r"Requires-Dist: *([\w.-]+) *(?:\[([^]\n]*)\])?[^;\n]*(?:;(.*))?")
IF_EXTRA = re.compile(r"extra *== *['\"]([\w.-]+)")


def surroundings(layout: Layout) -> Surroundings:
    """Here and now, for the dataset's pipeline. No names of the machine or its user."""
    there = _folders()
    used = sorted(_used(layout, there)) if OURS in there else sorted(there)
    return _told({name: _version(there[name]) for name in used})


def all_surroundings() -> Surroundings:
    """Here and now, with every package that is installed."""
    return _told({name: _version(folder) for name, folder in sorted(_folders().items())})


def _told(packages: Mapping[str, str]) -> Surroundings:
    return Surroundings(
        dreg=__version__,
        python=platform.python_version(),
        platform=f"{platform.system().lower()}-{platform.machine()}",
        packages=packages,
    )


def _folders() -> dict[str, Path]:
    """What is installed, by the names of folders: importlib's reading takes a hundred times as long."""
    found = {}
    for entry in reversed(sys.path):  # the first on the path is the one that is imported
        for folder in Path(entry or ".").glob("*.dist-info"):
            found[_name(folder.name.partition("-")[0])] = folder
    return found


def _name(written: str) -> str:
    return re.sub(r"[-_.]+", "-", written).lower()


def _version(folder: Path) -> str:
    return folder.name.removesuffix(".dist-info").partition("-")[2]


def _used(layout: Layout, there: Mapping[str, Path]) -> set[str]:
    """Names of packages: where the walk begins, and all that they say they need and is there."""
    extras = {RUNS, EMBEDS} if _declares_a_model(layout) else {RUNS}
    ahead = [(OURS, extra) for extra in extras]
    ahead += [(name, "") for name in _imported(layout, there)]
    seen: set[tuple[str, str]] = set()
    while ahead:
        name, extra = one = ahead.pop()
        if one in seen or name not in there:
            continue
        seen.add(one)
        for needed, wants, only_for in _needs(there[name]):
            if only_for in ("", extra):
                ahead += [(needed, want) for want in ("", *wants)]
    return {name for name, _ in seen}


def _needs(folder: Path) -> Iterator[tuple[str, list[str], str]]:
    """What a package needs: its name, extras of it, and for which extra of the package only."""
    try:
        head, _, _ = (folder / "METADATA").read_text(encoding="utf-8").partition("\n\n")
    except (OSError, UnicodeDecodeError):
        return
    for name, extras, condition in REQUIRES.findall(head):
        only_for = IF_EXTRA.search(condition)
        wants = [_name(extra.strip()) for extra in extras.split(",") if extra.strip()]
        yield _name(name), wants, _name(only_for[1]) if only_for else ""


def _declares_a_model(layout: Layout) -> bool:
    try:
        params = read_yaml(layout.pipeline / "params.yaml")
    except DregError:
        return False
    return isinstance(params, dict) and "model" in params


def _imported(layout: Layout, there: Mapping[str, Path]) -> Iterator[str]:
    """Packages that the pipeline's scripts import by name."""
    scripts = sorted((layout.pipeline / "scripts").glob("**/*.py"))
    own = {script.stem for script in scripts} | sys.stdlib_module_names | {OURS}
    modules = {module for script in scripts for module in _modules(script)} - own
    unknown = set()
    for module in modules:
        if _name(module) in there:
            yield _name(module)
        else:
            unknown.add(module)
    if unknown:  # named otherwise than what it is in: sklearn, cv2
        by_module = packages_distributions()
        yield from (_name(package) for module in unknown for package in by_module.get(module, ()))


def _modules(script: Path) -> Iterator[str]:
    try:
        tree = ast.parse(script.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]
