"""Decode the images of the archives, split them, publish images and labels as Parquet."""

import sys
import zipfile
from pathlib import PurePosixPath

import numpy as np
import pyarrow as pa
from PIL import Image

from dreg.stages import here
from dreg.stages.files import write_parquet
from dreg.stages.split import place

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")

work = here()
params = work.params["process"]
height, width, *channels = work.contract().columns["image"].shape
classes = work.contract().columns["label"].classes


def read(archive):
    """Pixels and label of each image. Change: where your archives have their labels."""
    with zipfile.ZipFile(archive) as members:
        for name in sorted(members.namelist()):
            path = PurePosixPath(name)
            if path.suffix.lower() not in ENDINGS:
                continue
            if path.parent.name not in classes:
                sys.exit(f"{archive.name}: the folder of {name} is no class in dataset.yaml")
            try:
                with members.open(name) as file, Image.open(file) as image:
                    sized = image.convert("RGB" if channels else "L").resize((width, height))
            except Exception as error:  # decoders raise anything for bytes that are no image
                sys.exit(f"{archive.name}: {name} is no image that can be decoded: {error}")
            yield np.asarray(sized), classes.index(path.parent.name)


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
