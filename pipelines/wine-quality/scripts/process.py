"""Make one typed table of the two CSVs, split it, publish it as Parquet and CSV."""

import pyarrow as pa
from pyarrow import csv

from dreg.stages import here
from dreg.stages.files import write_csv, write_parquet
from dreg.stages.split import by_hash


def read(path, color):
    """One of the CSVs: `fixed acidity` becomes `fixed_acidity`, `pH` becomes `ph`."""
    with path.open("rb") as file:
        header = file.readline().decode().rstrip("\r\n")
    names = [name.strip('"').replace(" ", "_").lower() for name in header.split(";")]
    types = {name: pa.int64() if name == "quality" else pa.float64() for name in names}
    table = csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=names, skip_rows=1, use_threads=False),
        parse_options=csv.ParseOptions(delimiter=";"),
        convert_options=csv.ConvertOptions(column_types=types),
    )
    return table.append_column("color", pa.array([color] * len(table)))


work = here()
params = work.params["process"]

tables = [read(work.raw / f"winequality-{color}.csv", color) for color in ("red", "white")]
wines = pa.concat_tables(tables).drop_columns(params["drop_columns"])

train, val = by_hash(wines, params["validation_share"])
# Beside the validation rows on the scale of hashes lie those that are not published yet.
train, _ = by_hash(train, params["validation_share"] + params["hold_back"])
for name, split in (("train", train), ("val", val)):
    write_parquet(split, work.processed / f"{name}.parquet")
    write_csv(split, work.processed / f"{name}.csv")
    print(f"{name}: {len(split):,} wines")
