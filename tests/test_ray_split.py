"""Ray Data reads a split straight from S3, in its workers, and nothing is downloaded before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import dreg
from dreg.core.remotes import Remote
from dreg.errors import Outside
from tests.hand_made import S3_REMOTE, HandMade
from tests.kinds import COLOURS, ROWS, release_all, training_in

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    import ray

    ray.init(
        num_cpus=2, object_store_memory=128 << 20, include_dashboard=False, log_to_driver=False,
        logging_level="ERROR",
    )  # fmt: skip
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    yield
    ray.shutdown()


@pytest.fixture
def on_s3(tmp_path, s3, monkeypatch) -> Iterator[Path]:
    """An empty folder to train in; the registry's bytes are on S3."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    config = "[core]\n    remote = local\n" + S3_REMOTE.format(url=s3.url, endpoint=s3.endpoint)
    remote = Remote("local", s3.url, endpoint=s3.endpoint)
    made = HandMade(tmp_path / "made", {"DREG_CACHE": str(tmp_path / "cache")}, remote, config)
    release_all(made)
    yield from training_in(made, tmp_path / "training", monkeypatch)
    assert not (tmp_path / "own-cache" / "releases").exists(), "nothing was downloaded"


def test_every_kind_straight_from_s3(on_s3, cluster):
    digits = dreg.load("digits").to_ray("train")
    assert digits.count() == ROWS
    pixels = np.concatenate([b["image"] for b in digits.iter_batches(batch_size=100)])
    assert (pixels == np.arange(ROWS * 12, dtype=np.uint8).reshape(ROWS, 4, 3)).all()
    assert dreg.load("digits").to_ray("train", ["label"]).schema().names == ["label"]

    words = dreg.load("words").to_ray("train").take_all()
    assert words[3] == {"id": 3, "text": "word number 3", "mood": "good"}
    assert len(words) == ROWS

    colours = dreg.load("colours").to_ray("train").take_all()
    assert {row["image"].shape for row in colours} == {(3, width, 3) for width in range(2, 7)}
    assert all(tuple(row["image"][0, 0]) == COLOURS[row["label"]] for row in colours)
    assert sorted(row["file"] for row in colours)[0] == "blue/0.png"

    talks = dreg.load("talks").to_ray("train").take_all()
    assert [row["id"] for row in talks] == ["0", "1", "2"]
    for row in talks:
        assert tuple(row["image"][0, 0]) == COLOURS[row["conversations"][1]["value"]]

    raw = dreg.load("talks").to_ray("train", ["image"], decode=False).take(1)[0]["image"]
    assert raw["path"] == "images/0.png"
    assert raw["bytes"].startswith(b"\x89PNG")


def test_a_file_system_for_everybody_else(on_s3):
    import pandas as pd
    import pyarrow.parquet as pq

    words, digits = dreg.load("words"), dreg.load("digits")
    (url,) = words.urls("train")
    with words.filesystem().open(url) as file:
        assert len(pd.read_csv(file)) == ROWS
    table = pq.read_table(digits.urls("train")[0], filesystem=digits.filesystem())
    assert table.num_rows == ROWS
    (there,) = words.urls("train", objects=True)
    assert there.startswith("s3://bucket-")
    assert words.filesystem().cat_file(there) == words.filesystem().cat_file(url)


def test_rays_own_readers_by_urls_and_file_system(on_s3, cluster):
    import ray.data

    digits, words, colours = (dreg.load(name) for name in ("digits", "words", "colours"))
    read = ray.data.read_parquet(digits.urls("train"), filesystem=digits.filesystem())
    assert (read.count(), read.sum("label")) == (ROWS, ROWS)
    read = ray.data.read_csv(words.urls("train"), filesystem=words.filesystem())
    assert read.take(4)[3] == {"id": 3, "text": "word number 3", "mood": "good"}
    read = ray.data.read_images(colours.urls("train"), filesystem=colours.filesystem())
    assert {row["image"].shape for row in read.take_all()} == {(3, w, 3) for w in range(2, 7)}


def test_ray_reads_from_the_remote_that_has_it(on_s3, s3, cluster, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.setenv("DREG_REMOTE", f"{tmp_path / 'empty'},local")
    assert dreg.load("words").to_ray("train").count() == ROWS


def test_images_in_tables_may_be_paths_bytes_or_both(training):
    from dreg.adapters.interop.filesystem import Contents, ReleaseFileSystem
    from dreg.adapters.interop.ray_split import Attacher, Decoder
    from dreg.core.described import described

    talks = dreg.load("talks")
    first = (talks.path() / "processed/images/0.png").read_bytes()
    image = talks._held.listed["processed/images/0.png"]
    files = {f"p/images/{i}.png": replace(image, path=f"p/images/{i}.png") for i in range(3)}
    there = ReleaseFileSystem(Contents("p", files, talks._held.found.store))
    attach = Attacher(there, described(talks.profile), ("image",))
    for told in (
        ["images/0.png", None],
        [first, None],
        [{"bytes": None, "path": "images/1.png"}, None],
    ):
        table = pa.table({"image": pa.array(told), Attacher.BESIDE: ["p", "p"]})
        found = attach(table)["image"].to_pylist()
        assert [one and one["bytes"] for one in found] == [first, None]
        pictures = Decoder(("image",))(attach(table))["image"]
        assert [picture.shape for picture in pictures.combine_chunks().to_numpy()] == [
            (3, 4, 3),
            (0, 0, 3),
        ]
    with pytest.raises(Outside, match=r"column `image` names `x\.png`, which is no file"):
        attach(pa.table({"image": ["x.png"], Attacher.BESIDE: ["p"]}))
