"""Make Parquet of the IDX files: images as tensors of 28 x 28 bytes, labels as class indices."""

import gzip
import struct
import sys

import pyarrow as pa

from dreg.stages import here
from dreg.stages.files import write_parquet

SIDE = 28
AT_ONCE = 10_000  # images in memory, and in one row group of the Parquet file
IMAGE = pa.fixed_shape_tensor(pa.uint8(), [SIDE, SIDE])
SCHEMA = pa.schema(
    [pa.field("image", IMAGE, nullable=False), pa.field("label", pa.int64(), nullable=False)]
)


def read_exactly(file, size):
    content = file.read(size)
    if len(content) != size:
        sys.exit(f"{file.name} ends {size - len(content):,} bytes too early")
    return content


def read_shape(file, dimensions):
    """The head of an IDX file: its kind (unsigned bytes, so many dimensions), then their lengths."""
    kind, *shape = struct.unpack(f">{1 + dimensions}I", read_exactly(file, 4 + 4 * dimensions))
    if kind != 0x0800 + dimensions:
        sys.exit(f"{file.name} is no IDX file of bytes with {dimensions} dimensions")
    return shape


def as_bytes(content):
    """An Arrow array around `content`, without a copy."""
    return pa.Array.from_buffers(pa.uint8(), len(content), [None, pa.py_buffer(content)])


def samples(images_path, labels_path):
    """Batches of images with their labels, in the files' order."""
    with gzip.open(images_path) as images, gzip.open(labels_path) as labels:
        count, *sides = read_shape(images, 3)
        [label_count] = read_shape(labels, 1)
        if sides != [SIDE, SIDE] or count != label_count:
            sys.exit(f"{count:,} images of {sides} pixels don't go with {label_count:,} labels")
        for start in range(0, count, AT_ONCE):
            rows = min(AT_ONCE, count - start)
            pixels = as_bytes(read_exactly(images, rows * SIDE * SIDE))
            flat = pa.FixedSizeListArray.from_arrays(pixels, SIDE * SIDE)
            tensors = pa.ExtensionArray.from_storage(IMAGE, flat)
            classes = as_bytes(read_exactly(labels, rows)).cast(pa.int64())
            yield pa.record_batch([tensors, classes], schema=SCHEMA)


work = here()
for split, upstream in (("train", "train"), ("val", "t10k")):
    images = work.raw / f"{upstream}-images-idx3-ubyte.gz"
    labels = work.raw / f"{upstream}-labels-idx1-ubyte.gz"
    write_parquet(samples(images, labels), work.processed / f"{split}.parquet", SCHEMA)
