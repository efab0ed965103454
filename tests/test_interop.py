"""A split for PyTorch, Hugging Face and Ray: the real libraries, samples as they were released."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

import dreg
from dreg.errors import BadRequest
from tests.kinds import COLOURS, ROWS


@pytest.fixture
def torch():
    return pytest.importorskip("torch", reason="torch is not installed: make neighbours")


# PyTorch


def test_samples_are_tensors_of_their_shape(training, torch):
    data = dreg.load("digits").to_torch("train")
    assert len(data) == ROWS
    first = data[0]
    assert first["image"].dtype == torch.uint8
    assert first["image"].tolist() == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9, 10, 11]]
    assert first["label"].item() == 0
    assert data[-1]["image"].flatten()[0].item() == (ROWS - 1) * 12 % 256
    assert [data[i]["label"].item() for i in (98, 99, 100, 101)] == [2, 0, 1, 2], "row groups meet"
    with pytest.raises(IndexError):
        data[ROWS]


def test_classes_by_name_become_their_index_and_texts_stay(training, torch):
    data = dreg.load("words").to_torch("train", columns=["text", "mood"])
    assert data[3] == {"text": "word number 3", "mood": torch.tensor(1)}
    assert data.classes == {"mood": ("bad", "good")}


def test_image_files_become_pixels(training, torch):
    data = dreg.load("colours").to_torch("train")
    sizes = {sample["image"].shape for sample in data}
    assert sizes == {torch.Size([3, 3, width]) for width in range(2, 7)}
    assert data[0]["image"][:, 0, 0].tolist() == list(COLOURS["blue"])


def test_annotations_have_their_image(training, torch):
    sample = dreg.load("talks").to_torch("train")[1]
    assert sample["conversations"][1]["value"] == "green"
    assert sample["image"][:, 0, 0].tolist() == list(COLOURS["green"])


def test_a_transform_makes_the_sample(training, torch):
    data = dreg.load("digits").to_torch("train", transform=Scaled(0.5))
    assert data[0][0, 0, 1].item() == pytest.approx(0.5)


class Scaled:
    """A transform that can be pickled, as spawned workers need it."""

    def __init__(self, by: float) -> None:
        self.by = by

    def __call__(self, sample):
        return sample["image"][None] * self.by


@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_share_the_data_however_they_start(training, torch, start):
    data = dreg.load("digits").to_torch("train", transform=Scaled(1.0))
    data[0]
    loader = torch.utils.data.DataLoader(
        data, batch_size=50, num_workers=2, multiprocessing_context=start
    )
    pixels = torch.cat(list(loader)).reshape(ROWS, 12).to(torch.uint8).numpy()
    assert (pixels == np.arange(ROWS * 12, dtype=np.uint8).reshape(ROWS, 12)).all()
    assert len(pickle.dumps(data)) < 10_000, "workers get where the data is, not the data"


def test_every_rank_and_worker_has_its_own_part(training, torch):
    ds = dreg.load("words")
    seen, sizes = [], []
    for rank in range(3):
        part = ds.to_torch_iterable("train", ["id"], rank=rank, world=3)
        loader = torch.utils.data.DataLoader(
            part, batch_size=None, num_workers=2 if rank == 1 else 0
        )
        mine = [sample["id"].item() for sample in loader]
        seen += mine
        sizes.append(len(mine))
    assert sorted(seen) == list(range(ROWS))
    assert max(sizes) - min(sizes) <= 1


def test_the_launcher_tells_the_rank(training, torch, monkeypatch):
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    ids = [s["id"].item() for s in dreg.load("words").to_torch_iterable("train", ["id"])]
    assert ids == list(range(ROWS // 4, ROWS // 2))


def test_torch_distributed_tells_the_rank(training, torch, tmp_path):
    dist = torch.distributed
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/group", rank=0, world_size=1)
    try:
        assert len(list(dreg.load("words").to_torch_iterable("train", ["id"]))) == ROWS
    finally:
        dist.destroy_process_group()


def test_shuffled_by_seed_and_epoch_alike_in_all_ranks(training, torch):
    ds = dreg.load("words")
    parts = [ds.to_torch_iterable("train", ["id"], rank=r, world=2, seed=7) for r in (0, 1)]
    first = [[s["id"].item() for s in part] for part in parts]
    assert sorted(first[0] + first[1]) == list(range(ROWS))
    assert first[0] != sorted(first[0])
    parts[0].set_epoch(1)
    assert [s["id"].item() for s in parts[0]] != first[0]
    parts[0].set_epoch(0)
    assert [s["id"].item() for s in parts[0]] == first[0]


def test_a_rank_needs_a_world(training, torch):
    for given in ({"rank": 0}, {"rank": 2, "world": 2}):
        with pytest.raises(BadRequest):
            dreg.load("words").to_torch_iterable("train", **given)


# Hugging Face


def test_features_of_images_and_classes(training):
    from datasets import ClassLabel, Image

    data = dreg.load("digits").to_hf("train")
    assert data.features == {"image": Image(), "label": ClassLabel(names=["zero", "one", "two"])}
    assert np.asarray(data[1]["image"]).tolist() == [[12, 13, 14], [15, 16, 17], [18, 19, 20], [21, 22, 23]]  # fmt: skip
    assert data.features["label"].int2str(data[4]["label"]) == "one"
    assert data.num_rows == ROWS


def test_features_of_texts_and_classes_by_name(training):
    from datasets import ClassLabel, Value

    data = dreg.load("words").to_hf("train")
    assert data.features == {"id": Value("int64"), "text": Value("string"), "mood": ClassLabel(names=["bad", "good"])}  # fmt: skip
    assert data[3] == {"id": 3, "text": "word number 3", "mood": 1}


def test_features_of_annotated_image_files(training):
    from datasets import Image

    data = dreg.load("talks").to_hf("train")
    assert data.features["image"] == Image()
    assert data[2]["image"].getpixel((0, 0)) == COLOURS["blue"]
    assert data[2]["conversations"][1] == {"from": "gpt", "value": "blue"}


def test_arrays_keep_their_shape(training, monkeypatch):
    import pyarrow as pa
    from datasets import Array2D, List, Value

    from dreg.adapters.interop import huggingface, tables

    numbers = np.arange(12, dtype=np.float32).reshape(2, 3, 2)
    batch = pa.record_batch({
        "matrix": pa.FixedShapeTensorArray.from_numpy_ndarray(numbers),
        "vector": pa.FixedShapeTensorArray.from_numpy_ndarray(numbers[:, :, 0].copy()),
    })  # fmt: skip
    monkeypatch.setattr(tables, "batches", lambda split: iter([batch]))
    data = huggingface.to_hf(tables.Split((), tables.Contract("", "", "", {}, {})))
    assert data.features == {"matrix": Array2D((3, 2), "float32"), "vector": List(Value("float32"), length=3)}  # fmt: skip
    assert data[1]["matrix"] == [[6, 7], [8, 9], [10, 11]]
    assert data[1]["vector"] == [6, 8, 10]


def test_what_was_made_once_is_mapped_from_then_on(training, monkeypatch):
    from dreg.adapters.interop import kept

    ds = dreg.load("digits")
    ds.to_hf("train")
    monkeypatch.setattr(kept, "written", None)
    assert ds.to_hf("train").num_rows == ROWS
