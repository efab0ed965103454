"""Make one typed table of the CSVs, split it, publish it as Parquet and CSV."""

import pyarrow as pa
from pyarrow import csv

from dreg.stages import here
from dreg.stages.files import write_csv, write_parquet
from dreg.stages.split import by_hash

work = here()
params = work.params["process"]

# The columns that dataset.yaml promises, in its order: a value that does not fit stops the stage.
types = {name: pa.type_for_alias(column.type) for name, column in work.contract().columns.items()}


def read(path):
    """One of the CSVs. Change: its delimiter, names of columns, what stands for a missing value."""
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(delimiter=","),
        convert_options=csv.ConvertOptions(column_types=types, include_columns=list(types)),
    )


rows = pa.concat_tables([read(path) for path in sorted(work.raw.glob("*.csv"))])
# Change: clean, join or compute here. Same input, same output: no clock, no unseeded randomness.

train, val = by_hash(rows, params["validation_share"])
for name, split in (("train", train), ("val", val)):
    write_parquet(split, work.processed / f"{name}.parquet")
    write_csv(split, work.processed / f"{name}.csv")
    print(f"{name}: {len(split):,} rows")
