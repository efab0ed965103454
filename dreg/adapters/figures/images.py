"""Figures of images: tensors of bytes, and files that have to be decoded for it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dreg.adapters.figures.arrays import feature, plain, values
from dreg.adapters.figures.different import distinct
from dreg.adapters.figures.numbers import of_values
from dreg.adapters.formats.file_types import ImageType
from dreg.core.numbers import Numbers
from dreg.core.statistics import Images

if TYPE_CHECKING:
    from PIL.Image import Image

PIXELS_AT_ONCE = 1 << 16  # as floats these stay in the processor's cache
FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP")  # others would start programs of their own
CHANNELS = {"L": 1, "LA": 1, "La": 1, "RGB": 3, "RGBA": 3, "RGBX": 3}  # without transparency
GREY, COLOURS = ("1",), ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV", "RGBa")
Counts = npt.NDArray[np.int64]

LEVELS = np.arange(256)


class Undecodable(ValueError):
    """An image that is none; `row` is its number in the array."""

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row


def has_pixels(kind: pa.DataType) -> bool:
    """Whether values are images, as files or as tensors of bytes."""
    if isinstance(kind, ImageType):
        return True
    found = feature(kind)
    return bool(found.shape) and found.type == "uint8"


def pixels(array: pa.Array) -> Numbers:
    """The figures of all bytes of all tensors."""
    array = plain(array)
    while pa.types.is_fixed_size_list(array.type):
        array = array.flatten()
    bytes_ = values(array)
    total = squares = 0
    for start in range(0, len(bytes_), PIXELS_AT_ONCE):
        # Floats, because numpy adds those fastest; and exact: all sums are below 2**53. Not by
        # `np.dot`: its threads cost more on busy processors than they gain.
        floats = bytes_[start : start + PIXELS_AT_ONCE].astype(np.float64)
        total += int(floats.sum())
        squares += int(np.multiply(floats, floats, out=floats).sum())
    return Numbers.of_integers(len(bytes_), None, None, total, squares)


def images(array: pa.Array) -> tuple[Images, Numbers]:
    """The figures of files that are images, and those of their pixels.

    Raises Undecodable for the first that can't be decoded.
    """
    found = plain(array)
    widths, heights = [], []
    modes: dict[str, int] = {}
    levels = np.zeros(len(LEVELS), np.int64)
    for row in range(len(found)):
        octets = found[row].as_buffer()
        if octets is None:
            continue
        width, height, mode, counts = decoded(octets, row)
        widths.append(width)
        heights.append(height)
        modes[mode] = modes.get(mode, 0) + 1
        levels += counts
    total, squares = int(levels @ LEVELS), int(levels @ LEVELS**2)
    pixels = Numbers.of_integers(int(levels.sum()), None, None, total, squares)
    across, down = (
        of_values(np.array(sizes, np.int64), found.null_count) for sizes in (widths, heights)
    )
    return Images(across, down, modes, distinct(found)), pixels


def decoded(octets: pa.Buffer, row: int) -> tuple[int, int, str, Counts]:
    """Width, height and mode of an image, and how often its channels have each level."""
    with decoding(octets, row) as image:
        return image.width, image.height, image.mode, levels_of(image)


def in_colour(octets: pa.Buffer, row: int) -> npt.NDArray[np.uint8]:
    """The pixels of an image: height, width, red green and blue. Raises Undecodable."""
    with decoding(octets, row) as image:
        return np.asarray(image.convert("RGB"))


@contextmanager
def decoding(octets: pa.Buffer, row: int) -> Iterator[Image]:
    """The image, decoded. Raises Undecodable, also for what goes wrong with it inside."""
    import PIL.Image

    try:
        with PIL.Image.open(io.BytesIO(octets), formats=FORMATS) as image:
            image.load()
            yield image
    except PIL.UnidentifiedImageError as error:
        raise Undecodable(row, f"it is none of {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders raise anything for bytes that are no image
        words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise Undecodable(row, words) from error


def levels_of(image: Image) -> Counts:
    """How often each of 256 levels occurs, in all channels; of finer images nothing is counted."""
    if image.mode in GREY:
        image = image.convert("L")
    elif image.mode in COLOURS:
        image = image.convert("RGBA" if "transparency" in image.info else "RGB")
    if image.mode not in CHANNELS:
        return np.zeros(len(LEVELS), np.int64)
    counts = np.array(image.histogram(), np.int64).reshape(-1, len(LEVELS))
    found: Counts = counts[: CHANNELS[image.mode]].sum(axis=0)
    return found
