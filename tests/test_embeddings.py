"""Chunks as vectors: the same bytes whoever makes them, by a model of which every byte is known."""

from __future__ import annotations

import os
import runpy
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from dreg.adapters.embedding import engines
from dreg.adapters.embedding.model_files import model_folder
from dreg.adapters.engines.hushed import hushed
from dreg.core.ci.compute import COMPUTE_TYPES
from dreg.core.embedding_model import parse_model
from dreg.core.retrieval import recall, reciprocal_rank
from dreg.core.workers import workers_of
from dreg.errors import BadRequest, Outside
from dreg.registry import Registry
from dreg.scaffold.dataset import new_dataset
from dreg.scaffold.registry import new_registry
from dreg.stages import embeddings, retrieval
from dreg.stages.chunks import chunks
from dreg.stages.documents import Document, read_documents
from tests import small_model
from tests.small_model import DIMENSION, needs_torch

TEXTS = [f"{i}: how to turn the soil, {'bed after bed ' * (i % 9)}" for i in range(40)]


class Garden:
    """A dataset as its template makes it, with the small model."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = home / "soil"
        self.mirror = home / "mirror"
        new_registry(self.root)
        new_dataset(Registry(self.root), "herbs", "embeddings")
        small_model.put_below(self.mirror)
        monkeypatch.setenv("DREG_MIRROR", str(self.mirror))
        monkeypatch.setenv("DREG_CACHE", str(home / "cache"))
        monkeypatch.setenv("DREG_ENGINE", "local")
        monkeypatch.chdir(self.pipeline)
        self.change("params.yaml", model=small_model.declared())
        vector = {"type": "float32", "shape": [DIMENSION], "model": "tests/small@1"}
        self.change(
            "dataset.yaml",
            columns=self.read("dataset.yaml")["columns"] | {"vector": vector},
            gates={},
        )

    @property
    def pipeline(self) -> Path:
        return self.root / "pipelines/herbs"

    @property
    def chunks(self) -> Path:
        return self.root / "data/herbs/processed/chunks.parquet"

    def read(self, file: str) -> Any:
        return yaml.safe_load((self.pipeline / file).read_text())

    def change(self, file: str, **changes: Any) -> None:
        text = yaml.safe_dump(self.read(file) | changes, sort_keys=False)
        (self.pipeline / file).write_text(text)

    def stage(self, *scripts: str) -> None:
        for script in scripts:
            runpy.run_path(f"scripts/{script}.py", run_name="__main__")


@pytest.fixture
def garden(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Garden:
    return Garden(tmp_path, monkeypatch)


def the_model() -> Any:
    return parse_model(small_model.declared(), "params.yaml")


def quiet(line: str) -> None:
    pass


# What is published


@needs_torch
def test_a_row_is_a_chunk_with_where_it_is_from_and_its_vector(garden):
    garden.stage("download", "process", "analyze")
    table = pq.read_table(garden.chunks)
    assert table.schema.field("vector").type == pa.list_(pa.float32(), DIMENSION)
    assert table.schema.field("chunk").type == pa.int32()
    assert table.column_names == [
        "key",
        "repo",
        "path",
        "commit",
        "chunk",
        "h1",
        "h2",
        "h3",
        "text",
        "vector",
    ]
    rows = {row["key"]: row for row in table.to_pylist()}
    beds = rows["local/garden.md#1"]
    assert (beds["repo"], beds["path"], beds["commit"], beds["chunk"]) == (
        "local",
        "garden.md",
        None,
        1,
    )
    assert (beds["h1"], beds["h2"], beds["h3"]) == ("Garden", "Beds", None)
    assert "| 1 | beans | every second day |" in beds["text"]
    assert sum(number**2 for number in beds["vector"]) == pytest.approx(1, abs=1e-4)
    profile = Registry(garden.root).dataset("herbs").profile()
    assert profile is not None
    assert profile.features["vector"].model == "tests/small@1"
    assert set(profile.metrics["all"]) == {"recall@5", "mrr"}
    told = parse_model(yaml.safe_load(garden.chunks.with_name("model.json").read_text()), "it")
    assert told == the_model(), "who embeds a question finds the model in the release"


@needs_torch
def test_another_model_than_the_contract_names_is_refused(garden):
    garden.stage("download")
    model = small_model.declared()
    garden.change("params.yaml", model=model | {"revision": "2"})
    with pytest.raises(BadRequest, match="is not what tests/small@2 makes"):
        garden.stage("process")
    garden.change("params.yaml", model=model | {"dimension": 16})
    vector = {"type": "float32", "shape": [16], "model": "tests/small@1"}
    garden.change(
        "dataset.yaml", columns=garden.read("dataset.yaml")["columns"] | {"vector": vector}
    )
    with pytest.raises(Outside, match=f"makes vectors of {DIMENSION}, not of 16"):
        garden.stage("process")
    assert not garden.chunks.exists()


@needs_torch
def test_nothing_to_embed_and_two_chunks_of_one_key_are_told(garden):
    with pytest.raises(Outside, match="there is no passage to embed"):
        embeddings.write([], garden.chunks.parent)
    document = Document("a", "b.md", None, "text")
    twice = [embeddings.passage(document, chunk) for chunk in chunks("text") * 2]
    with pytest.raises(Outside, match=r"2 passages have the key `a/b\.md#0`"):
        embeddings.write(twice, garden.chunks.parent)


# The same bytes


@needs_torch
def test_batches_their_order_and_threads_change_no_byte(tmp_path):
    from dreg.adapters.embedding.encoder import Encoder

    small_model.put_below(tmp_path)
    folder = tmp_path / "small-model"
    encoder = Encoder(folder, the_model())
    expected = encoder.encode(TEXTS)
    assert len({row.tobytes() for row in expected}) == len(TEXTS), "there is something to compare"
    # Rounding would hide it from a model as small as this one if they were float32.
    one_by_one, together = encoder._vectors(TEXTS, 1), encoder._vectors(TEXTS, 32)
    assert abs(one_by_one - together).max() < 1e-13
    for batch in (3, 32):
        assert encoder.encode(TEXTS, batch).tobytes() == expected.tobytes()
    assert encoder.encode(TEXTS[::-1], 8)[::-1].tobytes() == expected.tobytes()
    again = Encoder(folder, the_model(), threads=1)
    assert again.encode(TEXTS, 5).tobytes() == expected.tobytes()
    assert encoder.encode([]).shape == (0, DIMENSION)


@needs_torch
@pytest.mark.slow
def test_ray_makes_the_same_bytes_and_refuses_what_a_cluster_has_no_room_for(garden, monkeypatch):
    import ray

    expected = engines.vectors_of(TEXTS, the_model(), quiet, "local")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    said: list[str] = []
    # Ray believes what it is told: there are two CPUs, and no GPU at all.
    ray.init(
        num_cpus=4,
        num_gpus=1,
        include_dashboard=False,
        log_to_driver=False,
        object_store_memory=10**8,
    )
    try:
        made = engines.vectors_of(TEXTS, the_model(), said.append, "ray", "cpu-small")
        assert made.tobytes() == expected.tobytes()
        assert said[0].endswith("2 workers of 1 CPU")
        for compute in ("gpu-small", None):  # nobody chose: the GPU that is said to be there
            with pytest.raises(Outside, match=r"torch sees no GPU on .*, and one is to be used"):
                engines.vectors_of(TEXTS, the_model(), said.append, "ray", compute)
        assert [line.rpartition(": ")[2] for line in said[1:]] == [
            "1 worker of 4 CPUs and 1 GPU",
            "1 worker of 1 CPU and 1 GPU",
        ]
        for compute in ("cpu-large", "gpu-medium"):
            with pytest.raises(
                Outside, match=f"compute type `{compute}` needs .* has room for"
            ) as no:
                engines.vectors_of(TEXTS, the_model(), quiet, "ray", compute)
            assert "--compute-type cpu-small" in no.value.hint
        for path in small_model.files():
            (garden.mirror / "small-model" / path).write_bytes(b"damaged")
        cache = Path(os.environ["DREG_CACHE"])
        for file in [*cache.glob("models/*/model.safetensors"), *cache.glob("sources/*")]:
            file.write_bytes(b"damaged")
        with pytest.raises(Outside, match=r"no mirror gave `model\.safetensors`"):
            engines.vectors_of(TEXTS, the_model(), quiet, "ray", "cpu-small")
    finally:
        ray.shutdown()


def test_a_compute_type_says_how_many_workers_and_what_each_needs():
    medium, small = (workers_of(COMPUTE_TYPES[name]) for name in ("gpu-medium", "cpu-small"))
    assert str(medium) == "2 workers of 4 CPUs and 1 GPU"
    assert str(small) == "2 workers of 1 CPU"
    assert (small.fit(cpus=5, gpus=0), medium.fit(cpus=16, gpus=3), medium.fit(8, 0)) == (5, 3, 0)
    with pytest.raises(BadRequest, match="no compute type `gpu-smal`"):
        engines.compute_of("gpu-smal")


def test_what_rays_backend_logs_is_kept_from_stderr_and_nothing_else(capfd):
    with hushed():
        os.write(2, b"[2026-11-26 04:07:06,048 E 194 194] core_worker.cc:2465: Actor with ...\n")
        os.write(2, b"what the user should see\n")
    os.write(2, b"[2026-11-26 04:07:06,048 E 194 194] afterwards\n")
    said = capfd.readouterr().err.splitlines()
    assert said[0] == "what the user should see"
    assert said[1].endswith("afterwards")


def test_without_torch_it_is_said_what_to_install(garden_without_torch):
    with pytest.raises(Outside, match="`torch` is needed for this and not installed") as lacking:
        engines.vectors_of(TEXTS, garden_without_torch, quiet, "local")
    assert "dreg[embeddings]" in lacking.value.hint


@pytest.fixture
def garden_without_torch(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(engines, "find_spec", lambda name: None)
    file = {"sha256": "0" * 64, "size": 1, "mirrors": [{"local": "x"}]}
    return parse_model(
        {"name": "a", "revision": "1", "dimension": 2, "files": {"a.json": file}}, "p"
    )


# The model's files


@needs_torch
def test_a_damaged_file_of_the_model_is_never_used(garden, tmp_path):
    garden.stage("download")
    folder = model_folder(the_model(), quiet)
    weights = folder / "model.safetensors"
    intact = weights.read_bytes()
    weights.write_bytes(intact[:-1] + b"\0")
    assert model_folder(the_model(), quiet) == folder
    assert weights.read_bytes() == intact, "it comes anew from where it can be had"
    weights.write_bytes(b"damaged")
    for kept in (tmp_path / "cache/sources").iterdir():
        kept.write_bytes(b"damaged")
    (garden.mirror / "small-model/model.safetensors").write_bytes(intact[:100])
    with pytest.raises(Outside, match=r"no mirror gave `model\.safetensors`") as gone:
        garden.stage("process")
    assert "its bytes don't match" in gone.value.details[0]


@needs_torch
def test_a_model_is_had_once_and_then_without_any_mirror(garden):
    garden.stage("download")
    for path in small_model.files():
        (garden.mirror / "small-model" / path).unlink()
    garden.stage("process")
    assert garden.chunks.is_file()


def test_a_file_that_may_have_code_in_it_is_no_part_of_a_model(tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_CACHE", str(tmp_path))
    file = {"sha256": "0" * 64, "size": 1, "mirrors": [{"local": "x"}]}
    told = {"name": "a", "revision": "1", "dimension": 2, "files": {"pytorch_model.bin": file}}
    with pytest.raises(BadRequest, match=r"has the file `pytorch_model\.bin`"):
        model_folder(parse_model(told, "params.yaml"), quiet)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"name": "../x"}, r"the model is called `\.\./x`"),
        ({"revision": 7}, "revision is `7`"),
        ({"dimension": 0}, "dimension is `0`"),
        ({"dimension": True}, "dimension is `True`"),
        ({"files": {}}, "lists no file"),
        ({"more": 1}, "is not name, revision, dimension, files"),
    ],
)
def test_a_model_that_is_none_is_refused(changes, told):
    file = {"sha256": "0" * 64, "size": 1, "mirrors": [{"local": "x"}]}
    model = {"name": "a", "revision": "1", "dimension": 2, "files": {"a.json": file}}
    parse_model(model, "params.yaml")
    with pytest.raises(BadRequest, match=told):
        parse_model(model | changes, "params.yaml")


# Questions


def test_recall_and_rank_are_of_files_not_of_chunks():
    found = ["a", "a", "b", "a", "c", "d"]
    assert recall(found, {"a", "c"}) == 1
    assert recall(found, {"d"}) == 0
    assert recall(found, {"b", "d"}) == 0.5
    assert reciprocal_rank(found, {"b", "d"}) == 1 / 3
    assert reciprocal_rank(found, {"x"}) == 0


@pytest.mark.parametrize(
    ("listed", "told"),
    [
        ("questions: 7\n", "lists no questions"),
        ("- {question: How?}\n", "question 1 is not question and files"),
        ("- {question: ' ', files: [a/b.md]}\n", "question 1 has no text"),
        ("- {question: How?, files: []}\n", "question 1 names no files"),
        (
            "- {question: How?, files: [a/c.md]}\n",
            "answered by `a/c.md`, of which there is no chunk",
        ),
    ],
)
def test_questions_that_are_none_are_told(tmp_path, listed, told):
    file = tmp_path / "questions.yaml"
    file.write_text(listed)
    with pytest.raises(BadRequest, match=told):
        retrieval.read_questions(file, {"a/b.md"})


def test_the_nearest_come_first_and_equal_ones_in_their_order():
    import numpy as np

    stored = np.array([[0, 1], [1, 0], [1, 0], [0.9, 0.1]], np.float32)
    assert retrieval.nearest(np.array([[2.0, 0.0]]), stored).tolist() == [[1, 2, 3, 0]]


def test_documents_are_what_the_index_lists_or_all_markdown_there_is(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/x.md").write_text("# x")
    (tmp_path / "y.md").write_text("# y")
    assert [(d.repo, d.path) for d in read_documents(tmp_path)] == [
        ("local", "a/x.md"),
        ("local", "y.md"),
    ]
    line = '{"document": "y.md", "repository": "o/n", "path": "README.md", "commit": null}\n'
    (tmp_path / "index.jsonl").write_text(line)
    assert list(read_documents(tmp_path)) == [Document("o/n", "README.md", None, "# y")]
    (tmp_path / "index.jsonl").write_text(line + "{}\n")
    with pytest.raises(Outside, match=r"index\.jsonl` line 2 tells of no document"):
        list(read_documents(tmp_path))
