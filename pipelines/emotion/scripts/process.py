"""Keep the comments whose only label is one of six emotions; publish them as Parquet."""

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from dreg.stages import here
from dreg.stages.files import write_parquet
from dreg.stages.text import class_indices

UPSTREAM = {"train": "train", "val": "dev", "test": "test"}

work = here()
classes = work.contract().columns["label"].classes
emotions = (work.raw / "emotions.txt").read_text(encoding="utf-8").split()


def read(path):
    """One of the TSVs, which have no header: the comment, its labels as `3,17`, its id."""
    names = ["text", "labels", "id"]
    return csv.read_csv(
        path,
        read_options=csv.ReadOptions(column_names=names, use_threads=False),
        parse_options=csv.ParseOptions(delimiter="\t", quote_char=False),
        convert_options=csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string())),
    )


# GoEmotions counts 28 labels in the order of emotions.txt. A comment with several is ambiguous.
ours = pa.array([str(emotions.index(name)) for name in classes])
for split, upstream in UPSTREAM.items():
    rows = read(work.raw / f"{upstream}.tsv")
    kept = rows.filter(pc.is_in(rows["labels"], ours))
    names = pc.take(pa.array(emotions), kept["labels"].cast(pa.int64()))
    samples = pa.table(
        {"id": kept["id"], "text": kept["text"], "label": class_indices(names, classes)}
    )
    write_parquet(samples, work.processed / f"{split}.parquet")
    print(f"{split}: {len(samples):,} of {len(rows):,} comments")
