"""Images in archives: which of the files are some, their pixels as they are meant, and their captions."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dreg.core.json_text import parse_json

if TYPE_CHECKING:
    from PIL.Image import Image

ENDINGS = (".png", ".jpg", ".jpeg", ".webp")
FORMATS = ("PNG", "JPEG", "WEBP")  # others would start programs of their own
GREY = ("1", "L", "LA", "La", "I", "F")
ORIENTATION, ON_ITS_SIDE = 0x0112, (5, 6, 7, 8)  # as EXIF numbers them
OPAQUE = 255
CAPTIONS = "captions.json"
FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # what is talked about may be called
DEEPEST = (1 << 16) - 1  # of 16 bits


def meant(names: Iterable[str]) -> list[str]:
    """The files that somebody put there, sorted: neither folders nor what systems hide beside them."""
    return sorted(
        name
        for name in names
        if not name.endswith("/")
        and not any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))
    )


def is_image(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in ENDINGS


def is_grey(image: Image) -> bool:
    return image.mode in GREY or image.mode.startswith("I;16")


def shows_through(image: Image) -> bool:
    """Whether some of it is transparent: not that it could be, as every screenshot."""
    if not image.has_transparency_data:
        return False
    return bool(np.asarray(image.convert("RGBA"))[:, :, 3].min() < OPAQUE)


def upright_size(image: Image) -> tuple[int, int]:
    """Height and width of the image as it is to be looked at."""
    lies = image.getexif().get(ORIENTATION) in ON_ITS_SIDE
    return (image.width, image.height) if lies else (image.height, image.width)


def decode(image: Image) -> None:
    """Read all of its bytes, if need be to fewer pixels. Raises what decoders raise for what is damaged."""
    image.draft(None, (1, 1))  # of JPEG, whose pixels cost the most
    image.load()


def pixels(image: Image, shape: Sequence[int]) -> npt.NDArray[np.uint8]:
    """The image upright, resized to `shape`: height, width, and 3 for colours.

    Levels of 16 bits become the nearest of 8; what is transparent has the colour that the file has there. Raises ValueError for levels that are none of these.
    """
    from PIL import ImageOps

    height, width, *channels = shape
    plain = in_bytes(ImageOps.exif_transpose(image))
    return np.asarray(plain.convert("RGB" if channels else "L").resize((width, height)))


def in_bytes(image: Image) -> Image:
    """The image with levels of 8 bits, which a plain conversion would cut off at 255."""
    from PIL import Image as Images

    if image.mode == "P" and image.has_transparency_data:
        return image.convert("RGBA")  # else Pillow has its own word to say of each
    if image.mode not in ("F", "I") and not image.mode.startswith("I;16"):
        return image
    levels = np.asarray(image)
    if image.mode == "F" or levels.min() < 0 or levels.max() > DEEPEST:
        raise ValueError("its levels have neither 8 nor 16 bits")
    return Images.fromarray(((levels.astype(np.uint32) + 128) // 257).astype(np.uint8))


def captions_of(members: zipfile.ZipFile) -> list[dict[str, Any]]:
    """What the archive's captions.json tells: for each image of images/ one object, as it has it.

    Raises KeyError where there are no captions, ValueError where they don't go with the images.
    """
    told: Any = parse_json(members.read(CAPTIONS))
    there = set(members.namelist())
    if not isinstance(told, list) or not told:
        raise ValueError(f"{CAPTIONS} is no list of captions")
    for one in told:
        if not isinstance(one, dict) or not all(
            isinstance(one.get(key), str) for key in ("image", "caption")
        ):
            raise ValueError("a caption has no `image` or no `caption`")
        if f"images/{one['image']}" not in there:
            raise ValueError(f"there is no images/{one['image']}")
    said: set[str] = set()
    for one in told:
        name = f"images/{one['image']}"
        if name in said:
            raise ValueError(f"{name} has two captions")
        if not one["caption"].strip():
            raise ValueError(f"the caption of {name} is empty")
        said.add(name)
    silent = [name for name in meant(there) if name.startswith("images/") and name not in said]
    if silent:
        more = f", nor about {len(silent) - 1:,} more" if silent[1:] else ""
        raise ValueError(f"nothing is said about {silent[0]}{more}")
    return told
