"""Looking at files that are to become a dataset: columns and types of tables, classes of images."""

from __future__ import annotations

import contextlib
import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from dreg.core.inferred import MOST_CLASSES, ColumnSeen
from dreg.core.json_text import parse_json
from dreg.core.types import spelled
from dreg.errors import BadRequest

DELIMITERS = ",;\t|"
TABLES = (".csv", ".tsv", ".parquet")
CAPTIONS = "captions.json"
CODE = r"^ *(\+|-?0[0-9])"  # a postal code, a telephone number: no number
WHOLE = r"^ *-?[0-9]+ *$"
TEXT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # what a column may be called without quotes
IMAGES = (".png", ".jpg", ".jpeg", ".webp")


def delimiter_of(path: Path, suffix: str) -> str:
    """What separates the fields of a CSV: what its first line has the most of."""
    if suffix == ".tsv":
        return "\t"
    with path.open("rb") as file:
        head = file.readline(1 << 16)
    return max(DELIMITERS, key=lambda sign: head.count(sign.encode()))


def table_of(path: Path, suffix: str, delimiter: str, *, quotes: bool = True) -> pa.Table:
    """All rows. Raises BadRequest for what cannot be read as a table."""
    try:
        if suffix == ".parquet":
            import pyarrow.parquet as pq

            table = pq.ParquetFile(path).read()  # also of names that come twice
        else:
            table = csv_of(path, delimiter, quotes=quotes)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        uneven = "columns, got" in reason
        raise BadRequest(
            f"`{path.name}` cannot be read as a table: {reason}",
            hint="give every row as many fields as the first has"
            if uneven
            else "write it as CSV or Parquet, in UTF-8",
        ) from error
    names = table.column_names
    if odd := [name for name in names if not name.strip() or names.count(name) > 1]:
        raise BadRequest(
            f"`{path.name}` has no name, or one name twice, for a column: `{odd[0]}`",
            hint="give each column a name of its own",
        )
    if not names or not len(table):
        raise BadRequest(f"`{path.name}` has no rows", hint="give it a header and at least one row")
    return table


def csv_of(path: Path, delimiter: str, *, quotes: bool) -> pa.Table:
    """The rows of a CSV. What are numbers to Arrow, but would lose something as such, are texts.

    Raises BadRequest for one that is not in UTF-8.
    """
    from pyarrow import csv

    options = csv.ParseOptions(delimiter=delimiter, quote_char='"' if quotes else False)
    table = csv.read_csv(path, parse_options=options)
    binary = [field.name for field in table.schema if pa.types.is_binary(field.type)]
    if binary:
        raise BadRequest(
            f"column `{binary[0]}` of `{path.name}` is not UTF-8",
            hint=f"convert it: iconv -f latin1 -t utf-8 {path.name}",
        )
    numbers = {f.name: f.type for f in table.schema if f.type in (pa.int64(), pa.float64())}
    if not numbers or len(set(table.column_names)) < table.num_columns:
        return table
    texts = csv.read_csv(
        path,
        parse_options=options,
        convert_options=csv.ConvertOptions(
            column_types=dict.fromkeys(numbers, pa.string()), include_columns=list(numbers)
        ),
    )
    for name, kind in numbers.items():
        if loses(texts[name], kind):
            table = table.set_column(table.column_names.index(name), name, texts[name])
    return table


def loses(texts: pa.ChunkedArray, kind: pa.DataType) -> bool:
    """Whether texts are not the same any more once they were numbers: `01000`, `+49120`, or whole ones
    beyond 64 bits, which Arrow takes for floats."""
    if pc.any(pc.match_substring_regex(texts, CODE)).as_py():
        return True
    whole = pc.all(pc.match_substring_regex(pc.drop_null(texts), WHOLE)).as_py()
    return kind == pa.float64() and bool(whole)


def seen(table: pa.Table) -> tuple[list[ColumnSeen], list[str]]:
    """The columns that a table has, and the names of those with values of many parts."""
    columns, nested = [], []
    for name in table.column_names:
        values = plain(table[name])
        if pa.types.is_nested(values.type):
            nested.append(name)
        else:
            columns.append(column_seen(name, values))
    return columns, nested


def plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dictionaries as what they stand for; a column of nothing as texts; whole seconds as Parquet has them."""
    if pa.types.is_dictionary(values.type):
        return plain(values.cast(values.type.value_type))
    if pa.types.is_timestamp(values.type) and values.type.unit == "s":
        return values.cast(pa.timestamp("ms", values.type.tz))
    large = pa.types.is_null(values.type) or pa.types.is_large_string(values.type)
    return values.cast(pa.string()) if large else values


def column_seen(name: str, values: pa.ChunkedArray) -> ColumnSeen:
    distinct = pc.count_distinct(values, mode="only_valid").as_py()
    is_text = pa.types.is_string(values.type)
    few: Sequence[Any] = ()
    if is_text and distinct <= MOST_CLASSES:
        few = sorted(pc.unique(values.drop_null()).to_pylist())
    lowest = highest = ""
    if not is_text and not pa.types.is_binary(values.type) and distinct:
        wide = values.cast(pa.float32()) if values.type == pa.float16() else values
        with contextlib.suppress(pa.ArrowNotImplementedError):  # of durations Arrow knows none
            bounds = pc.min_max(wide).as_py()
            lowest, highest = (f"{bound}" for bound in bounds.values())
    return ColumnSeen(
        name=name,
        type=spelled(str(values.type)),
        rows=len(values),
        nulls=values.null_count,
        lowest=lowest,
        highest=highest,
        distinct=distinct,
        values=tuple(few),
        unique=not values.null_count and distinct == len(values),
    )


def zipped(folder: Path) -> bytes:
    """The images of a folder of classes as an archive that has the same bytes every time."""
    return archived(folder, images_below(folder))


def images_below(folder: Path) -> list[Path]:
    """Images in the folders that are their classes."""
    return sorted(p for p in folder.glob("*/*") if p.suffix.lower() in IMAGES and p.is_file())


def archived(folder: Path, paths: Sequence[Path]) -> bytes:
    """Files below the folder as an archive: stored, and without their times."""
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, path.read_bytes())
    return memory.getvalue()


def captioned(folder: Path) -> bytes:
    """A folder with captions.json and images/ as an archive that has the same bytes every time."""
    paths = [p for p in (folder / CAPTIONS, *sorted(folder.glob("images/*"))) if p.is_file()]
    return archived(folder, paths)


def captions_in(archive: Path) -> tuple[list[str], list[str]]:
    """What the archive's captions tell beside image and caption: texts that each has, and the names
    of what only some have, or is no text.

    Raises BadRequest for an archive without captions, or whose images are not all there.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            told: Any = parse_json(members.read(CAPTIONS))
            there = set(members.namelist())
        if not isinstance(told, list) or not told:
            raise ValueError(f"{CAPTIONS} is no list of captions")
        for one in told:
            if not isinstance(one, dict) or not all(
                isinstance(one.get(key), str) for key in ("image", "caption")
            ):
                raise ValueError("a caption has no `image` or no `caption`")
            if f"images/{one['image']}" not in there:
                raise ValueError(f"there is no images/{one['image']}")
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadRequest(
            f"`{archive.name}` has no images with captions: {str(error).strip(chr(34))}",
            hint="captions.json lists {image, caption, ...}, the images are images/NAME; in a folder or a .zip",
        ) from error
    names = sorted({name for one in told for name in one} - {"image", "caption"})
    texts = [
        name
        for name in names
        if TEXT_NAME.fullmatch(name)
        and name not in ("id", "conversations")
        and all(isinstance(one.get(name), str) for one in told)
    ]
    return texts, [name for name in names if name not in texts]


def images_in(archive: Path) -> tuple[list[str], list[int]]:
    """Classes of the archive's images, which are their folders, and the shape of the first.

    Raises BadRequest for an archive without such images.
    """
    from PIL import Image

    try:
        with zipfile.ZipFile(archive) as members:
            names = [PurePosixPath(name) for name in sorted(members.namelist())]
            images = [n for n in names if n.suffix.lower() in IMAGES and n.parent.name]
            if not images:
                raise ValueError("no image in a folder that is its class")
            with members.open(str(images[0])) as file, Image.open(file) as first:
                channels = [] if first.mode in ("1", "L", "I;16") else [3]
                shape = [first.height, first.width, *channels]
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadRequest(
            f"`{archive.name}` is no archive of images: {error}",
            hint="images are expected as CLASS/NAME.png, in a folder or a .zip",
        ) from error
    return sorted({image.parent.name for image in images}), shape
