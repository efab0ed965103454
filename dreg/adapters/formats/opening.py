"""Opening a piece with the reader that its suffix asks for; what may be wrong with it, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from dreg.adapters.formats import delimited, json_objects, loose_files, parquet
from dreg.adapters.formats.piece import KINDS, Piece, common_folder, kind_of, together
from dreg.adapters.formats.references import followed
from dreg.adapters.formats.rows import Rows, only
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import Outside

READERS = {
    ".parquet": parquet.read,
    ".csv": delimited.read,
    ".tsv": delimited.read,
    ".jsonl": json_objects.read,
    ".ndjson": json_objects.read,
    ".json": json_objects.read,
}


def pieces(files: Iterable[Path], contract: Contract) -> Iterator[Piece]:
    """The pieces of a split's files, in order. Raises Outside as `opened` does."""
    listed = list(files)
    loose = [path for path in listed if kind_of(path)]
    folder = common_folder(loose, contract) if loose else Path()
    for kind, paths in groupby(listed, kind_of):
        if kind is not None:
            yield from together(folder, paths)
            continue
        for path in paths:
            if path.suffix == ".parquet":
                with _explained(path):
                    yield from parquet.cut(path)
            else:
                yield Piece(path)


@contextmanager
def opened(piece: Piece, contract: Contract) -> Iterator[Rows]:
    """The rows of `piece`, with the files that its rows name.

    The contract gives the Arrow types of columns to formats that know none of their own (CSV,
    JSON), and says which columns name files. Raises Outside when the file is missing, of no known
    format, or broken, also while it is read.
    """
    if piece.names:
        rows = loose_files.read(piece, contract)
        yield rows if piece.columns is None else only(rows, piece.columns)
        return
    reader = READERS.get(piece.path.suffix)
    if reader is None:
        raise Outside(
            f"`{shown(piece.path)}` is in no format that can be measured",
            hint=f"write it as one of: {', '.join((*READERS, *KINDS))}",
        )
    with (
        _explained(piece.path),
        piece.path.open("rb") as file,
        reader(file, piece, contract) as rows,
    ):
        _refuse_doubles(piece, rows.schema.names)
        needed = rows if piece.columns is None else only(rows, piece.columns)
        yield followed(needed, piece, contract)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of a reader as errors of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise missing(shown(path)) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise Outside(
            f"`{shown(path)}` cannot be read: {reason}",
            hint="see how the pipeline writes it, then run it again",
        ) from error


def missing(path: str) -> Outside:
    """The error for a file that the contract names and nothing made."""
    return Outside(
        f"there is no `{path}`, which the contract names",
        hint="have the pipeline write it, or correct `splits` in dataset.yaml",
    )


def _refuse_doubles(piece: Piece, names: list[str]) -> None:
    double = next((name for name in names if names.count(name) > 1), None)
    if double is not None:
        raise Outside(
            f"`{shown(piece.path)}` has more than one column `{double}`",
            hint="give every column a name of its own",
        )
