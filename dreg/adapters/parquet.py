"""How dreg writes Parquet. Every setting that reaches the bytes is fixed here.

Arrow's own defaults may change with its version. So the bytes depend on the rows and on pyarrow's
version (which the file names), on nothing else.
"""

from __future__ import annotations

from typing import Any

PARQUET: dict[str, Any] = {
    "version": "2.6",
    "data_page_version": "1.0",
    "data_page_size": 1 << 20,
    "compression": "zstd",
    "compression_level": 1,
    "write_statistics": True,
    "write_page_index": False,
    "store_schema": True,  # Arrow's own types come back as they were, tensors among them
}
ROWS_IN_GROUP = 1 << 17
