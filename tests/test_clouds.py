"""Fetching from Google's store and Azure's: real servers of their protocols, keys checked by Azure's."""

from __future__ import annotations

import io
import os
import urllib.parse
import urllib.request

import pyarrow.parquet as pq
import pytest

import dreg
from dreg.adapters.objects import open_store
from dreg.core.remotes import Remote
from dreg.errors import BadRequest, Outside
from tests.hand_made import METADATA, WINE, HandMade, tree
from tests.test_fetch_subset import FILES
from tests.test_fetch_subset import METADATA as OF_TABLES

PLACED = {**WINE, "metadata.json": METADATA}


@pytest.fixture(params=["gcs", "azure"])
def cloud(request, hand_made: HandMade, monkeypatch) -> HandMade:
    """A registry whose bytes are in the cloud: what is released into a folder is carried there."""
    url = request.getfixturevalue(request.param)
    hand_made.release("1.0.0")
    hand_made.release("1.0.0", FILES, name="tables", metadata=OF_TABLES)
    carry(hand_made, url)
    for name, value in {"DREG_REPO": str(hand_made.bare), "DREG_REMOTE": f"{url}/pre/fix"}.items():
        hand_made.environment[name] = value
    for name, value in hand_made.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(hand_made.train)
    return hand_made


def carry(made: HandMade, url: str) -> None:
    bucket = url.rpartition("/")[2]
    for path in made.store.rglob("*"):
        if not path.is_file():
            continue
        key = path.relative_to(made.store).as_posix()
        if url.startswith("azure"):
            open_store(Remote("r", f"{url}/pre/fix")).put_file(key, path)
            continue
        name = urllib.parse.quote(f"pre/fix/{key}", safe="")
        host = os.environ["STORAGE_EMULATOR_HOST"]
        where = f"{host}/upload/storage/v1/b/{bucket}/o?uploadType=media&name={name}"
        urllib.request.urlopen(urllib.request.Request(where, data=path.read_bytes())).close()


def test_a_release_is_fetched_from_the_cloud(cloud):
    fetched = cloud.fetch("wine")
    assert tree(cloud.train / "data" / "wine") == PLACED
    assert (fetched["protection"], fetched["downloaded"]) == (
        "sha256",
        sum(map(len, WINE.values())),
    )


def test_columns_and_ranges(cloud):
    cloud.fetch("tables", "--split", "train", "--columns", "label")
    got = pq.read_table(cloud.train / "data/tables/processed/train.parquet")
    whole = pq.read_table(io.BytesIO(FILES["processed/train.parquet"]))
    assert got.equals(whole.select(["label"]))
    ds = dreg.load("tables")
    with ds.filesystem().open(ds.urls("train")[0]) as file:
        assert pq.ParquetFile(file).metadata.num_rows == len(whole)


def test_a_wrong_object_is_never_placed(cloud):
    wrong = b"a,b\n1,3\n" * 400
    cloud.object_path(WINE["processed/train.csv"]).write_bytes(wrong)
    carry(cloud, os.environ["DREG_REMOTE"].removesuffix("/pre/fix"))
    done = cloud.dreg("fetch", "wine")
    assert (done.code, "`processed/train.csv` arrived corrupt" in done.stderr) == (3, True)
    assert tree(cloud.train) == {}


def test_a_bucket_that_is_not_there(cloud):
    done = cloud.dreg("fetch", "wine", DREG_REMOTE=os.environ["DREG_REMOTE"].replace("-", "-x"))
    assert done.code == 3
    assert "\n\nhint: " in done.stderr and "Traceback" not in done.stderr


def test_a_wrong_key_is_named_and_not_shown(azure, monkeypatch):
    server = dict(
        p.split("=", 1) for p in os.environ["AZURE_STORAGE_CONNECTION_STRING"].split(";") if p
    )
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", server["BlobEndpoint"])
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", server["AccountName"])
    monkeypatch.setenv("AZURE_STORAGE_KEY", server["AccountKey"])
    open_store(Remote("cloud", azure)).put_bytes("a", b"1")
    wrong = server["AccountKey"][:-8] + "AAAAAA=="
    monkeypatch.setenv("AZURE_STORAGE_KEY", wrong)
    with pytest.raises(Outside, match=r"refused access .* the key of the account") as raised:
        open_store(Remote("cloud", azure)).get_bytes("a", 9)
    assert "AZURE_STORAGE_KEY" in raised.value.hint
    assert wrong not in str(raised.value)


def test_an_account_has_to_be_named():
    with pytest.raises(BadRequest, match="names no storage account"):
        open_store(Remote("cloud", "azure://container/x"))


def test_no_token_goes_to_a_server_that_a_registry_names(azure, monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sig=secret")
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING")
    told = {"connection_string": "AccountName=x;BlobEndpoint=http://127.0.0.1:9/x"}
    assert open_store(Remote("cloud", azure, options=told)).identity == "anonymous"
