"""The picture of a dataset of images: some of each class, the same bytes every time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dreg.errors import BadRequest
from dreg.stages import thumbnails
from dreg.stages.files import write_parquet
from tests.measured import Pets, image, pets

CLASSES = ["cat", "dog", "owl"]


@pytest.fixture
def album(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    with pets(tmp_path, monkeypatch) as dataset:
        yield dataset


def fill(album: Pets, labels: list[int], shape: tuple[int, ...] = (4, 5)) -> np.ndarray:
    """Images of one shade each: the first is 1, the next 2."""
    pixels = np.stack([np.full(shape, i + 1, np.uint8) for i in range(len(labels))])
    tensor = pa.FixedShapeTensorArray.from_numpy_ndarray(pixels)
    label = pa.array(labels, pa.int64())
    write_parquet(pa.table({"image": tensor, "label": label}), album.processed / "train.parquet")
    columns = {
        "image": {"type": "uint8", "shape": list(shape)},
        "label": {"type": "int64", "classes": CLASSES},
    }
    album.contract(columns, "train.parquet", label="label")
    return pixels


def drawn(album: Pets) -> np.ndarray:
    return np.asarray(Image.open(album.data / "thumbnails.png"))


def test_each_class_is_a_row_of_its_first_images(album):
    fill(album, [2, 0, 1, 0, 0, 2])
    thumbnails.write(per_class=2)
    shades = drawn(album)[::4, ::5]
    assert shades.tolist() == [[2, 4], [3, 255], [1, 6]]


def test_colours_stay(album):
    pixels = fill(album, [0, 1, 2], (4, 4, 3))
    thumbnails.write(per_class=1)
    assert (drawn(album) == np.concatenate(list(pixels))).all()


def test_large_images_become_small(album):
    fill(album, [0, 1, 2], (200, 100))
    thumbnails.write(per_class=1)
    assert drawn(album).shape == (3 * 50, 25)


def test_the_same_images_give_the_same_bytes_without_compression(album):
    fill(album, [0, 1, 2])
    thumbnails.write()
    first = (album.data / "thumbnails.png").read_bytes()
    thumbnails.write()
    assert (album.data / "thumbnails.png").read_bytes() == first
    assert len(first) > drawn(album).size


def test_a_label_without_classes_has_no_rows(album):
    fill(album, [0, 1, 2])
    album.contract({"image": {"type": "uint8", "shape": [4, 5]}, "label": "int64"}, "train.parquet")
    with pytest.raises(
        BadRequest, match="thumbnails need `image`, image files, or a tensor of pixels"
    ):
        thumbnails.write()


def files(album: Pets, contents: list[bytes]) -> None:
    """Image files, and a table that names them."""
    rows = []
    for i, content in enumerate(contents):
        (album.processed / f"{i}.png").write_bytes(content)
        rows.append({"id": str(i), "image": f"{i}.png"})
    (album.processed / "train.json").write_text(json.dumps(rows))
    album.contract({"id": "string", "image": {"type": "image"}}, "train.json")


def test_files_need_no_classes_and_lie_in_squares(album):
    files(album, [image("RGB", (200, 100), (250, 0, 0)), image("RGB", (10, 10), (0, 0, 250))])
    thumbnails.write(per_class=3)
    squares = np.split(drawn(album), 3, axis=1)
    assert [square.shape for square in squares] == [(64, 64, 3)] * 3
    wide, tiny, none = squares
    assert (wide[16:41, :50].size, tuple(wide[32, 32]), tuple(wide[2, 2])) == (
        25 * 50 * 3,
        (250, 0, 0),
        (255,) * 3,
    )
    assert (tuple(tiny[32, 32]), tuple(tiny[10, 10])) == ((0, 0, 250), (255, 255, 255))
    assert (none == 255).all()


def test_a_file_that_does_not_decode_is_left_to_the_profile(album):
    files(album, [b"no image", image(colour=(0, 250, 0))])
    thumbnails.write(per_class=1)
    assert tuple(drawn(album)[32, 32]) == (0, 250, 0)
