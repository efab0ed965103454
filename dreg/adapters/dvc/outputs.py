"""What a dataset's pipeline made, by its dvc.lock: outputs, their files, their folder objects."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from dreg.adapters.dvc.cache import cache_folder, cache_path, read_dir_object
from dreg.adapters.dvc.digests import Puzzling, directory_md5, files_in
from dreg.adapters.yaml_files import parse_yaml, read_text, read_yaml, shown
from dreg.core.remotes import object_key
from dreg.core.snapshot import File
from dreg.core.stages import LockedStage, Record, Stage, below, parse_lock, parse_pipeline
from dreg.errors import Refused


@dataclass(frozen=True)
class Output:
    """An output of a stage. `path` is relative to the registry; of a folder, md5 ends in `.dir`.

    Not `cached` means it is kept in git, not `pushed` that it never leaves this machine.
    """

    stage: str
    path: str
    md5: str
    size: int | None
    nfiles: int | None
    cached: bool
    pushed: bool

    @property
    def is_directory(self) -> bool:
        return self.md5.endswith(".dir")


def read_pipeline(root: Path, name: str) -> dict[str, Stage]:
    """The stages of the dataset's dvc.yaml. Raises BadRequest."""
    path = root / "pipelines" / name / "dvc.yaml"
    return dict(_pipeline(read_text(path), f"pipelines/{name}", shown(path)))


@functools.lru_cache(
    maxsize=4096
)  # several steps of a command ask for it, and parsing takes the longest
def _pipeline(text: str, folder: str, where: str) -> dict[str, Stage]:
    return parse_pipeline(parse_yaml(text, where), folder, where)


def read_lock(root: Path, name: str) -> dict[str, LockedStage]:
    """The stages of the dataset's dvc.lock; none before the first run. Raises BadRequest."""
    path = root / "pipelines" / name / "dvc.lock"
    return parse_lock(read_yaml(path), shown(path)) if path.is_file() else {}


def lock_outputs(root: Path, name: str) -> tuple[Output, ...]:
    """Every output that dvc.lock records for a stage that dvc.yaml has, in that order.

    Raises BadRequest when either file is malformed.
    """
    locked = read_lock(root, name)
    outputs = []
    for stage in read_pipeline(root, name).values():
        # A `foreach` stage is recorded once for each item, as `name@item`.
        made = [e for key, e in locked.items() if key.partition("@")[0] == stage.name]
        for record in (record for entry in made for record in entry.outs.values()):
            outputs.append(_output(root, name, stage, record))
    return tuple(outputs)


def _output(root: Path, name: str, stage: Stage, record: Record) -> Output:
    path = below(f"pipelines/{name}", record.path)
    declared = next((out for out in stage.outs if out.path == path), None)
    # A templated path cannot be looked up; then what DVC cached tells.
    cached = declared.cached if declared else cache_path(root, record.md5).is_file()
    pushed = declared.pushed if declared else True
    return Output(stage.name, path, record.md5, record.size, record.nfiles, cached, pushed)


def tracked_files(
    root: Path, name: str, sizes: Mapping[str, int] | None = None
) -> tuple[File, ...]:
    """Every file that dvc.lock records below `data/<name>/`, with size and md5, sorted by path.

    `sizes` are known ones by md5; others come from the cache, else from the work tree. Raises
    Refused for an output elsewhere, and for one of which neither has the bytes.
    """
    files = []
    for output in lock_outputs(root, name):
        if not output.cached or output.pushed:
            files += _files(root, name, output, sizes or {})
    return tuple(sorted(files))


def directories(root: Path, name: str) -> dict[str, str]:
    """The md5, with `.dir`, of every cached folder below `data/<name>/`, by its path there."""
    return {
        _inside(name, output): output.md5
        for output in lock_outputs(root, name)
        if output.is_directory and output.cached and output.pushed
    }


def objects(root: Path, name: str) -> Iterator[tuple[str, str]]:
    """The md5 (of a folder with `.dir`) and path of everything that DVC would push, wherever it is
    in the registry; a folder behind its files. Raises Refused where that is not known here."""
    for output in lock_outputs(root, name):
        if not output.cached or not output.pushed:
            continue
        if output.is_directory:
            for child, md5 in _listed(root, name, output).items():
                yield md5, f"{output.path}/{child}"
        yield output.md5, output.path


def _inside(name: str, output: Output) -> str:
    prefix = f"data/{name}/"
    if not output.path.startswith(prefix):
        raise Refused(
            f"stage `{output.stage}` of `{name}` writes `{output.path}`, outside of {prefix}",
            hint=f"let it write below {prefix}: a release holds nothing else",
        )
    return output.path.removeprefix(prefix)


def _files(root: Path, name: str, output: Output, sizes: Mapping[str, int]) -> list[File]:
    path = _inside(name, output)
    if not output.is_directory:
        size = sizes.get(output.md5) if output.cached else None
        if size is None and output.cached:
            size = _size(root, output.md5, f"{root}/{output.path}")
        size = output.size if size is None else size
        if size is None:
            raise _not_here(name, output.path)
        return [File(path, size, output.md5, in_git=not output.cached)]
    files = []
    for child, md5 in _listed(root, name, output).items():
        size = sizes.get(md5)
        if size is None:
            size = _size(root, md5, f"{root}/{output.path}/{child}")
        if size is None:
            raise _not_here(name, f"{output.path}/{child}")
        files.append(File(f"{path}/{child}", size, md5, in_git=not output.cached))
    return files


def _size(root: Path, md5: str, placed: str) -> int | None:
    for candidate in (f"{cache_folder(root)}/{object_key(md5)}", placed):
        try:
            return os.stat(candidate).st_size  # noqa: PTH116 - no Path: there may be many thousands
        except OSError:
            continue
    return None


def _listed(root: Path, name: str, output: Output) -> dict[str, str]:
    """The md5 of every file in the folder, by path below it."""
    listed = read_dir_object(cache_folder(root), output.md5) if output.cached else None
    if listed is None:
        listed = _listed_by_tree(root, output)
    if listed is None:
        raise _not_here(name, output.path)
    return listed


def _listed_by_tree(root: Path, output: Output) -> dict[str, str] | None:
    """The folder's files in the work tree, if they are those that dvc.lock means."""
    try:
        files = files_in(root, output.path)
    except Puzzling:
        return None
    return files if files is not None and directory_md5(files) == output.md5 else None


def _not_here(name: str, path: str) -> Refused:
    return Refused(f"the bytes of `{path}` are not here", hint=f"dreg run {name}")
