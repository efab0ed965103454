"""A release in Python: which one `dreg.load` gives, where its files are, and its data as tables."""

from __future__ import annotations

import io
import os
import pickle
import random
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import dreg
from dreg.core.remotes import Remote
from dreg.core.split_paths import guessed, matching
from dreg.errors import BadRequest, DregError, Outside
from tests.hand_made import S3_REMOTE, WINE, HandMade
from tests.kinds import COLOURS, ROWS
from tests.relay import relay

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def wine(hand_made, monkeypatch):
    """Releases 1.0.0 and 1.1.0 of `wine`, and a training repository that is the current folder."""
    hand_made.release("1.0.0")
    hand_made.release("1.1.0", {**WINE, "processed/val.csv": b"a,b\n5,6\n"})
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    monkeypatch.chdir(hand_made.train)
    for name, value in hand_made.environment.items():
        monkeypatch.setenv(name, value)
    return hand_made


# Which release


def test_the_newest_in_the_range(wine):
    ds = dreg.load("wine@^1.0", repo=str(wine.bare))
    assert (ds.name, str(ds.version), ds.tag) == ("wine", "1.1.0", "wine-v1.1.0")
    assert ds.commit == wine.git("rev-parse", "wine-v1.1.0^{commit}")
    assert repr(ds) == f"<dreg dataset wine 1.1.0 of {wine.bare}>"


def test_registry_and_remote_may_be_paths(wine, tmp_path):
    moved = wine.store.rename(tmp_path / "moved")
    ds = dreg.load("wine@1.1.0", repo=wine.bare, remote=moved)
    assert (ds.repo, (ds.path() / "metadata.json").is_file()) == (str(wine.bare), True)


@pytest.mark.parametrize(
    ("request_", "version"), [("wine", "1.0.0"), ("wine@^1", "1.0.0"), ("wine@latest", "1.1.0"), ("wine@~1.1", "1.1.0")]
)  # fmt: skip
def test_what_the_lock_pins_if_it_is_meant(wine, request_, version):
    wine.fetch("wine@1.0.0")
    assert str(dreg.load(request_).version) == version


def test_what_is_locked_and_in_place_needs_no_network(wine, monkeypatch):
    wine.fetch("wine@1.0.0", "-o", "data/here")
    for gone in (wine.bare, wine.store, wine.home / "cache"):
        shutil.rmtree(gone)
    below = wine.train / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    ds = dreg.load("wine")
    assert ds.path("train") == wine.train / "data/here/processed/train.csv"
    assert ds.metadata["metrics"]["train"]["mean"] == 0.5
    assert not (wine.home / "cache").exists()


@pytest.mark.parametrize("file", ["dreg.lock", "dreg.toml"])
def test_a_path_in_a_file_is_from_where_the_file_is(wine, monkeypatch, file):
    monkeypatch.delenv("DREG_REPO")
    relative = os.path.relpath(wine.bare, wine.train)
    if file == "dreg.lock":
        wine.fetch("wine@1.0.0", "--repo", relative, DREG_REPO="")
    else:
        (wine.train / "dreg.lock").write_text("format = 1\n")
        (wine.train / "dreg.toml").write_text(f'repo = "{relative}"\n[datasets]\nwine = "1.0.0"\n')
    below = wine.train / "notebooks"
    below.mkdir()
    monkeypatch.chdir(below)
    assert str(dreg.load("wine").version) == "1.0.0"
    ds = dreg.load("wine@^1.1")
    assert (str(ds.version), ds.repo) == ("1.1.0", str(wine.bare))
    assert ds.lineage().repo == str(wine.bare), "what a run records can be found from anywhere"
    here = os.path.relpath(wine.bare, below)
    assert str(dreg.load("wine", repo=here).version) == "1.0.0"


def test_a_yanked_release_is_told(wine, capsys):
    wine.fetch("wine@1.0.0")
    wine.git("tag", "-a", "-m", "Wrong labels", "yank/wine-v1.0.0", "wine-v1.0.0^{commit}")
    wine.git("push", "-q", "origin", "yank/wine-v1.0.0")
    dreg.load("wine")
    assert capsys.readouterr().err == "", "what is locked and in place asks nobody"
    (wine.train / "dreg.lock").unlink()
    dreg.load("wine@1.0.0")
    assert capsys.readouterr().err == "warning: wine 1.0.0 is yanked: Wrong labels\n"
    dreg.load("wine")
    assert capsys.readouterr().err == ""
    wine.fetch("wine@1.0.0", "--force")
    dreg.load("wine")
    assert capsys.readouterr().err == "warning: wine 1.0.0 is yanked: Wrong labels\n"


def test_a_part_that_was_fetched_limits_nothing(wine):
    wine.fetch("wine@1.0.0", "--path", "processed/train.csv")
    assert not (wine.train / "data/wine/processed/val.csv").exists()
    ds = dreg.load("wine")
    assert str(ds.version) == "1.0.0"
    assert ds.path("val").read_bytes() == WINE["processed/val.csv"]
    assert ds.path("train").read_bytes() == WINE["processed/train.csv"]


def test_a_split_that_was_fetched_is_used_where_it_lies(wine):
    wine.fetch("wine@1.1.0", "--split", "train", "-o", "data/part")
    for gone in (wine.bare, wine.store, wine.home / "cache"):
        shutil.rmtree(gone)
    ds = dreg.load("wine")
    assert ds.path("train") == wine.train / "data/part/processed/train.csv"
    assert ds.metadata["metrics"]["train"]["mean"] == 0.5
    with pytest.raises(DregError):
        ds.path("val")


def test_a_part_of_a_split_is_not_the_split(training):
    subprocess.run(
        [sys.executable, "-m", "dreg", "fetch", "digits", "--split", "train", "--columns", "label"],
        check=True,
    )
    assert dreg.load("digits").to_arrow("train").column_names == ["image", "label"]


def test_only_the_split_that_is_asked_for_travels(tmp_path, s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "own-cache"))
    noise = random.Random(1)
    files = {f"processed/{name}.bin": noise.randbytes(400_000) for name in ("train", "val", "test")}
    with relay(s3.port) as between:
        config = "[core]\n    remote = local\n" + S3_REMOTE.format(
            url=s3.url, endpoint=between.endpoint
        )
        remote = Remote("local", s3.url, endpoint=s3.endpoint)
        made = HandMade(tmp_path, {}, remote, config)
        made.release("1.0.0", files)
        ds = dreg.load("wine", repo=str(made.bare))
        assert set(ds.splits) == {"train", "val", "test"}
        assert ds.path("train").read_bytes() == files["processed/train.bin"]
        assert 400_000 < between.received < 420_000
        ds.path("train")
        assert dreg.load("wine", repo=str(made.bare)).path("train").is_file()
        assert between.received < 420_000
        ds.path()
        assert 1_200_000 < between.received < 1_240_000, "what was here did not travel again"


@pytest.fixture
def wide(tmp_path, s3, monkeypatch):
    """A dataset on S3 whose table is mostly pixels, what travels counted, and its file."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "own-cache"))
    (tmp_path / "training").mkdir()
    monkeypatch.chdir(tmp_path / "training")
    rows = 5000
    noise = np.random.default_rng(1).integers(0, 256, (rows, 1200), np.uint8)
    table = pa.table({
        "pixels": pa.FixedSizeBinaryArray.from_buffers(pa.binary(1200), rows, [None, pa.py_buffer(noise)]),
        "label": pa.array(np.arange(rows) % 10),
        "source": pa.array([f"camera {i % 3}" for i in range(rows)]),
    })  # fmt: skip
    buffer = io.BytesIO()
    pq.write_table(table, buffer, row_group_size=1000, write_page_checksum=True)
    with relay(s3.port) as between:
        config = "[core]\n    remote = local\n" + S3_REMOTE.format(
            url=s3.url, endpoint=between.endpoint
        )
        remote = Remote("local", s3.url, endpoint=s3.endpoint)
        made = HandMade(tmp_path, {}, remote, config)
        made.release("1.0.0", {"processed/train.parquet": buffer.getvalue()})
        monkeypatch.setenv("DREG_REPO", str(made.bare))
        yield between, table, len(buffer.getvalue())


def test_of_a_large_table_only_the_columns_travel(wide):
    between, table, whole = wide
    ds = dreg.load("wine")
    assert ds.to_arrow("train", ["label"]).equals(table.select(["label"]))
    assert between.received < whole / 20
    assert ds.to_pandas("train", columns=["source", "label"]).shape == (5000, 2)
    assert between.received < whole / 10
    before = between.received
    assert dreg.load("wine").to_arrow("train", ["label"]).equals(table.select(["label"]))
    assert between.received - before < 20_000, "it is in the cache"
    with pytest.raises(BadRequest, match="no column `lable`") as raised:
        ds.to_arrow("train", ["lable"])
    assert raised.value.hint == "did you mean `label`?"
    assert between.received < whole / 10
    assert ds.to_arrow("train").equals(table)
    before = between.received
    assert before > whole
    assert ds.to_arrow("train", ["pixels"]).equals(table.select(["pixels"]))
    assert between.received == before, "the split is here"


def test_columns_that_were_fetched_are_used_where_they_lie(wide):
    between, table, _ = wide
    command = [sys.executable, "-m", "dreg", "fetch", "wine", "--columns", "source,label"]
    subprocess.run(command, check=True)
    before = between.received
    assert dreg.load("wine").to_arrow("train", ["label"]).equals(table.select(["label"]))
    assert between.received == before


def test_of_a_small_table_all_columns_come_at_once(training):
    digits = dreg.load("digits")
    digits.to_arrow("train", ["label"])
    assert pq.read_schema(digits.path("train")).names == ["image", "label"]


def test_a_split_comes_with_the_files_that_its_table_names(training):
    talks = dreg.load("talks")
    images = talks.path("train").parent / "images"
    assert sorted(p.name for p in images.iterdir()) == ["0.png", "1.png", "2.png"]
    assert len(talks.to_arrow("train")) == 3
    assert not (talks.path("train").parents[1] / "samples.parquet").exists()
    subprocess.run([sys.executable, "-m", "dreg", "fetch", "talks", "--split", "train"], check=True)
    assert (training / "data/talks/processed/images/2.png").is_file()


def test_what_was_loaded_once_stays_in_the_cache(wine):
    first = dreg.load("wine@1.1.0").path("val")
    assert first.is_relative_to(wine.home / "cache")
    assert first.read_bytes() == b"a,b\n5,6\n"
    shutil.rmtree(wine.store)
    assert dreg.load("wine@1.1.0").path("val") == first
    assert not (wine.train / "dreg.lock").exists(), "loading locks nothing"


def test_a_cached_file_that_was_damaged_is_downloaded_again(wine):
    path = dreg.load("wine").path("val")
    path.write_bytes(b"a,b\n6,6\n")
    assert dreg.load("wine").path("val").read_bytes() == b"a,b\n5,6\n"


def test_metadata_alone_downloads_no_data(wine):
    ds = dreg.load("wine")
    shutil.rmtree(wine.store)
    assert ds.metadata["metrics"]["train"]["mean"] == 0.5
    with pytest.raises(Outside, match="is not there"):
        ds.path("train")


def test_errors_tell_python_users_the_hint_too(wine):
    with pytest.raises(BadRequest, match="no dataset named `wein`") as raised:
        dreg.load("wein")
    assert raised.value.__notes__ == ["hint: did you mean `wine`?"]
    with pytest.raises(BadRequest, match="has no split `test`") as raised:
        dreg.load("wine").path("test")
    assert raised.value.hint == "splits: train, val"


def test_a_dataset_can_be_sent_to_other_processes(wine):
    ds = dreg.load("wine")
    ds.path("val")
    again = pickle.loads(pickle.dumps(ds))
    assert (again.tag, again.path("val")) == (ds.tag, ds.path("val"))


# Files


def test_where_splits_are(training):
    assert dreg.load("words").path("train").name == "train.csv"
    colours = dreg.load("colours")
    assert colours.path() / "processed/train" == colours.path("train")
    assert len(colours.splits["train"]) == 5 * len(COLOURS)


def test_urls_lead_to_the_bytes(training):
    colours = dreg.load("colours")
    urls, fs = colours.urls("train"), colours.filesystem()
    first = (colours.path() / colours.splits["train"][0]).read_bytes()
    assert urls[0] == "dreg://colours-v1.0.0/processed/train/blue/0.png"
    assert fs.cat_file(urls[0]) == first
    assert len(urls) == len(set(urls)) == 5 * len(COLOURS)
    assert len(colours.urls()) == len(urls) + 1, "the sample index is published too"
    (there, *_) = colours.urls("train", objects=True)
    assert Path(urlsplit(there).path).read_bytes() == fs.cat_file(there) == first


def test_the_file_system_has_what_one_looks_for(training):
    fs = dreg.load("colours").filesystem()
    assert fs.ls("dreg://colours-v1.0.0/processed/train", detail=False) == [
        f"colours-v1.0.0/processed/train/{name}" for name in sorted(COLOURS)
    ]
    assert len(fs.glob("dreg://colours-v1.0.0/**/*.png")) == 5 * len(COLOURS)
    path = "colours-v1.0.0/processed/train/blue/0.png"
    assert (fs.isfile(path), fs.isdir("colours-v1.0.0/processed"), fs.exists("x")) == (True, True, False)  # fmt: skip
    with fs.open(path) as file:
        assert file.seek(-4, 2) == fs.size(path) - 4
        assert file.read() == fs.cat_file(path)[-4:] == fs.cat_file(path, start=-4)
    fs.get(path, str(training / "one.png"))
    assert (training / "one.png").read_bytes() == fs.cat_file(path)
    with pytest.raises(io.UnsupportedOperation):
        fs.open(path, "wb")


def test_what_is_read_as_a_whole_is_verified(wine):
    fs = dreg.load("wine").filesystem()
    wine.object_path(b"a,b\n5,6\n").write_bytes(b"a,b\n5,7\n")
    with pytest.raises(Outside, match=r"`processed/val.csv` arrived corrupt"):
        fs.cat_file("dreg://wine-v1.1.0/processed/val.csv")
    with pytest.raises(Outside, match=r"arrived corrupt"):
        fs.cat(dreg.load("wine").urls())


def test_remotes_are_tried_in_order(wine, monkeypatch):
    other = wine.home / "other"
    shutil.copytree(wine.store, other)
    wine.object_path(b"a,b\n5,6\n").unlink()
    monkeypatch.setenv("DREG_REMOTE", f"disk,{other}")
    ds = dreg.load("wine")
    fs = pickle.loads(pickle.dumps(ds.filesystem()))
    monkeypatch.delenv("DREG_REMOTE")  # they go along
    assert fs.cat_file(*ds.urls("val")) == b"a,b\n5,6\n"
    assert ds.urls("val", objects=True)[0].startswith(other.as_uri())
    assert ds.urls("train", objects=True)[0].startswith(wine.store.as_uri())
    with pytest.raises(Outside, match="lacks the object"):
        dreg.load("wine", remote="disk").filesystem().cat_file(ds.urls("val")[0])


def test_keys_and_endpoint_go_along(tmp_path, s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    config = "[core]\n    remote = local\n" + S3_REMOTE.format(
        url=s3.url, endpoint="http://x.invalid"
    )
    remote = Remote("local", s3.url, endpoint=s3.endpoint)
    made = HandMade(tmp_path, {"DREG_CACHE": str(tmp_path / "cache")}, remote, config)
    made.release("1.0.0")
    fs = dreg.load("wine", repo=str(made.bare)).filesystem()
    assert "never-shown" not in repr(fs) + repr(vars(fs))
    sent = pickle.dumps(fs)
    script = "import pickle, sys; print(len(pickle.load(sys.stdin.buffer).cat_file(sys.argv[1])))"
    bare = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script, "wine-v1.0.0/processed/train.csv"],
        input=sent, capture_output=True, env=bare, cwd=ROOT, check=False,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"3200\n", b"")


def test_splits_by_the_contracts_patterns():
    paths = ["b/2.png", "b/1.png", "b/c/3.png", "t.csv", "a[1].csv"]
    assert matching(["b/**/*.png"], paths) == ("b/1.png", "b/2.png", "b/c/3.png")
    assert matching(["b/*.png", "*.csv"], paths) == ("b/1.png", "b/2.png", "a[1].csv", "t.csv")
    assert matching(["?.csv", "t.csv"], paths) == ("t.csv",)
    assert matching(["b/[!2].png"], paths) == ("b/1.png",)


def test_splits_by_names_where_nothing_tells():
    paths = ["metadata.json", "samples.parquet", "raw/x.zip", "processed/train/a/1.png", "val.csv"]
    assert guessed(paths) == {"train": ("processed/train/a/1.png",), "val": ("val.csv",)}


# Tables


def test_arrow_has_the_profiles_types(training):
    table = dreg.load("words").to_arrow("train")
    assert [f"{f.name}: {f.type}" for f in table.schema] == ["id: int64", "text: string", "mood: string"]  # fmt: skip
    assert table.num_rows == ROWS
    only = dreg.load("digits").to_arrow("train", ["label"])
    assert only.column_names == ["label"]


def test_an_unknown_column_is_named(training):
    for name in ("words", "digits", "talks"):
        with pytest.raises(BadRequest, match=r"of .* 1\.0\.0 has no column `colour`"):
            dreg.load(name).to_arrow("train", ["colour"])


@pytest.mark.parametrize("name", ["words", "digits", "talks"])
def test_an_unknown_column_says_which_there_are(training, name):
    ds = dreg.load(name)
    with pytest.raises(BadRequest, match="has no column `nix`") as raised:
        ds.to_pandas("train", columns=["nix"])
    told = raised.value.hint.removeprefix("columns: ").split(", ")
    assert sorted(told) == sorted(ds.to_arrow("train").column_names)


def test_one_column_is_a_list_too(training):
    with pytest.raises(BadRequest, match="`columns` is a list") as raised:
        dreg.load("words").to_pandas("train", columns="id")
    assert raised.value.hint == "write columns=['id']"


@pytest.mark.parametrize("columns", [["id", 1], [None], 5])
def test_a_column_is_named(training, columns):
    with pytest.raises(BadRequest, match="`columns`"):
        dreg.load("words").to_pandas("train", columns=columns)


def test_pandas_has_tensors_as_arrays(training):
    frame = dreg.load("digits").to_pandas("train")
    assert list(frame.columns) == ["image", "label"]
    assert frame["image"][ROWS - 1].shape == (4, 3)
    expected = np.arange(ROWS * 12, dtype=np.uint8).reshape(ROWS, 4, 3)
    assert (np.stack(list(frame["image"])) == expected).all()


def test_polars_has_tensors_as_arrays(training):
    import polars as pl

    frame = dreg.load("digits").to_polars("train")
    assert frame.schema == {"image": pl.Array(pl.UInt8, (4, 3)), "label": pl.Int64}
    assert frame["image"][1].to_list() == [[12, 13, 14], [15, 16, 17], [18, 19, 20], [21, 22, 23]]


def test_missing_tensors_stay_missing(training, monkeypatch):
    import pyarrow as pa

    from dreg.adapters.interop import frames, tables

    kind = pa.list_(pa.uint8(), 2)
    column = pa.array([[1, 2], None, [3, 4]], kind)
    monkeypatch.setattr(tables, "table", lambda split: pa.table({"x": column}))
    split = tables.Split((), tables.Contract("", "", "", {}, {}))
    assert [None if x is None else x.tolist() for x in frames.to_pandas(split)["x"]] == [[1, 2], None, [3, 4]]  # fmt: skip
    assert frames.to_polars(split)["x"].to_list() == [[1, 2], None, [3, 4]]


def test_tensors_are_as_they_are_meant_however_they_lie_in_memory():
    import pyarrow as pa

    from dreg.adapters.interop import tables

    kind = pa.fixed_shape_tensor(pa.int8(), [2, 3], permutation=[1, 0])
    storage = pa.array([[1, 2, 3, 4, 5, 6], None, [7, 8, 9, 10, 11, 12]], kind.storage_type)
    batch = pa.record_batch({"x": pa.ExtensionArray.from_storage(kind, storage)})
    column = tables.plain(batch)["x"]
    assert tables.shape_of(column.type) == (3, 2)
    assert column.storage.to_pylist() == [[1, 4, 2, 5, 3, 6], None, [7, 10, 8, 11, 9, 12]]


def test_images_are_bytes_and_path(training):
    colours = dreg.load("colours")
    row = colours.to_arrow("train").to_pylist()[0]
    first = colours.path() / colours.splits["train"][0]
    assert row["image"] == {"bytes": first.read_bytes(), "path": row["file"]}
    assert (row["file"], row["label"]) == ("blue/0.png", "blue")


def test_annotations_come_with_their_images(training):
    talks = dreg.load("talks")
    rows = talks.to_pandas("train")
    assert rows["conversations"][1][1]["value"] == "green"
    assert rows["image"][1]["bytes"] == (talks.path() / "processed/images/1.png").read_bytes()


def test_samples_are_the_index(training):
    ds = dreg.load("words")
    assert ds.samples().num_rows == ROWS + 1
    assert ds.samples("val").to_pylist()[0]["key"] == "9000"


def test_an_index_that_was_damaged_in_the_cache_is_downloaded_again(training):
    before = dreg.load("words").samples()
    (kept,) = (training.parent / "own-cache" / "samples").iterdir()
    kept.write_bytes(bytes(kept.stat().st_size))
    assert dreg.load("words").samples().equals(before)


def test_a_split_in_no_format_of_tables_says_so(hand_made, monkeypatch):
    hand_made.release("1.0.0", {"processed/train.npy": b"numpy"})
    monkeypatch.setenv("DREG_CACHE", str(hand_made.home / "cache"))
    ds = dreg.load("wine", repo=str(hand_made.bare))
    assert ds.path("train").read_bytes() == b"numpy"
    with pytest.raises(BadRequest, match=r"`train.npy` .* no format"):
        ds.to_arrow("train")


# Weight


def test_importing_dreg_costs_nothing():
    def seconds(code: str) -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
        after = os.times()  # of the processor: the machine may be busy with other things
        spent = after.children_user - before.children_user
        return spent + after.children_system - before.children_system

    empty, ours = (min(seconds(code) for _ in range(5)) for code in ("pass", "import dreg"))
    assert ours - empty < 0.05


def test_loading_imports_nothing_heavy(training):
    script = (
        "import dreg, sys\nds = dreg.load('words')\nds.path('train'); ds.metadata; ds.lineage()\n"
        "print(sorted({m.partition('.')[0] for m in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(eval(done.stdout))
    assert "dreg" in loaded
    assert not loaded & {"pandas", "pyarrow", "numpy", "torch", "ray", "dvc", "fsspec", "mlflow"}


@pytest.mark.parametrize(
    ("lacking", "call", "extra"),
    [
        ("pyarrow", "to_arrow", "arrow"),
        ("pandas", "to_pandas", "pandas"),
        ("polars", "to_polars", "polars"),
        ("torch", "to_torch", "torch"),
        ("datasets", "to_hf", "hf"),
        ("ray", "to_ray", "ray"),
        ("fsspec", "filesystem", "fsspec"),
        ("mlflow", "log_to_mlflow", "mlflow"),
    ],
)
def test_what_is_not_installed_says_what_to_install(training, monkeypatch, lacking, call, extra):
    monkeypatch.setitem(sys.modules, lacking, None)
    ds = dreg.load("words")
    with pytest.raises(Outside, match=f"`{lacking}` is needed for this") as raised:
        getattr(ds, call)(*([] if call in ("filesystem", "log_to_mlflow") else ["train"]))
    assert raised.value.hint == f"pip install 'dreg[{extra}]'"
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert extra in extras
