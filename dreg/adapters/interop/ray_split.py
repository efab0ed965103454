"""A split for Ray Data, read by its workers straight from where the bytes are.

Workers need `dreg[ray]`, and reach the remote as this process does: endpoint and keys of the
environment travel with the dataset. Files that are read as a whole, images and documents, are verified;
of Parquet and other tables only the parts that are wanted travel, so there is nothing to verify them by.
"""

from __future__ import annotations

import io
import posixpath
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import ray.data

from dreg.adapters.formats import Piece, parquet
from dreg.adapters.formats.opening import READERS
from dreg.adapters.formats.piece import common_folder, kind_of
from dreg.adapters.formats.rows import only
from dreg.adapters.interop import tables
from dreg.adapters.interop.filesystem import ReleaseFileSystem
from dreg.adapters.interop.tables import IMAGE, Split
from dreg.core.contract import Contract
from dreg.errors import Outside

FILES_IN_TASK = 128
ROWS_IN_TASK = 64  # of those that name files


def to_ray(
    split: Split, there: ReleaseFileSystem, paths: Sequence[str], decode: bool
) -> ray.data.Dataset:
    """The split's files, which are at `paths`, as a dataset; images as arrays if they are to be decoded."""
    split.refuse_other_files()
    loose = [path for path in paths if kind_of(Path(path))]
    found = _of_files(split, there, loose) if loose else _of_tables(split, there, paths)
    if decode and split.images:
        decoder = Decoder(split.images)
        found = found.map_batches(decoder, batch_size=None, batch_format="pyarrow")
    return found


def _of_files(split: Split, there: ReleaseFileSystem, paths: Sequence[str]) -> ray.data.Dataset:
    folder = common_folder([Path(path) for path in paths], split.contract).as_posix()
    read = FilesReader(there.only(paths), split.contract, folder, split.columns)
    groups = [paths[i : i + FILES_IN_TASK] for i in range(0, len(paths), FILES_IN_TASK)]
    return _mapped(read, [{"paths": list(group)} for group in groups])


def _of_tables(split: Split, there: ReleaseFileSystem, paths: Sequence[str]) -> ray.data.Dataset:
    read = TableReader(there.only(paths), split.contract, split.columns)
    found = _mapped(read, [part for path in paths for part in _parts(there, path)])
    names = read.follows
    if not names:
        return found
    folders = {posixpath.dirname(path) for path in paths}
    beside = [
        path for path in there.contents.files if any(_below(path, folder) for folder in folders)
    ]
    attach = Attacher(there.only(beside), split.contract, names)
    rows = found.repartition(target_num_rows_per_block=ROWS_IN_TASK)
    return rows.map_batches(attach, batch_size=None, batch_format="pyarrow")


def _parts(there: ReleaseFileSystem, path: str) -> Iterator[dict[str, Any]]:
    """What is read by one task each: a table, or of a large one in Parquet some row groups."""
    if not path.endswith(".parquet") or there.size(path) < parquet.PIECE_BYTES:
        yield {"path": path, "start": 0, "stop": -1}
        return
    with there.open(path) as file:
        for piece in parquet.cut_file(file, Path(path)):
            assert piece.groups is not None
            yield {"path": path, "start": piece.groups.start, "stop": piece.groups.stop}


def _mapped(read: Any, work: list[dict[str, Any]]) -> ray.data.Dataset:
    """A task for each part of the work."""
    items = ray.data.from_items(work, override_num_blocks=len(work))
    return items.map_batches(read, batch_size=1, batch_format="pyarrow")


def _below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")


@dataclass(frozen=True)
class FilesReader:
    """Reads files of which each is a sample."""

    there: ReleaseFileSystem
    contract: Contract
    folder: str
    columns: tuple[str, ...] | None

    def __call__(self, work: pa.Table) -> pa.Table:
        paths = work["paths"][0].as_py()
        names = [posixpath.relpath(path, self.folder) for path in paths]
        contents = self.there.several(paths)
        found: dict[str, pa.Array] = {"file": pa.array(names, pa.string())}
        if kind_of(Path(paths[0])) == "image":
            rows = [{"bytes": c, "path": n} for c, n in zip(contents, names, strict=True)]
            found["image"] = pa.array(rows, IMAGE)
        else:
            found["text"] = pa.array([c.decode("utf-8-sig") for c in contents], pa.string())
        label = self.contract.label
        if label and label not in found:
            folders = [posixpath.basename(posixpath.dirname(name)) or None for name in names]
            found[label] = pa.array(folders, pa.string())
        wanted = [n for n in found if self.columns is None or n in self.columns]
        return pa.table({name: found[name] for name in wanted})


@dataclass(frozen=True)
class TableReader:
    """Reads the rows of one table, as `dreg` does from a disk."""

    there: ReleaseFileSystem
    contract: Contract
    columns: tuple[str, ...] | None

    def __call__(self, work: pa.Table) -> Iterator[pa.Table]:
        path, start, stop = (work[name][0].as_py() for name in ("path", "start", "stop"))
        groups = None if stop < 0 else range(start, stop)
        piece = Piece(Path(path), groups, columns=self.columns)
        reader = READERS[piece.path.suffix]
        with (
            self.there.open(path) as file,
            reader(file, piece, self.contract) as rows,
        ):
            wanted = rows if self.columns is None else only(rows, self.columns)
            for batch in wanted.batches:
                table = pa.Table.from_batches([tables.plain(batch)])
                beside = pa.array([posixpath.dirname(path)] * len(table), pa.string())
                yield table.append_column(Attacher.BESIDE, beside) if self.follows else table

    @property
    def follows(self) -> tuple[str, ...]:
        """The columns that name files."""
        names = [n for n, c in self.contract.columns.items() if c.type in ("image", "document")]
        return tuple(n for n in names if self.columns is None or n in self.columns)


@dataclass(frozen=True)
class Attacher:
    """Puts the files in the place of the paths that name them."""

    there: ReleaseFileSystem
    contract: Contract
    names: tuple[str, ...]
    BESIDE = "__beside__"

    def __call__(self, table: pa.Table) -> pa.Table:
        folders = table[self.BESIDE].to_pylist()
        table = table.drop_columns([self.BESIDE])
        for name in self.names:
            if name in table.column_names:
                files = self._files(name, table[name].to_pylist(), folders)
                at = table.schema.get_field_index(name)
                table = table.set_column(at, name, self._column(name, files))
        return table

    def _files(self, name: str, told: list[Any], folders: list[str]) -> list[dict[str, Any] | None]:
        """Bytes and path by row; a value may be a path, bytes, or a struct of both."""
        files: list[dict[str, Any] | None] = []
        lacking: dict[str, list[dict[str, Any]]] = {}
        for value, folder in zip(told, folders, strict=True):
            kind = "bytes" if isinstance(value, bytes) else "path"
            one = value if isinstance(value, dict) or value is None else {kind: value}
            file = None if one is None else {"bytes": one.get("bytes"), "path": one.get("path")}
            if file and file["bytes"] is None and file["path"] is None:
                file = None
            files.append(file)
            if file and file["bytes"] is None:
                path = posixpath.normpath(posixpath.join(folder, str(file["path"])))
                if path not in self.there.contents.files:
                    raise Outside(
                        f"column `{name}` names `{file['path']}`, which is no file of the release",
                        hint="tell the registry's owner",
                    )
                lacking.setdefault(path, []).append(file)
        for content, several in zip(
            self.there.several(list(lacking)), lacking.values(), strict=True
        ):
            for file in several:
                file["bytes"] = content
        return files

    def _column(self, name: str, files: list[dict[str, Any] | None]) -> pa.Array:
        if self.contract.columns[name].type == "image":
            return pa.array(files, IMAGE)
        texts = [None if file is None else file["bytes"].decode("utf-8-sig") for file in files]
        return pa.array(texts, pa.string())


@dataclass(frozen=True)
class Decoder:
    """Makes arrays (height, width, channels) of image files; of no image one without pixels."""

    names: tuple[str, ...]

    def __call__(self, table: pa.Table) -> pa.Table:
        from PIL import Image
        from ray.data.extensions import ArrowTensorArray

        for name in self.names:
            if name not in table.column_names:
                continue
            pictures = []
            for value in table[name].to_pylist():
                if value is None:
                    pictures.append(np.empty((0, 0, 3), np.uint8))
                    continue
                with Image.open(io.BytesIO(value["bytes"])) as image:
                    known = image.mode in ("L", "RGB", "RGBA")
                    pictures.append(np.asarray(image if known else image.convert("RGB")))
            alike = len({picture.shape for picture in pictures}) == 1
            whole = np.stack(pictures) if alike else _ragged(pictures)
            column = ArrowTensorArray.from_numpy(whole)
            table = table.set_column(table.schema.get_field_index(name), name, column)
        return table


def _ragged(pictures: list[Any]) -> Any:
    whole = np.empty(len(pictures), dtype=object)
    for i, picture in enumerate(pictures):
        whole[i] = picture
    return whole
