"""Opening a piece with the reader that its suffix asks for; what may be wrong with it, in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa

from dreg.adapters.formats import parquet, texts
from dreg.adapters.formats.piece import Piece
from dreg.adapters.formats.rows import Rows
from dreg.adapters.yaml_files import shown
from dreg.core.contract import Contract
from dreg.errors import Outside

READERS = {
    ".parquet": parquet.read,
    ".csv": texts.read_csv,
    ".tsv": texts.read_csv,
    ".jsonl": texts.read_json_lines,
}


def pieces(files: Iterable[Path]) -> Iterator[Piece]:
    """The pieces of a split's files, in order. Raises Outside as `opened` does."""
    for path in files:
        if path.suffix == ".parquet":
            with _explained(path):
                yield from parquet.cut(path)
        else:
            yield Piece(path)


@contextmanager
def opened(piece: Piece, contract: Contract) -> Iterator[Rows]:
    """The rows of `piece`.

    The contract gives the Arrow types of columns to formats that know none of their own (CSV,
    JSON). Raises Outside when the file is missing, of no known format, or broken, also while it is
    read.
    """
    reader = READERS.get(piece.path.suffix)
    if reader is None:
        raise Outside(
            f"`{shown(piece.path)}` is in no format that can be measured",
            hint=f"write it as one of: {', '.join(READERS)}",
        )
    with (
        _explained(piece.path),
        piece.path.open("rb") as file,
        reader(file, piece, contract) as rows,
    ):
        _refuse_doubles(piece, rows.schema.names)
        yield rows


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Errors of a reader as errors of ours."""
    try:
        yield
    except FileNotFoundError as error:
        raise missing(shown(path)) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Outside(
            f"`{shown(path)}` cannot be read: {texts.reason(error, path)}",
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
