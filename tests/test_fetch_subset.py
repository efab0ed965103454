"""Parts of a release: splits, paths, columns, only what was measured."""

from __future__ import annotations

import hashlib
import io
import json
import shlex
import tomllib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dreg.adapters.objects import open_store
from dreg.core.remotes import Remote, object_key
from dreg.core.subset import Subset
from dreg.errors import BadRequest
from tests.counting_proxy import Recorder, recording
from tests.hand_made import S3_REMOTE, HandMade, tree
from tests.relay import relay

ROWS = 40_000


def parquet(seed: int) -> bytes:
    """A table of three columns; `pixels` is most of it."""
    random = np.random.default_rng(seed)
    table = pa.table(
        {
            "text": [f"sample {i}" for i in range(ROWS)],
            "pixels": pa.FixedSizeBinaryArray.from_buffers(
                pa.binary(100), ROWS, [None, pa.py_buffer(random.bytes(100 * ROWS))]
            ).cast(pa.binary()),
            "label": random.integers(0, 10, ROWS),
        }
    )
    sink = io.BytesIO()
    pq.write_table(
        table, sink, row_group_size=ROWS // 4, compression="zstd", write_page_checksum=True
    )
    return sink.getvalue()


FILES = {
    "processed/train.parquet": parquet(1),
    "processed/val.parquet": parquet(2),
    "processed/train.csv": b"a\n1\n",
    "samples.parquet": b"an index",
}
METADATA = json.dumps(
    {
        "dataset": {"name": "wine"},
        "splits": {
            "train": {"num_samples": ROWS, "files": ["processed/train.parquet"]},
            "val": {"num_samples": ROWS, "files": ["processed/val.parquet"]},
        },
    }
).encode()


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    hand_made.release("1.0.0", FILES, metadata=METADATA)
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


def placed(made: HandMade) -> set[str]:
    return set(tree(made.train / "data" / "wine")) - {"metadata.json"}


@pytest.mark.parametrize(
    ("options", "files"),
    [
        (["--split", "train"], {"processed/train.parquet"}),
        (["--split", "val", "--split", "train"], {"processed/train.parquet", "processed/val.parquet"}),
        (["--path", "processed/train*"], {"processed/train.parquet", "processed/train.csv"}),
        (["--path", "processed"], set(FILES) - {"samples.parquet"}),
        (["--path", "**/*.csv"], {"processed/train.csv"}),
        (["--metadata-only"], set()),
    ],
)  # fmt: skip
def test_only_what_was_asked_for_travels(wine, options, files):
    fetched = wine.fetch("wine", *options)
    assert placed(wine) == files
    assert fetched["downloaded"] == sum(len(FILES[path]) for path in files)
    assert wine.fetch()["changed"] is False  # the lock knows the part


def test_a_part_that_was_asked_for_before_is_told_and_how_to_have_everything(wine):
    wine.fetch("wine", "--path", "processed/train*")
    again = wine.dreg("fetch", "wine@^1.0", cwd=wine.train)
    note = "only a part, as before (--path 'processed/train*'); everything: "
    [line] = [line for line in again.stderr.splitlines() if note in line]
    assert "only a part" not in wine.dreg("fetch", cwd=wine.train).stderr
    assert "only a part" not in wine.dreg("fetch", "wine", "--split", "val", cwd=wine.train).stderr
    wine.dreg(*shlex.split(line.partition(note)[2])[1:], cwd=wine.train)
    assert placed(wine) == set(FILES)


def test_another_folder_is_told_to_take_the_place_of_the_first(wine):
    wine.fetch("wine")
    done = wine.dreg("fetch", "wine@^1.0", "-o", "other", cwd=wine.train)
    assert "data/wine stays as it is, and other takes its place in dreg.lock" in done.stderr
    assert placed(wine) == set(FILES)
    assert "stays as it is" not in wine.dreg("fetch", "wine", cwd=wine.train).stderr


def test_a_part_is_locked_and_everything_can_be_had_again(wine):
    wine.fetch("wine", "--split", "train")
    (pin,) = tomllib.loads((wine.train / "dreg.lock").read_text())["dataset"]
    assert pin["split"] == ["train"]
    assert wine.fetch("wine@^1")["changed"] is False
    wine.fetch("wine", "--path", "**")
    assert placed(wine) == set(FILES)
    (pin,) = tomllib.loads((wine.train / "dreg.lock").read_text())["dataset"]
    assert not pin.keys() & {"split", "path"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--split", "trian"], "no split `trian`\n\nhint: did you mean `train`?"),
        (["--path", "nothing/*"], "no file for `nothing/*`"),
        (["--columns", "lable"], "has no column `lable`\n\nhint: did you mean `label`?"),
        (["--metadata-only", "--split", "train"], "exclude each other"),
        (["--path", "**/*.csv", "--columns", "label"], "and here there are processed/train.csv\n"),
    ],
)
def test_a_part_that_there_is_not(wine, options, said):
    done = wine.dreg("fetch", "wine", *options)
    assert (done.code, done.stdout, tree(wine.train)) == (2, "", {})
    assert said in done.stderr


def test_columns_travel_alone(tmp_path, s3, monkeypatch):
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    with relay(s3.port) as between:
        config = "[core]\n    remote = local\n" + S3_REMOTE.format(
            url=s3.url, endpoint=between.endpoint
        )
        remote = Remote("local", s3.url, endpoint=s3.endpoint)
        made = HandMade(tmp_path, {"DREG_CACHE": str(tmp_path / "cache")}, remote, config)
        made.release("1.0.0", FILES, metadata=METADATA)
        fetched = made.fetch(
            "wine", "--repo", str(made.bare), "--split", "train", "--columns", "label,text"
        )
        whole = len(FILES["processed/train.parquet"])
        assert fetched["downloaded"] < whole / 10
        assert between.received < whole / 8  # with headers, manifest and all
    got = pq.read_table(made.train / "data" / "wine" / "processed" / "train.parquet")
    expected = pq.read_table(io.BytesIO(FILES["processed/train.parquet"]))
    assert got.equals(expected.select(["label", "text"]))
    assert fetched["protection"] == "etag"
    again = made.fetch()
    assert (again["changed"], again["protection"]) == (False, "etag")


class Between(Recorder):
    """Lets something happen to the Parquet file's object, or to a part of it on its way."""

    def do_GET(self) -> None:
        super().do_GET()
        if "Range" in self.headers:
            self.server.after()

    def altered(self, body: bytes) -> bytes:
        if "Range" in self.headers and self.server.flips and len(body) > 10_000:
            middle = len(body) // 2
            return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :]
        return body


@pytest.fixture
def far(tmp_path, s3, monkeypatch):
    """A registry on S3, behind a proxy. `flips`: a bit of large parts is another when it arrives."""
    for name, value in s3.environment.items():
        monkeypatch.setenv(name, value)
    with recording(s3.port, Between) as proxy:
        proxy.flips, proxy.after = False, lambda: None
        config = "[core]\n    remote = local\n" + S3_REMOTE.format(
            url=s3.url, endpoint=proxy.endpoint
        )
        remote = Remote("local", s3.url, endpoint=s3.endpoint)
        made = HandMade(tmp_path, {"DREG_CACHE": str(tmp_path / "cache")}, remote, config)
        made.release("1.0.0", FILES, metadata=METADATA)
        made.environment["DREG_REPO"] = str(made.bare)
        yield made, proxy


TRAIN = FILES["processed/train.parquet"]
TRAIN_KEY = object_key(hashlib.md5(TRAIN, usedforsecurity=False).hexdigest())


def refused(made: HandMade, *options: str) -> str:
    done = made.dreg("fetch", "wine", "--split", "train", *options)
    assert (done.code, done.stdout, tree(made.train)) == (3, "", {}), done
    return done.stderr


@pytest.mark.parametrize(
    ("columns", "parts"), [("text,label", 2), ("text,pixels,label", 1)], ids=["apart", "side by side"]
)  # fmt: skip
def test_of_four_row_groups_each_part_is_asked_for_once(far, columns, parts):
    """And the file's end, for what there is; a column's chunks that lie beside another's come with them."""
    made, proxy = far
    made.fetch("wine", "--split", "train", "--columns", columns)
    gets = [path for method, path in proxy.asked if method == "GET" and path.endswith(TRAIN_KEY)]
    assert len(gets) <= 2 + 4 * parts
    got = pq.read_table(made.train / "data" / "wine" / "processed" / "train.parquet")
    assert got.equals(pq.read_table(io.BytesIO(TRAIN)).select(columns.split(",")))


def test_columns_of_another_object_of_that_size_are_refused(far):
    made, _ = far
    other = TRAIN[:-8] + b"\0" * 8
    open_store(made.remote).put_bytes(TRAIN_KEY, other)
    assert "`processed/train.parquet` arrived corrupt" in (
        said := refused(made, "--columns", "label")
    )
    assert f"expected md5 {TRAIN_KEY[10:].replace('/', '')}" in said


def test_columns_of_an_object_that_is_replaced_meanwhile_are_refused(far):
    made, proxy = far
    proxy.after = lambda: open_store(made.remote).put_bytes(TRAIN_KEY, TRAIN[:-1])
    assert "was replaced while it was read" in refused(made, "--columns", "label,text")


def test_a_page_that_is_damaged_on_its_way_is_refused(far):
    made, proxy = far
    proxy.flips = True
    said = refused(made, "--columns", "pixels")
    assert "`processed/train.parquet` cannot be read by columns" in said
    assert "CRC" in said


def test_columns_have_as_many_rows_as_the_release(far):
    made, _ = far
    made.release("1.1.0", FILES, metadata=METADATA.replace(str(ROWS).encode(), b"39999"))
    said = refused(made, "--columns", "label")
    assert f"expected number of rows 39999, got {ROWS}" in said


def test_columns_of_what_is_near_are_cut_from_the_verified_file(wine):
    assert wine.fetch("wine", "--columns", "label", "--split", "val")["protection"] == "sha256"
    spoilt = bytearray(TRAIN)
    spoilt[len(TRAIN) // 2] ^= 1
    wine.object_path(TRAIN).write_bytes(spoilt)
    done = wine.dreg("fetch", "wine", "--columns", "label", "--split", "train")
    assert (done.code, "arrived corrupt" in done.stderr) == (3, True)


def test_columns_are_cut_from_a_file_that_is_here(wine):
    wine.fetch("wine")
    fetched = wine.fetch("wine", "--columns", "label", "--path", "processed/val.parquet")
    assert (fetched["downloaded"], placed(wine)) == (0, {"processed/val.parquet"})
    got = pq.read_table(wine.train / "data" / "wine" / "processed" / "val.parquet")
    assert got.column_names == ["label"]
    assert [path.name for path in (wine.train / "data").iterdir()] == ["wine"]


def test_equal_parts_are_written_equally():
    one = Subset.of(["b", "a"], ["y", "x"])
    assert one == Subset.of(["a", "b", "a"], ["x", "y"])
    assert str(Subset.of(paths=["**", "x"])) == ""
    with pytest.raises(BadRequest):
        Subset.of(["a"], metadata_only=True)
