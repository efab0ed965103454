"""Make one table of the TSVs, split it, publish texts and labels as Parquet."""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dreg.stages import here
from dreg.stages.files import write_parquet
from dreg.stages.text import by_text, class_indices

work = here()
params = work.params["process"]
classes = work.contract().columns["label"].classes


def read(path):
    """One of the TSVs. Change: its delimiter, names of columns, whether quotes are quotes."""
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(use_threads=False),
        parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=csv.ConvertOptions(column_types={"text": pa.string(), "label": pa.string()}),
    )


rows = pa.concat_tables([read(path) for path in sorted(work.raw.glob("*.tsv"))])
# Change: clean or filter here. Same input, same output: no clock, no unseeded randomness.
texts = pc.utf8_trim_whitespace(rows["text"])
samples = pa.table({"text": texts, "label": class_indices(rows["label"], classes)})

train, val = by_text(samples, "text", params["validation_share"])
for name, split in (("train", train), ("val", val)):
    write_parquet(split, work.processed / f"{name}.parquet")
    print(f"{name}: {len(split):,} texts")
