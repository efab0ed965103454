"""Fashion-MNIST to Parquet the usual way: images as nested Python lists in a data frame."""

import gzip
import sys
from pathlib import Path

import numpy as np
import pandas as pd

raw, out = Path(sys.argv[1]), Path(sys.argv[2])
out.mkdir(parents=True, exist_ok=True)
for split, prefix in (("train", "train"), ("val", "t10k")):
    with gzip.open(raw / f"{prefix}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    with gzip.open(raw / f"{prefix}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)
    rows = [
        {"image": image.tolist(), "label": int(label)}
        for image, label in zip(images, labels, strict=True)
    ]
    pd.DataFrame(rows).to_parquet(out / f"{split}.parquet")
