"""Decode the images of the archives, split them, publish images and labels as Parquet."""

import sys
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa

from dreg.stages import here
from dreg.stages.files import write_parquet
from dreg.stages.images import images_in
from dreg.stages.split import place

work = here()
params = work.params["process"]
shape = work.contract().columns["image"].shape
classes = work.contract().columns["label"].classes


def read(archive):
    """Pixels and label of each image. Change: where your archives have their labels."""
    for name, pixels in images_in(archive, shape):
        folder = PurePosixPath(name).parent.name
        if folder not in classes:
            sys.exit(f"{archive.name}: the folder of {name} is no class in dataset.yaml")
        yield pixels, classes.index(folder)


# Change: more images than fit into memory go to `write_parquet` in batches.
samples = [sample for archive in sorted(work.raw.glob("*.zip")) for sample in read(archive)]
images = np.stack([image for image, _ in samples])
labels = np.array([label for _, label in samples], dtype=np.int64)

held_out = np.array([place(image.tobytes()) < params["validation_share"] for image in images])
for name, chosen in (("train", ~held_out), ("val", held_out)):
    tensors = pa.FixedShapeTensorArray.from_numpy_ndarray(images[chosen])
    split = pa.table({"image": tensors, "label": labels[chosen]})
    write_parquet(split, work.processed / f"{name}.parquet")
    print(f"{name}: {len(split):,} images")
