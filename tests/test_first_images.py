"""`dreg new --from` images or documents: what is there becomes part of the dataset, or it is told."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from dreg.adapters.image_files import pixels
from dreg.errors import BadRequest, Outside
from dreg.scaffold.first_source import from_file
from dreg.stages.conversations import captioned_in
from dreg.stages.images import images_in
from tests.measured import image

SIDEWAYS = 6  # as EXIF numbers it: to be turned by a quarter


def put(folder: Path, **files: bytes) -> Path:
    """Files by path, with __ for / and _DOT_ for what is before an ending."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def lying() -> bytes:
    """A JPEG of 20 rows of 40 pixels, that the camera says is 40 rows of 20."""
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    return encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif)


# Pixels


def test_levels_of_16_bits_are_scaled_to_8():
    deep = np.array([[0, 128, 129], [32896, 65407, 65535]], np.uint16)
    with Image.open(io.BytesIO(encoded(Image.fromarray(deep)))) as picture:
        assert picture.mode.startswith("I;16")
        assert pixels(picture, [2, 3]).tolist() == [[0, 0, 1], [128, 255, 255]]
        assert pixels(picture, [2, 3, 3])[1, 0].tolist() == [128] * 3


@pytest.mark.parametrize("levels", [[[0.5]], [[1 << 20]]])
def test_levels_of_more_bits_are_no_pixels(levels):
    kind = np.float32 if isinstance(levels[0][0], float) else np.int32
    with pytest.raises(ValueError, match="its levels have neither 8 nor 16 bits"):
        pixels(Image.fromarray(np.array(levels, kind)), [1, 1])


def test_an_image_is_turned_as_its_camera_says():
    wide = np.zeros((20, 40, 3), np.uint8)
    wide[:, :20] = 255  # what the camera has on its left is on top
    exif = Image.Exif()
    exif[0x0112] = SIDEWAYS
    content = encoded(Image.fromarray(wide), "JPEG", exif=exif)
    with Image.open(io.BytesIO(content)) as picture:
        turned = pixels(picture, [40, 20, 3])
    assert turned[:18].min() > 200
    assert turned[22:].max() < 50


def see_through() -> bytes:
    picture = Image.new("RGBA", (4, 3), (250, 3, 7, 255))
    picture.putpixel((1, 1), (250, 3, 7, 9))
    return encoded(picture)


def palette() -> bytes:
    return encoded(Image.new("P", (4, 3), 0), transparency=0)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"a/1.png": see_through(), "a/2.png": image(), "b/3.png": palette()}, "2 images with transparency"),
        ({"a/1.png": see_through()}, "1 image with transparency"),
        ({"a/1.png": image("RGBA", colour=(1, 2, 3, 255)), "a/2.png": image("LA", colour=(1, 255))}, ""),
    ],
)  # fmt: skip
def test_transparency_is_left_out_and_told_once(tmp_path, capsys, files, told):
    archive = packed(tmp_path / "pics.zip", files)
    decoded = dict(images_in(archive, (3, 4, 3)))
    said = capsys.readouterr().err
    assert (said.count(told), said.count("\n")) == (1, 1) if told else said == ""
    if told:
        assert decoded["a/1.png"][1, 1].tolist() == [250, 3, 7]
    assert [note for note in from_file(str(archive), "image").notes if "transparen" in note] == (
        [f"{told}, which pixels do not have"] if told else []
    )


def test_a_run_leaves_out_no_image_but_what_macs_hide(tmp_path):
    names = ("a/1.PNG", "b/2.webp", "b/c/3.jpeg")
    files = {name: image(kind=name.rpartition(".")[2].upper()) for name in names}
    hidden = dict.fromkeys(("__MACOSX/a/._1.PNG", "a/._1.PNG"), b"\0")
    found = images_in(packed(tmp_path / "pics.zip", files | hidden), [3, 4])
    assert [name for name, _ in found] == list(names)


def test_an_image_of_a_run_that_does_not_decode_is_named(tmp_path):
    archive = packed(tmp_path / "pics.zip", {"a/1.png": image()[:40]})
    with pytest.raises(Outside, match=r"pics.zip: a/1.png is no image that can be decoded"):
        list(images_in(archive, [3, 4]))


# Folders of classes


def test_the_shape_is_that_of_an_image_held_upright(tmp_path):
    told = from_file(str(put(tmp_path, a__1_DOT_jpg=lying())), "image")
    assert "shape: [40, 20, 3]" in str(told.answers["columns"])


@pytest.mark.parametrize(
    ("modes", "shape"),
    [(("L", "I;16", "1"), "[3, 4]"), (("LA", "L"), "[3, 4]"), (("L", "RGB"), "[3, 4, 3]")],
)
def test_one_image_in_colour_makes_all_of_them_so(tmp_path, modes, shape):
    for i, mode in enumerate(modes):
        put(tmp_path, **{f"a__{i}_DOT_png": image(mode)})
    told = from_file(str(tmp_path), "image")
    assert f"shape: {shape} " in str(told.answers["columns"])


def test_what_an_archive_has_beside_images_is_told(tmp_path):
    files = {"a/1.png": image(), "a/2.svg": b"<svg/>", "__MACOSX/a/._1.png": b"\0"}
    told = from_file(str(packed(tmp_path / "pics.zip", files)), "image")
    assert [note.partition(" (")[0] for note in told.notes] == ["1 file left out: a/2.svg"]


def test_folders_of_one_name_are_one_class_and_that_is_told(tmp_path):
    files = {"train/cat/1.png": image(), "val/cat/2.png": image()}
    told = from_file(str(packed(tmp_path / "pics.zip", files)), "image")
    assert "classes: [cat]" in str(told.answers["columns"])
    assert told.notes == ("`cat` is one class, of the folders train/cat, val/cat",)


def test_a_folder_whose_classes_are_deeper_is_told_where(tmp_path):
    put(tmp_path, train__cat__1_DOT_png=image(), val__cat__2_DOT_png=image())
    with pytest.raises(BadRequest, match=r"itself has no folder that is a class") as caught:
        from_file(str(tmp_path), "image")
    assert caught.value.hint == f"`cat` looks like one: --from {tmp_path / 'train'}"
    assert "classes: [cat]" in str(from_file(str(tmp_path / "train"), "image").answers["columns"])


@pytest.mark.parametrize("files", [{}, {"1_DOT_png": image()}, {"a__1_DOT_gif": b"GIF89a"}])
def test_a_folder_without_images_that_are_read_is_told_which_are(tmp_path, files):
    with pytest.raises(BadRequest, match=r"itself has no folder that is a class") as caught:
        from_file(str(put(tmp_path, **files)), "image")
    assert "CLASS/NAME of .png, .jpg, .jpeg, .webp" in caught.value.hint


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_an_image_of_which_the_end_is_missing_makes_no_dataset(tmp_path, kind):
    noise = np.random.default_rng(1).integers(0, 256, (200, 200, 3), np.uint8)
    whole = encoded(Image.fromarray(noise), kind)
    put(tmp_path, a__1_DOT_png=image(), **{f"a__2_DOT_{kind.lower()}": whole[: len(whole) // 2]})
    with pytest.raises(BadRequest, match=rf"^a/2.{kind.lower()} is no image that can be decoded"):
        from_file(str(tmp_path), "image")


def test_that_images_are_resized_is_told(tmp_path):
    put(tmp_path, a__1_DOT_png=image(size=(6, 5)), a__2_DOT_png=image(size=(9, 5)))
    [note] = from_file(str(tmp_path), "image").notes
    assert note.startswith("images have 2 sizes: all become 5 high and 6 wide, as a/1.png is")


@pytest.mark.parametrize(
    ("name", "content", "fact"),
    [("1.png", image(), "1.png is in no folder"), ("a/1.png", b"no", "a/1.png is no image that")],
)
def test_an_archive_that_no_run_could_read_is_refused(tmp_path, name, content, fact):
    with pytest.raises(BadRequest, match=fact):
        from_file(str(packed(tmp_path / "pics.zip", {name: content})), "image")


# Captions


def album(folder: Path, said: int) -> Path:
    """Three images, the first of which have a caption."""
    told = [{"image": f"{i}.png", "caption": f"Tree {i}."} for i in range(said)]
    put(folder, captions_DOT_json=json.dumps(told).encode())
    return put(folder, **{f"images__{i}_DOT_png": image() for i in range(3)})


def test_an_image_that_no_caption_names_is_refused(tmp_path):
    with pytest.raises(BadRequest, match=r"nothing is said about images/1.png, nor about 1 more"):
        from_file(str(album(tmp_path, said=1)), "vlm")


@pytest.mark.parametrize(
    ("captions", "images", "fact"),
    [
        ([("1.png", "A tree."), ("1.png", "An oak.")], {"1.png": image()}, "images/1.png has two captions"),
        ([("1.png", " ")], {"1.png": image()}, "the caption of images/1.png is empty"),
        ([("1.png", "A tree.")], {"1.png": image()[:40]}, "images/1.png is no image that can be"),
        ([("a tree.png", "A tree.")], {"a tree.png": image()}, "`a tree.png` is no name for an image"),
        ([("1.png", "A tree."), ("1.jpg", "An oak.")], {"1.png": image(), "1.jpg": image(kind="JPEG")},
         "two images are called `1`"),
    ],
)  # fmt: skip
def test_captions_that_no_run_could_take_are_refused(tmp_path, captions, images, fact):
    told = json.dumps([{"image": name, "caption": caption} for name, caption in captions])
    put(tmp_path, captions_DOT_json=told.encode(), **{f"images__{n}": b for n, b in images.items()})
    with pytest.raises(BadRequest, match=fact):
        from_file(str(tmp_path), "vlm")


def test_a_run_stops_at_an_image_that_no_caption_names(tmp_path):
    files = {"captions.json": b'[{"image": "0.png", "caption": "A tree."}]'}
    images = {"images/0.png": image(), "images/1.png": image(), "images/.DS_Store": b"\0"}
    archive = packed(tmp_path / "pics.zip", files | images)
    with pytest.raises(Outside) as caught:
        list(captioned_in(archive))
    assert caught.value.fact == (
        "pics.zip has no images with captions: nothing is said about images/1.png"
    )


def test_what_lies_beside_captioned_images_is_told(tmp_path):
    put(album(tmp_path, said=3), more__4_DOT_png=image())
    assert from_file(str(tmp_path), "vlm").notes == (
        "1 file left out: more/4.png (read are captions.json and files in images/)",
    )
