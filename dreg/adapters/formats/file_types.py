"""Values that are files: images and documents. Arrow's types for them, and how they are made.

An image is its file's bytes, a document its text. Both know the path they were read from, which
is no part of their content: a file that is renamed is the same sample, unless its path is the key.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

IMAGE, DOCUMENT = "image", "document"


class FileType(pa.ExtensionType):  # type: ignore[misc]  # pyarrow has no types
    """A file: what is in it, and its path."""

    word = ""
    holds: pa.DataType = pa.large_binary()

    def __init__(self) -> None:
        storage = pa.struct([("content", self.holds), ("path", pa.large_string())])
        super().__init__(storage, f"dreg.{self.word}")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> FileType:
        return cls()


class ImageType(FileType):
    """An image as its file's bytes: decoders differ in the pixels that they make of them."""

    word = IMAGE


class DocumentType(FileType):
    """A document's text."""

    word = DOCUMENT
    holds = pa.large_string()


class PathType(pa.ExtensionType):  # type: ignore[misc]
    """Where a sample's file lies, below the folder of its split: no part of the sample's content."""

    def __init__(self) -> None:
        super().__init__(pa.large_string(), "dreg.path")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage: pa.DataType, serialized: bytes) -> PathType:
        return cls()


KINDS: dict[str, type[FileType]] = {IMAGE: ImageType, DOCUMENT: DocumentType}


def files(kind: FileType, contents: Sequence[bytes | None], paths: pa.Array) -> pa.Array:
    """Files of `contents`; None is no file."""
    content = binary(contents).cast(kind.holds)
    storage = pa.StructArray.from_arrays(
        [content, paths.cast(pa.large_string())], ["content", "path"], mask=content.is_null()
    )
    return pa.ExtensionArray.from_storage(kind, storage)


def content(array: pa.ExtensionArray) -> pa.Array:
    """What is in the files: bytes of images, texts of documents."""
    return pc.struct_field(array.storage, [0])


def paths(array: pa.ExtensionArray) -> pa.Array:
    """The files' paths."""
    return pc.struct_field(array.storage, [1])


def binary(values: Sequence[bytes | None]) -> pa.Array:
    """As `pa.array`, which would import pandas."""
    lengths = np.fromiter((len(value or b"") for value in values), np.int64, len(values))
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
    valid = None
    if None in values:
        present = np.fromiter((value is not None for value in values), np.bool_, len(values))
        valid = pa.py_buffer(np.packbits(present, bitorder="little"))
    memory = [valid, pa.py_buffer(offsets), pa.py_buffer(b"".join(v for v in values if v))]
    return pa.Array.from_buffers(pa.large_binary(), len(values), memory)
