"""Whoever measures, in whatever pieces: the files are equal, and so is the first error."""

from __future__ import annotations

import contextlib
import os
import pickle
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreg.adapters.engines import cluster as ray_cluster
from dreg.adapters.engines import local, ray_data
from dreg.adapters.formats import Piece, parquet, pieces, rows
from dreg.adapters.index.writing import SampleIndex
from dreg.adapters.measure import Part
from dreg.adapters.merging import Engine, measure
from dreg.core.contract import Column, Contract
from dreg.errors import BadRequest, DregError, Outside, Refused
from dreg.stages import profile
from dreg.stages.files import write_csv
from tests.measured import Pets, image, lines, pets
from tests.pipeline_registry import BIN, PipelineRegistry
from tests.ports import free_ports

CHANCE = random.Random(3)
SIZE = 3_000
TABLE = pa.table(
    {
        "id": [f"n-{i:05}" for i in range(SIZE)],
        "x": [CHANCE.choice([None, float("nan"), CHANCE.gauss(0, 1e6)]) for _ in range(SIZE)],
        "n": [CHANCE.randint(-(2**60), 2**60) for _ in range(SIZE)],
        "label": [CHANCE.choice(["cat", "dog", None]) for _ in range(SIZE)],
    }
)
COLUMNS = {
    "id": "string",
    "x": "float64",
    "n": "int64",
    "label": {"type": "string", "classes": ["cat", "dog"]},
}

ENVIRONMENT = os.environ | {
    "RAY_AUTH_MODE": "disabled"
}  # as on one machine; tokens are a cluster's matter


@pytest.fixture
def dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pets]:
    with pets(tmp_path, monkeypatch) as found:
        yield found


def found_by(engine: Engine, files: list[Path], contract: Contract, folder: Path) -> list[Any]:
    """Everything that is known of a dataset with one split."""
    target = folder / "samples.parquet"
    with SampleIndex(contract.key) as index:
        given_pieces = {"train": list(pieces(files, contract))}
        [(_, samples, features)] = measure(given_pieces, contract, index, engine)
        digest = index.write(target)
    figures = {name: column.figures() for name, column in samples.columns.items()}
    return [
        samples.count, dict(samples.classes), figures, samples.histograms(), samples.metrics(),
        dict(features), digest, target.read_bytes(), index.duplicates,
    ]  # fmt: skip


def workers(given_pieces: Sequence[Piece], contract: Contract) -> Iterator[Part]:
    """What Ray's workers do, without Ray."""
    for work in enumerate(given_pieces):
        table = pa.table({"work": [pickle.dumps(work)]})
        for answer in ray_data.answers(table, contract, Path.cwd(), ray_data.version("dreg")):
            part = pickle.loads(answer["answer"][0].as_buffer())
            if isinstance(part, DregError):
                raise part
            yield part


# In whatever pieces


FLOATS = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -0.0, 1e308, -1e308, 5e-324]))
ROWS = st.lists(
    st.tuples(
        FLOATS,
        st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)),
        st.sampled_from([None, "cat", "dog"]),
        st.one_of(st.none(), st.text(max_size=3)),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(ROWS, st.data(), st.booleans())
def test_however_a_dataset_is_cut_the_same_is_known_of_it(samples, data, keyed):
    fields = {"x": pa.float64(), "n": pa.int64(), "label": pa.string(), "t": pa.string()}
    arrays = [
        pa.array(values, kind)
        for values, kind in zip(zip(*samples, strict=True), fields.values(), strict=True)
    ]
    table = pa.table([*arrays, pa.array(range(len(samples)))], names=[*fields, "i"])
    columns = {"label": Column("string", classes=("cat", "dog"))}
    contract = Contract("", "", "", {}, columns, label="label", key=("i",) if keyed else ())
    cuts = sorted(data.draw(st.lists(st.integers(0, len(samples)), max_size=4)))
    with tempfile.TemporaryDirectory() as name, pytest.MonkeyPatch.context() as patch:
        folder = Path(name)
        pq.write_table(table, folder / "whole.parquet")
        expected = found_by(local.parts, [folder / "whole.parquet"], contract, folder)
        patch.setattr(parquet, "PIECE_BYTES", data.draw(st.sampled_from([1, 300, 1 << 20])))
        patch.setattr(rows, "BATCH_ROWS", data.draw(st.sampled_from([1, 7, 1 << 17])))
        patch.setattr(ray_data, "MOST_BYTES", data.draw(st.sampled_from([1, 100, 1 << 20])))
        files = []
        for number, (start, end) in enumerate(zip([0, *cuts], [*cuts, len(samples)], strict=True)):
            files.append(folder / f"{number}.parquet")
            size = data.draw(st.integers(1, 20))
            pq.write_table(table.slice(start, end - start), files[-1], row_group_size=size)
        for engine in (local.parts, workers):
            assert found_by(engine, files, contract, folder) == expected


def test_the_first_error_in_order_is_told_whatever_is_found_first(dataset, monkeypatch):
    """Also when reading on fails before what was read has been looked at."""
    monkeypatch.setattr(parquet, "PIECE_BYTES", 1)
    bad = TABLE.slice(0, 100).set_column(
        3, "label", pa.array(["cat"] * 40 + ["owl"] * 20 + ["emu"] * 40)
    )
    path = dataset.processed / "a.parquet"
    pq.write_table(bad, path, row_group_size=10)
    content = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(7).column(0)
    content[group.dictionary_page_offset or group.data_page_offset] ^= 0xFF
    path.write_bytes(content)
    dataset.contract(COLUMNS, "a.parquet", label="label")

    assert dataset.refused() == (
        "`a.parquet` row 41: label 'owl' in column `label` is none of the 2 classes"
    )
    contract = Contract("", "", "", {}, {})
    for engine in (local.parts, workers):
        with pytest.raises(Outside, match=r"a\.parquet` cannot be read"):
            list(engine(list(pieces([path], contract)), contract))


@pytest.mark.parametrize("kind", [Refused, BadRequest, Outside])
def test_an_error_comes_out_of_another_process_as_it_went_in(kind):
    error = pickle.loads(pickle.dumps(kind("no", hint="yes", details=["a", "b"])))
    assert type(error) is kind
    assert (str(error), error.fact, error.hint, error.details) == ("no", "no", "yes", ("a", "b"))


def test_an_engine_that_does_not_exist(dataset, monkeypatch):
    dataset.write("a.csv", "x\n1\n")
    dataset.contract({"x": "int64"}, "a.csv")
    with pytest.raises(BadRequest, match="no engine `spark`") as caught:
        profile.write(engine="spark")
    assert caught.value.hint == "engines: local, ray"
    monkeypatch.setenv("DREG_ENGINE", "dask")
    with pytest.raises(BadRequest, match="no engine `dask`"):
        profile.write()
    assert profile.write(engine="local").num_samples == 1


def test_ray_that_is_not_installed(dataset):
    dataset.write("a.csv", "x\n1\n")
    dataset.contract({"x": "int64"}, "a.csv")
    code = "import sys; sys.modules['ray'] = None; from dreg.stages import profile; profile.write()"
    done = run([sys.executable, "-c", code], DREG_ENGINE="ray")
    assert done.returncode == 2
    assert done.stderr == "error: Ray is not installed\n\nhint: pip install 'dreg[ray]'\n"


# On Ray

RICH = pa.table(
    {
        "vector": [[i, 0.5] for i in range(300)],
        "price": pa.array([Decimal(i) / 4 for i in range(300)], pa.decimal128(30, 2)),
        "at": pa.array(range(300), pa.timestamp("us", "UTC")),
        "deep": [{"a": [i], "b": None if i % 3 else "x"} for i in range(300)],
        "kind": [i % 7 == 0 for i in range(300)],
    }
)
OF_RICH = {
    "vector": {"type": "float64", "shape": [2]},
    "price": "decimal128(30, 2)",
    "at": "timestamp[us, tz=UTC]",
    "deep": "struct<a: list<int64>, b: string>",
    "kind": "bool",
}


def run(
    command: list[str], folder: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT | environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@contextmanager
def cluster(*options: str, **environment: str) -> Iterator[str]:
    """A cluster of one node, as somebody else would run it. Its address."""
    [port] = free_ports(1)
    folder = tempfile.mkdtemp(prefix="ray-")  # not below pytest's: paths of sockets are short
    command = [
        str(BIN / "ray"), "start", "--head", "--block", "--node-ip-address=127.0.0.1",
        f"--port={port}", "--include-dashboard=false",
        "--object-store-memory=200000000", "--disable-usage-stats", f"--temp-dir={folder}", *options,
    ]  # fmt: skip
    said = Path(folder, "started.log")
    with said.open("w") as log:
        process = subprocess.Popen(
            command, stdout=log, stderr=log, env=ENVIRONMENT | environment, start_new_session=True
        )
    try:
        until = time.monotonic() + 180
        while True:
            assert process.poll() is None, said.read_text()
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                assert time.monotonic() < until, "Ray does not answer"
                time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        for one in [*psutil.Process(process.pid).children(recursive=True), process]:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()  # asked to end, it takes seconds
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with cluster("--num-cpus=2") as address:
        yield address


@pytest.fixture(scope="module")
def ray(address: str) -> Iterator[Any]:
    """A driver that is connected, as a script may be: the engine neither starts nor ends it."""
    import ray

    os.environ["RAY_AUTH_MODE"] = ENVIRONMENT["RAY_AUTH_MODE"]
    ray.init(address=address, log_to_driver=False, logging_level="ERROR")
    yield ray
    assert ray.is_initialized()
    ray.shutdown()


def written(dataset: Pets, engine: str) -> tuple[bytes, bytes]:
    files = [dataset.data / "metadata.json", dataset.data / "samples.parquet"]
    for file in files:
        file.unlink(missing_ok=True)
    profile.write(engine=engine)
    return files[0].read_bytes(), files[1].read_bytes()


@pytest.mark.slow
def test_both_engines_write_equal_files(dataset, ray, monkeypatch):
    monkeypatch.setattr(parquet, "PIECE_BYTES", 1)
    pq.write_table(TABLE, dataset.processed / "a.parquet", row_group_size=500)
    pq.write_table(TABLE.slice(0, 0), dataset.processed / "b.parquet")
    for name in ("c.csv", "d.csv"):
        write_csv(TABLE.slice(1000, 900), dataset.processed / name)
    for label, shade in (("cat", 1), ("cat", 2), ("dog", 3)):
        dataset.write(f"all/{label}/{shade}.png", image(colour=(shade, 0, 0)))
    dataset.write("pets.jsonl", lines({"image": "all/cat/1.png", "n": 1}, {"image": None, "n": 2}))
    for name in ("one.md", "two.md"):
        dataset.write(name, f"# {name}")
    pq.write_table(RICH, dataset.processed / "rich.parquet", row_group_size=100, store_schema=False)
    of_images = {
        "file": "string",
        "image": "image",
        "label": {"type": "string", "classes": ["cat", "dog"]},
    }
    cases: list[tuple[dict[str, Any], tuple[str, ...], dict[str, Any]]] = [
        (COLUMNS, ("[ab].parquet",), {"label": "label"}),
        (COLUMNS, ("[ab].parquet",), {"label": "label", "key": "id"}),
        (COLUMNS, ("*.csv",), {"label": "label"}),
        (COLUMNS, ("c.csv",), {"key": ["id", "n"]}),
        (of_images, ("all/**/*.png",), {"label": "label", "key": "file"}),
        ({"image": "image", "n": "int64"}, ("pets.jsonl",), {}),
        ({"file": "string", "text": "document"}, ("*.md",), {"key": "file"}),
        (OF_RICH, ("rich.parquet",), {"label": "kind"}),
    ]
    for columns, files, more in cases:
        dataset.contract(columns, *files, **more)
        assert written(dataset, "ray") == written(dataset, "local"), (files, more)
    dataset.contract(COLUMNS, "a.parquet")
    monkeypatch.setattr(ray_data, "MOST_BYTES", 1)
    assert b'"num_samples": 3000' in written(dataset, "ray")[0]


@pytest.mark.slow
def test_both_engines_refuse_in_equal_words(dataset, ray, monkeypatch):
    monkeypatch.setattr(parquet, "PIECE_BYTES", 1)
    labels = ["cat"] * 300
    path = dataset.processed / "whole.parquet"
    pq.write_table(TABLE.slice(0, 300), path, row_group_size=100)
    content = bytearray(path.read_bytes())
    group = pq.read_metadata(path).row_group(1).column(0)
    content[group.dictionary_page_offset or group.data_page_offset] ^= 0xFF
    dataset.write("pages.parquet", bytes(content))
    dataset.write("cut.parquet", bytes(content[:-9]))
    labels[120], labels[220] = "owl", "emu"
    wrong = TABLE.slice(0, 300).set_column(3, "label", pa.array(labels))
    pq.write_table(wrong, dataset.processed / "label.parquet", row_group_size=50)
    dataset.write("bad.csv", "id,x,n,label\na,1.5,2,cat\nb,none,2,cat\n")
    dataset.write("no-key.csv", "id,x,n,label\na,1.5,2,cat\n,2.5,2,cat\n")
    dataset.write("narrow.csv", "id\nz\n")
    dataset.write("missing.jsonl", lines({"image": "a.png"}))
    facts = []
    for columns, files, more in (
        (COLUMNS, ("pages.parquet",), {}),
        (COLUMNS, ("cut.parquet",), {}),
        (COLUMNS, ("label.parquet",), {"label": "label"}),
        (COLUMNS, ("bad.csv",), {}),
        (COLUMNS, ("whole.parquet", "no-key.csv"), {"key": "id"}),
        (COLUMNS, ("whole.parquet", "whole.parquet"), {"key": "id"}),
        (COLUMNS, ("whole.parquet", "narrow.csv"), {}),
        (COLUMNS, ("none.parquet",), {}),
        ({"image": "image"}, ("missing.jsonl",), {}),
    ):
        dataset.contract(columns, *files, **more)
        errors = []
        for engine in ("local", "ray"):
            with pytest.raises(DregError) as caught:
                profile.write(engine=engine)
            errors.append((type(caught.value), caught.value.fact, caught.value.hint))
        assert errors[0] == errors[1], files
        assert caught.value.hint
        facts.append(caught.value.fact)
        assert not (dataset.data / "metadata.json").exists()
    assert "label.parquet` row 121: label 'owl'" in facts[2]
    assert "no-key.csv` row 2 has no key" in facts[4]
    assert facts[5].endswith("whole.parquet` row 1 has as well")


@pytest.mark.slow
def test_a_run_on_a_cluster(address, tmp_path):
    registry = PipelineRegistry.make(tmp_path / "registry", "digits")
    script = "from dreg.stages import profile\n\nprofile.write()\n"
    registry.write("pipelines/digits/scripts/analyze.py", script)
    made = [tmp_path / "registry/data/digits" / n for n in ("metadata.json", "samples.parquet")]
    assert registry.dreg("run", "digits").code == 0
    expected = [file.read_bytes() for file in made]
    registry.environment["RAY_ADDRESS"] = address

    done = registry.dreg("run", "digits", "--force", "--engine", "ray")

    assert done.code == 0, done.stderr
    assert "measuring on the Ray cluster at" in done.stderr
    assert not [line for line in done.stderr.splitlines() if "WARN" in line or "INFO" in line]
    assert [file.read_bytes() for file in made] == expected

    registry.write("data/digits/processed/train.csv", "x\n1\ntwo\n")
    folder = tmp_path / "registry/pipelines/digits"
    again = run([sys.executable, "scripts/analyze.py"], folder,
                DREG_ENGINE="ray", RAY_ADDRESS=address)  # fmt: skip
    assert again.returncode == 3
    said = [line for line in again.stderr.splitlines() if line]
    assert len(said) == 3, again.stderr
    assert said[1].startswith("error: ")
    assert "train.csv` row 2 cannot be read: column `x`" in said[1]
    assert said[2].startswith("hint: ")


@pytest.mark.slow
def test_a_cluster_of_its_own_ends_with_the_work(dataset):
    """Also by Ctrl-C, which must not leave a cluster behind."""
    pq.write_table(TABLE, dataset.processed / "a.parquet")
    dataset.contract(COLUMNS, "a.parquet", key="id")
    expected = written(dataset, "local")
    (dataset.data / "metadata.json").unlink()
    code = "import os; from dreg.stages import profile; profile.write(engine='ray')"
    done = run([sys.executable, "-c", code], RAY_ADDRESS="")
    assert done.returncode == 0, done.stderr
    assert len(done.stderr.splitlines()) == 2, done.stderr
    files = (dataset.data / "metadata.json", dataset.data / "samples.parquet")
    assert tuple(file.read_bytes() for file in files) == expected


PATIENT = (
    "from dreg.adapters.engines import cluster; cluster.PATIENCE = 0.5; "
    "from dreg.stages import profile; profile.write(engine='ray')"
)


def told(dataset: Pets, address: str) -> tuple[int, str]:
    """What measuring fails with, and that it says nothing else."""
    dataset.write("a.csv", "x\n1\n")
    dataset.contract({"x": "int64"}, "a.csv")
    done = run([sys.executable, "-c", PATIENT], RAY_ADDRESS=address)
    said = [line for line in done.stderr.splitlines() if line]
    assert len(said) == 3, done.stderr
    assert said[2].startswith("hint: ")
    return done.returncode, said[1]


def test_no_cluster_at_the_address(dataset):
    [nobody] = free_ports(1)
    assert told(dataset, f"127.0.0.1:{nobody}") == (
        3, f"error: no Ray cluster answers at `127.0.0.1:{nobody}`: Connection refused"
    )  # fmt: skip
    assert told(dataset, "nonsense") == (
        2, "error: RAY_ADDRESS is `nonsense`, which is no address"
    )  # fmt: skip


@pytest.mark.slow
def test_a_cluster_without_cpus(dataset):
    with cluster("--num-cpus=0") as address:
        code, fact = told(dataset, address)
    assert code == 3
    assert fact.startswith("error: the Ray cluster has no CPU")


@pytest.mark.slow
def test_a_cluster_without_dreg(dataset, tmp_path):
    (tmp_path / "other/dreg").mkdir(parents=True)
    (tmp_path / "other/dreg/__init__.py").write_text("")
    with cluster("--num-cpus=1", PYTHONPATH=str(tmp_path / "other")) as address:
        assert told(dataset, address) == (3, "error: Ray's workers cannot import dreg")


def test_a_worker_that_does_not_see_the_files_or_has_another_dreg(dataset, monkeypatch, tmp_path):
    path = dataset.write("a.csv", "x\n1\n")
    contract = Contract("", "", "", {}, {})
    path.unlink()
    with pytest.raises(Outside, match=r"`.*a\.csv` is not on the Ray node") as caught:
        list(workers([Piece(path)], contract))
    assert "shared file system" in caught.value.hint
    path.write_text("x\n1\n")
    monkeypatch.setattr(ray_cluster, "version", lambda name: "0.0.1")
    with pytest.raises(Outside, match=r"a Ray worker has dreg 0\.0\.1, and this is dreg 0\.1\.0"):
        list(workers([Piece(path)], contract))
