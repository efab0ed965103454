"""Filling a table: rows from Parquet by binary COPY, what every row carries, keys and the index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dreg.adapters.figures.arrays import values
from dreg.core.vectors import LONGEST
from dreg.core.wording import numbered
from dreg.errors import BadRequest, Outside

if TYPE_CHECKING:
    import numpy as np

    from dreg.adapters.postgres.tables import Connection

ROWS = 4096  # in memory at once
SYSTEM = ("ctid", "cmax", "cmin", "tableoid", "xmax", "xmin")  # columns that all tables have
MOST_DIMENSIONS = 4000  # that an index of half precision takes
MEGABYTES = 64, 1024  # to build the index in: Postgres's own default, and the most we ask for
# Postgres's names of types for COPY, by Arrow's.
KINDS = {
    pa.string(): "text", pa.large_string(): "text", pa.bool_(): "boolean",
    pa.int8(): "smallint", pa.int16(): "smallint", pa.int32(): "integer", pa.int64(): "bigint",
    pa.uint8(): "smallint", pa.uint16(): "integer", pa.uint32(): "bigint",
    pa.float16(): "real", pa.float32(): "real", pa.float64(): "double precision", pa.date32(): "date",
}  # fmt: skip
COPIED = {
    "boolean": "bool", "smallint": "int2", "integer": "int4", "bigint": "int8",
    "real": "float4", "double precision": "float8",
}  # fmt: skip


def columns_of(
    files: Sequence[Path], vector: str, dimension: int, taken: Sequence[str]
) -> dict[str, str]:
    """The columns of the Parquet files with the types that they have in Postgres.

    `taken` are names that a release's column cannot have. Raises BadRequest for what can't be loaded.
    """
    import pyarrow.parquet as pq

    found: dict[str, str] = {}
    for file in files:
        if file.suffix != ".parquet":
            raise BadRequest(
                f"`{file.name}` is not Parquet",
                hint="have the pipeline write its vectors as Parquet",
            )
        schema = pq.read_schema(file)
        typed = {field.name: _kind(field, vector, dimension) for field in schema}
        if found and typed != found:
            raise BadRequest(
                f"`{file.name}` has other columns than `{files[0].name}`",
                hint="have the pipeline write the same columns for every split",
            )
        found = typed
    for name in found:
        if name in taken or name in SYSTEM:
            whose = "that dreg loads" if name in taken else "of Postgres"
            raise BadRequest(
                f"the release has a column `{name}`, and so has every table {whose}",
                hint="have the pipeline give it another name",
            )
        if len(name.encode()) > LONGEST:
            raise BadRequest(
                f"column `{name}` has {numbered(len(name.encode()), 'byte')}, and a name in Postgres at most {LONGEST}",
                hint="have the pipeline give it a shorter name",
            )
    return found


def _kind(field: pa.Field, vector: str, dimension: int) -> str:
    kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    if field.name == vector:
        if not pa.types.is_fixed_size_list(kind) or not pa.types.is_floating(kind.value_type):
            raise BadRequest(
                f"column `{field.name}` is {kind}, and vectors are lists of a fixed size",
                hint="have the pipeline write them as fixed_size_list<float32>",
            )
        if kind.list_size != dimension or dimension > MOST_DIMENSIONS:
            raise BadRequest(
                f"column `{field.name}` has vectors of {kind.list_size}, not of {dimension}"
                if kind.list_size != dimension
                else f"vectors of {dimension} are more than pgvector's index takes, {MOST_DIMENSIONS}",
                hint="see `shape` of the column in the release: dreg show NAME",
            )
        return f"vector({dimension})"
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    if kind not in KINDS:
        raise BadRequest(
            f"column `{field.name}` is {kind}, which dreg does not load into Postgres",
            hint="have the pipeline leave it out, or write it as text",
        )
    return KINDS[kind]


def copy(
    connection: Connection,
    table: tuple[str, str],
    columns: Mapping[str, str],
    files: Sequence[Path],
    advance: Callable[[int], None],
) -> int:
    """Fill the table with all rows, in one transaction; how many there were.

    They are frozen: every snapshot sees them, also one from before. A reader whose transaction began
    earlier finds in the catalogue of now the table of now, which else would be empty to him.
    """
    from psycopg import sql

    _take_packed_vectors(connection)
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    target = sql.SQL("copy {} ({}) from stdin (format binary, freeze)").format(
        sql.Identifier(*table), names
    )
    kinds = [COPIED.get(kind, kind.partition("(")[0]) for kind in columns.values()]
    number = 0
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(sql.SQL("truncate {}").format(sql.Identifier(*table)))
        with cursor.copy(target) as stream:
            stream.set_types(kinds)
            for batch in _batches(files, list(columns)):
                for row in _rows(batch):
                    stream.write_row(row)
                number += batch.num_rows
                advance(batch.num_rows)
    return number


def _batches(files: Sequence[Path], columns: list[str]) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    for path in files:
        with pa.OSFile(str(path)) as file, pq.ParquetFile(file, pre_buffer=False) as parquet:
            yield from parquet.iter_batches(batch_size=ROWS, columns=columns)


def _rows(batch: pa.RecordBatch) -> Iterator[tuple[Any, ...]]:
    return zip(*(_values(column) for column in batch.columns), strict=True)


def _values(column: pa.Array) -> Sequence[Any]:
    if not pa.types.is_fixed_size_list(column.type):
        return column.to_pylist()  # type: ignore[no-any-return]
    numbers = column.flatten()
    if column.null_count or numbers.null_count:
        raise Outside(
            "a row of the release has no vector, or a part of one is missing",
            hint="tell the registry's owner; nothing is served of it",
        )
    return _packed(values(numbers), column.type.list_size)


def _packed(numbers: np.ndarray, dimension: int) -> list[memoryview]:
    """Vectors as pgvector receives them: their dimension and a zero, of 16 bits, and the numbers.

    All of a batch at once: one by one it takes as long as Postgres takes to store them.
    """
    import numpy as np

    form = np.dtype([("dimension", ">u2"), ("zero", ">u2"), ("numbers", ">f4", (dimension,))])
    rows = np.zeros(len(numbers) // dimension, form)
    rows["dimension"] = dimension
    rows["numbers"] = numbers.reshape(len(rows), dimension)
    whole = memoryview(rows.tobytes())
    return [whole[at : at + form.itemsize] for at in range(0, len(whole), form.itemsize)]


def _take_packed_vectors(connection: Connection) -> None:
    """Have the connection's COPY take vectors as `_packed` gives them."""
    from psycopg.adapt import Dumper
    from psycopg.pq import Format
    from psycopg.types import TypeInfo

    info = TypeInfo.fetch(connection, "vector")
    assert info is not None, "the extension was looked for before"
    info.register(connection)
    vector = info.oid

    class AsItIs(Dumper):
        oid = vector
        format = Format.BINARY

        def dump(self, obj: memoryview) -> memoryview:
            return obj

    connection.adapters.register_dumper(memoryview, AsItIs)


def finish(
    connection: Connection,
    table: tuple[str, str],
    *,
    constants: Mapping[str, str],
    key: Sequence[str],
    vector: str,
    dimension: int,
    rows: int,
) -> None:
    """What follows the rows: columns that are the same in each, the primary key, the HNSW index.

    `constants` cost nothing in the rows: Postgres keeps the value of an added column once.
    """
    from psycopg import sql

    called = sql.Identifier(*table)
    added = sql.SQL(", ").join(
        sql.SQL("add column {} text not null default {}").format(
            sql.Identifier(name), sql.Literal(value)
        )
        for name, value in constants.items()
    )
    connection.execute(sql.SQL("alter table {} {}").format(called, added))
    if key:
        names = sql.SQL(", ").join(map(sql.Identifier, key))
        connection.execute(sql.SQL("alter table {} add primary key ({})").format(called, names))
    index(connection, table, vector, dimension, rows)
    connection.execute(sql.SQL("analyze {}").format(called))


def index(
    connection: Connection, table: tuple[str, str], vector: str, dimension: int, rows: int
) -> None:
    """Build the HNSW index, of half precision: half the memory, less time, and the same recall.

    A graph that does not fit into memory is built many times slower. Where the workers' shared memory
    is small, as in a container that nobody gave more, one process builds it alone.
    """
    import psycopg
    from psycopg import sql

    least, most = MEGABYTES
    needed = rows * (2 * dimension + 512) // 1_000_000 + 1
    with connection.transaction():
        current = connection.execute(
            "select pg_size_bytes(current_setting('maintenance_work_mem'))"
        )
        (there,) = current.fetchone() or (0,)
        megabytes = min(max(needed, least), most)
        if megabytes << 20 > there:
            memory = sql.Literal(f"{megabytes}MB")
            connection.execute(sql.SQL("set local maintenance_work_mem = {}").format(memory))
        build = sql.SQL(
            "create index on {} using hnsw (({}::halfvec({})) halfvec_cosine_ops)"
        ).format(sql.Identifier(*table), sql.Identifier(vector), sql.Literal(dimension))
        try:
            with connection.transaction():
                connection.execute(build)
        except (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory) as error:
            if "shared memory" not in str(error):
                raise
            connection.execute("set local max_parallel_maintenance_workers = 0")
            connection.execute(build)
