"""Pixel statistics and class counts the usual way: rows as Python objects, float64 arrays."""

import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

processed, out = Path(sys.argv[1]), Path(sys.argv[2])
metrics = {}
for split in ("train", "val"):
    rows = pq.read_table(processed / f"{split}.parquet").to_pylist()
    images = np.array([row["image"] for row in rows], dtype=np.float64) / 255.0
    metrics[split] = {
        "num_samples": len(rows),
        "class_distribution": dict(sorted(Counter(row["label"] for row in rows).items())),
        "pixel_mean": float(images.mean()),
        "pixel_std": float(images.std()),
    }
out.write_text(json.dumps(metrics, indent=2))
