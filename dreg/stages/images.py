"""Images of archives as pixels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dreg.adapters.image_files import FORMATS, is_image, meant, pixels, shows_through
from dreg.core.wording import numbered
from dreg.errors import Outside
from dreg.stages.progress import say


def images_in(archive: Path, shape: Sequence[int]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    """Name and pixels of each image in a .zip, sorted by name.

    Pixels have the `shape`: height and width, or height, width and 3. Images are turned upright where a
    camera says how they lie, and have no transparency: how many had some is said at the end. Raises Outside for an archive that is none, and for an image that does not decode.
    """
    from PIL import Image

    try:
        members = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise Outside(f"{archive.name} is no .zip", hint="see `sources` in params.yaml") from error
    through = 0
    with members:
        for name in filter(is_image, meant(members.namelist())):
            try:
                with members.open(name) as file, Image.open(file, formats=FORMATS) as image:
                    found = pixels(image, shape)
                    through += shows_through(image)
            except Exception as error:  # decoders raise anything for bytes that are no image
                words = " ".join(str(error).split()).rstrip(".") or type(error).__name__
                raise Outside(
                    f"{archive.name}: {name} is no image that can be decoded: {words}",
                    hint="take it out of the archive, or have scripts/process.py leave it out",
                ) from error
            yield name, found
    if through:
        say(
            f"{archive.name}: {numbered(through, 'image')} with transparency, which is left out: "
            "what is transparent has the colour that the file has there"
        )
