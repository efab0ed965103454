"""What the files of a first source tell about the dataset: answers for its template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dreg.adapters.github.repositories import git_hash
from dreg.adapters.inferring.commas import with_their_decimals
from dreg.adapters.inferring.delimited import (
    are_quoted,
    converted,
    delimiter_of,
    odd_quote,
    refuse_other_texts,
)
from dreg.adapters.inferring.images import captions_in, images_in
from dreg.adapters.inferring.tables import (
    JSON_LINES,
    TABLES,
    classes_in,
    different,
    refuse_no_texts,
    seen,
    table_of,
)
from dreg.core.inferred import contract_lines, key_of, label_of, name_in_yaml, unlabelled
from dreg.core.wording import numbered
from dreg.errors import BadRequest

if TYPE_CHECKING:
    import pyarrow as pa

DOCUMENTS = (".md", ".markdown")
TEXT_COLUMNS = ("text", "label")
FEW = 20  # different rows, of which some split may have none


@dataclass(frozen=True)
class First:
    """A source: its name below `raw/`, where its bytes are now, and the mirror that has it."""

    name: str
    path: Path
    sha256: str
    size: int
    mirror: str

    @property
    def suffix(self) -> str:
        return Path(self.name).suffix.lower()

    def lines(self) -> Iterator[str]:
        """Its entry in params.yaml."""
        yield f"  {name_in_yaml(self.name)}:"
        yield f"    sha256: {self.sha256}"
        yield f"    size: {self.size}"
        yield "    mirrors:"
        yield f"      - {self.mirror}"


@dataclass(frozen=True)
class Told:
    """Answers for the template, files to put into the pipeline's folder, and what to tell the user."""

    answers: dict[str, str | None]
    files: dict[str, bytes]
    notes: tuple[str, ...] = ()


def looked_at(firsts: list[First], kind: str) -> Told:
    """What the files say about the contract."""
    sources = "\n".join(line for first in firsts for line in first.lines()) + "\n"
    if kind == "image":
        [first] = firsts
        found = images_in(first.path)
        classes = ", ".join(map(name_in_yaml, found.classes))
        told = f"  image: {{ type: uint8, shape: {found.shape} }}\n"
        told += f"  label: {{ type: int64, classes: [{classes}] }}\n"
        return Told({"sources": sources, "columns": told}, {}, tuple(found.lost))
    if kind == "vlm":
        return captions(firsts[0], sources)
    if kind == "documents":
        return documents(firsts, sources)
    odd = next((first for first in firsts if first.suffix not in TABLES), None)
    if odd:
        afar = "; download it as one of these: --from FILE" if odd.mirror.startswith("http") else ""
        raise BadRequest(
            f"`{odd.name}` is no table by its name",
            hint=f"files of {', '.join(TABLES)} are read{afar}",
        )
    return table(firsts, kind, sources)


def captions(first: First, sources: str) -> Told:
    """What an archive of images with captions says; a `subject` decides which are in one split."""
    names, left = captions_in(first.path)
    answers: dict[str, str | None] = {
        "sources": sources,
        "about": "".join(f'"{name}", ' for name in names).strip(),
        "columns": "".join(f"  {name}: string\n" for name in names),
        "key": "subject" if "subject" in names else "",
    }
    notes = [f"`{name}` is left out: not every caption has it, as a text" for name in left]
    return Told(answers, {}, tuple(notes))


def documents(firsts: list[First], sources: str) -> Told:
    """An index of documents of which is only known that somebody had them here."""
    listed = []
    for first in firsts:
        refuse_other_texts(first.path)
        content = first.path.read_bytes()
        refuse_no_document(first, content)
        listed += [
            f"  {name_in_yaml(first.name)}:",
            f"    repository: {name_in_yaml(f'local/{Path(first.name).stem}')}",
            f"    path: {name_in_yaml(first.name)}",
            f"    blob: {git_hash(content)}",
            "    commit: null",
            "    licence: null",
        ]
    text = f"sources:\n{sources}documents:\n" + "".join(f"{line}\n" for line in listed)
    told = (
        "the documents' repositories are called local/NAME: say in sources.yaml where they are from"
    )
    return Told({"sources": text}, {}, (told,))


def refuse_no_document(first: First, content: bytes) -> None:
    """Raises BadRequest for what is no text in UTF-8, or has nothing in it."""
    if first.suffix not in DOCUMENTS:
        raise BadRequest(
            f"`{first.name}` is no document by its name",
            hint=f"files of {', '.join(DOCUMENTS)} are read",
        )
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"`{first.name}` is not UTF-8",
            hint=converted(first.name, "windows-1252"),
        ) from error
    if not text.strip():
        raise BadRequest(f"`{first.name}` has no text", hint="leave it out, or write it")


def table(firsts: list[First], kind: str, sources: str) -> Told:
    """What tables of the same columns say."""
    import pyarrow as pa

    for one in firsts:
        if one.suffix != ".parquet":
            refuse_other_texts(one.path)
    texts = [first for first in firsts if first.suffix not in (".parquet", *JSON_LINES)]
    signs = {delimiter_of(one.path, one.suffix) for one in texts} or {","}
    if len(signs) > 1:
        raise BadRequest("the files have different delimiters", hint="write them alike")
    [sign] = signs
    # In a TSV a quote is often but a sign of its text. Whether it is, the tables' own tell.
    unquoted = sign == "\t" and (
        not all(are_quoted(one.path) for one in texts)
        if kind == "text"
        else any(odd_quote(one.path, sign) for one in texts)
    )
    as_written = TEXT_COLUMNS if kind == "text" else ()

    def read(decimal: str) -> list[pa.Table]:
        return [
            table_of(
                first.path,
                first.suffix,
                sign,
                quotes=not unquoted,
                texts=as_written,
                decimal=decimal,
            )
            for first in firsts
        ]

    tables, commas = with_their_decimals(read, sign)
    for first, one in zip(firsts, tables, strict=True):
        if one.column_names != tables[0].column_names:
            raise BadRequest(
                f"`{first.name}` has other columns than `{firsts[0].name}`",
                hint="tables of other columns are other datasets",
            )
    written = {f.name for one in tables for f in one.schema if pa.types.is_string(f.type)}
    try:
        tables = [as_texts(one, written) for one in tables]
        rows = pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise BadRequest(
            f"the files have columns of one name and different types: {error}",
            hint="tables of other columns are other datasets",
        ) from error
    answers: dict[str, str | None] = {"sources": sources, "delimiter": sign}
    if any(first.suffix in JSON_LINES for first in firsts):
        answers["json_lines"] = "yes"
    if unquoted != (sign == "\t" and kind == "text"):  # as the kind's template takes it
        answers["unquoted"] = "yes" if unquoted else "no"
    if kind == "text":
        names = rows.column_names
        if not set(TEXT_COLUMNS) <= set(names):
            raise BadRequest(
                f"`{firsts[0].name}` has no columns `text` and `label`: {', '.join(names)}",
                hint="rename them, or take --kind tabular",
            )
        refuse_no_texts(rows["text"])
        answers["classes"] = ", ".join(map(name_in_yaml, classes_in(rows["label"])))
        notes = [f"column `{name}` is left out" for name in names if name not in TEXT_COLUMNS]
        return Told(answers, {}, (*notes, *few(different(rows.select(["text"]), FEW), "text")))
    columns, nested = seen(rows)
    label, key = label_of(columns), key_of(columns)
    answers["columns"] = "".join(f"{line}\n" for line in contract_lines(columns, label))
    answers["label"] = name_in_yaml(label.name) if label else ""
    answers["key"] = name_in_yaml(key.name) if key else ""
    notes = [f"column `{name}` has values of many parts and is left out" for name in nested]
    if commas:
        answers["decimal"] = ","
        notes.append(f"numbers are read with decimal commas, as in column `{commas[0]}`")
    notes += [f"column `{name}` is no label: some rows have none" for name in unlabelled(columns)]
    count = different(rows.select([column.name for column in columns]), FEW)
    return Told(answers, {}, (*notes, *few(count, "row")))


def few(count: int, what: str) -> Iterator[str]:
    """What is told of so few samples that a split may have none: equal ones are in one split."""
    if count < FEW:
        yield (
            f"there {'is' if count == 1 else 'are'} only {numbered(count, f'different {what}')}: if a split "
            f"stays empty, change `validation_share` in params.yaml, or take that split out of dataset.yaml"
        )


def as_texts(table: pa.Table, names: set[str]) -> pa.Table:
    """The columns of those names as texts, as they are in other files."""
    for name in names.intersection(table.column_names):
        table = table.set_column(table.column_names.index(name), name, table[name].cast("string"))
    return table
