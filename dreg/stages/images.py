"""Images of archives as pixels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreg.adapters.image_files import FORMATS, is_image, meant, pixels
from dreg.errors import Outside


def images_in(archive: Path, shape: Sequence[int]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Name and pixels of each image in a .zip, sorted by name.

    Pixels have the `shape`: height and width, or height, width and 3. Images are turned upright where a
    camera says how they lie. Raises Outside for an archive that is none, and for an image that does not decode.
    """
    from PIL import Image

    try:
        members = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise Outside(f"{archive.name} is no .zip", hint="see `sources` in params.yaml") from error
    with members:
        for name in filter(is_image, meant(members.namelist())):
            try:
                with members.open(name) as file, Image.open(file, formats=FORMATS) as image:
                    found = pixels(image, shape)
            except Exception as error:  # decoders raise anything for bytes that are no image
                words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
                raise Outside(
                    f"{archive.name}: {name} is no image that can be decoded: {words}",
                    hint="take it out of the archive, or have scripts/process.py leave it out",
                ) from error
            yield name, found
