"""A file as Arrow reads it."""

from __future__ import annotations

import io
from typing import BinaryIO

import pyarrow as pa


def arrow_file(file: BinaryIO) -> pa.NativeFile:
    """The same file, if it is one on a disk without Python in between: Arrow reads and decodes in threads of its own, which
    had better not be in Python when Python ends."""
    on_disk = isinstance(file, io.BufferedReader) and isinstance(file.raw, io.FileIO)
    return pa.OSFile(file.name) if on_disk else pa.PythonFile(file, mode="r")
