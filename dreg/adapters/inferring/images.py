"""Looking at images that are to become a dataset: their classes and sizes, what is said about them."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from dreg.adapters.image_files import (
    CAPTIONS,
    ENDINGS,
    FILE_NAME,
    FORMATS,
    captions_of,
    decode,
    is_grey,
    is_image,
    meant,
    shows_through,
    upright_size,
)
from dreg.core.wording import numbered
from dreg.errors import BadRequest

if TYPE_CHECKING:
    from PIL.Image import Image

HINT = f"images are expected as CLASS/NAME of {', '.join(ENDINGS)}, in a folder or a .zip"
TEXT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # what a column may be called without quotes


@dataclass(frozen=True)
class ImagesSeen:
    """Classes of images, their common shape, and what of them is lost, as sentences."""

    classes: list[str]
    shape: list[int]
    lost: list[str]


def files_below(folder: Path) -> list[Path]:
    """All files that somebody put there, sorted."""
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    return [folder / name for name in meant(found)]


def members_of(archive: Path) -> list[str]:
    """The same of an archive. Raises BadRequest for what is none."""
    try:
        with zipfile.ZipFile(archive) as members:
            return meant(members.namelist())
    except (OSError, zipfile.BadZipFile) as error:
        raise BadRequest(
            f"`{archive.name}` is no .zip: {error}", hint="name a folder or a .zip: --from FILE"
        ) from error


def zipped(folder: Path, into: BinaryIO) -> None:
    """The images of a folder of classes as an archive that has the same bytes every time.

    Raises BadRequest for a folder without any, naming one where such classes are.
    """
    images = images_below(folder)
    if not images:
        deeper = [path for path in files_below(folder) if is_image(path.name)]
        other = next((path.parent for path in deeper if path.parent != folder), None)
        raise BadRequest(
            f"`{folder}` itself has no folder that is a class of images",
            hint=f"`{other.name}` looks like one: --from {other.parent}" if other else HINT,
        )
    archive_of(folder, images, into)


def images_below(folder: Path) -> list[Path]:
    """Images in the folders that are their classes."""
    return [p for p in files_below(folder) if is_image(p.name) and p.parent.parent == folder]


def captioned(folder: Path, into: BinaryIO) -> None:
    """A folder with captions.json and images/ as an archive that has the same bytes every time."""
    archive_of(folder, captioned_below(folder), into)


def captioned_below(folder: Path) -> list[Path]:
    """captions.json and the files of images/."""
    told = [folder / CAPTIONS] if (folder / CAPTIONS).is_file() else []
    return told + [p for p in files_below(folder) if p.parent == folder / "images"]


def archive_of(folder: Path, paths: Sequence[Path], into: BinaryIO) -> None:
    """Write files below the folder as an archive: stored, and without their times."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as archive:
        for path in paths:
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), (1980, 1, 1, 0, 0, 0))
            archive.writestr(entry, path.read_bytes())


def captions_in(archive: Path) -> tuple[list[str], list[str]]:
    """What the archive's captions tell beside image and caption: texts that each has, and the names
    of what only some have, or is no text.

    Raises BadRequest for an archive without captions, or whose images are not those of the captions.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            told = captions_of(members)
            refuse_undecoded(members, told)
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise BadRequest(
            f"`{archive.name}` has no images with captions: {str(error).strip(chr(34))}",
            hint="captions.json lists {image, caption, ...}, the images are images/NAME; in a folder or a .zip",
        ) from error
    refuse_names([one["image"] for one in told])
    names = sorted({name for one in told for name in one} - {"image", "caption"})
    texts = [
        name
        for name in names
        if TEXT_NAME.fullmatch(name)
        and name not in ("id", "conversations")
        and all(isinstance(one.get(name), str) for one in told)
    ]
    return texts, [name for name in names if name not in texts]


def refuse_undecoded(members: zipfile.ZipFile, told: Sequence[Mapping[str, Any]]) -> None:
    """Raises BadRequest for an image that does not decode."""
    for one in told:
        with opened(members, f"images/{one['image']}") as image:
            decode(image)


def refuse_names(files: Sequence[str]) -> None:
    """Raises BadRequest for files that no sample could be called after, or two of them."""
    odd = next((file for file in files if not FILE_NAME.fullmatch(file)), None)
    if odd is not None:
        raise BadRequest(
            f"`{odd}` is no name for an image that is talked about",
            hint="rename it, with letters and digits of ASCII, `.`, `_` and `-`",
        )
    ids = Counter(file.rpartition(".")[0] for file in files)
    [(id_, count)] = ids.most_common(1)
    if count > 1:
        raise BadRequest(f"two images are called `{id_}`", hint="rename one of them")


@contextmanager
def opened(members: zipfile.ZipFile, name: str) -> Iterator[Image]:
    """An image of an archive. Raises BadRequest when it does not decode."""
    from PIL import Image

    try:
        with members.open(name) as file, Image.open(file, formats=FORMATS) as image:
            yield image
    except Exception as error:  # decoders raise anything for bytes that are no image
        raise BadRequest(
            f"{name} is no image that can be decoded",
            hint="take it out, or mend it, then the same command again",
        ) from error


def images_in(archive: Path) -> ImagesSeen:
    """The archive's images: their classes, which are their folders, and the shape of the first.

    They have colours if any of them has. Raises BadRequest for what is no archive of such images.
    """
    try:
        with zipfile.ZipFile(archive) as members:
            images = [name for name in meant(members.namelist()) if is_image(name)]
            if not images:
                raise ValueError("no image in a folder that is its class")
            sizes, shape, grey, through = set(), [0, 0], set(), 0
            for name in images:
                if "/" not in name:
                    raise ValueError(f"{name} is in no folder that is its class")
                with opened(members, name) as image:
                    if name == images[0]:
                        shape = [*upright_size(image)]
                    sizes.add(image.size)
                    grey.add(is_grey(image))
                    decode(image)
                    through += shows_through(image)
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise BadRequest(f"`{archive.name}` is no archive of images: {error}", hint=HINT) from error
    folders = {PurePosixPath(name).parent for name in images}
    lost = []
    if len(sizes) > 1:
        lost.append(
            f"images have {len(sizes):,} sizes: all become {shape[0]} high and {shape[1]} wide, as "
            f"{images[0]} is; `shape` in dataset.yaml decides"
        )
    for name in sorted({folder.name for folder in folders}):
        same = sorted(str(folder) for folder in folders if folder.name == name)
        if len(same) > 1:
            lost.append(f"`{name}` is one class, of the folders {', '.join(same)}")
    if through:
        lost.append(f"{numbered(through, 'image')} with transparency, which pixels do not have")
    channels = [] if grey == {True} else [3]
    return ImagesSeen(sorted({folder.name for folder in folders}), [*shape, *channels], lost)
