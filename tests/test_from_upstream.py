"""Everything from its upstream: the publishers' own addresses over HTTPS, and no other mirror.

The publishers are played by a proxy that has their files. Where it has not, with DREG_MIRROR not set, a
small source shows that dreg asks through a proxy and trusts the CA that the user names.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dreg.adapters.declared_model import declared_model
from dreg.adapters.declared_sources import declared_sources
from dreg.adapters.sources import Cache, Mirrors
from dreg.core.sources import Deb, GitHubBlob, Http, Local, Script, Source, Wheel
from dreg.errors import BadRequest
from dreg.registry import Registry
from tests.upstreams import World, world

ROOT = Path(__file__).resolve().parents[1]
COLUMNS = {
    "image": "filename",
    "caption": "clinical_notes",
    "licence": "license",
    "credit": "other_notes",
}
ELSEWHERE = ("DREG_MIRROR", "MLFLOW_TRACKING_URI", "GITHUB_API_URL", "GITHUB_TOKEN", "GH_TOKEN")
CONTENT = b"name;colour\nash;grey\n"
URL = "https://data.example.org/trees.csv"


@pytest.fixture
def upstream() -> Iterator[World]:
    with world() as running:
        yield running


def small_source() -> Source:
    return Source("trees.csv", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), (Http(URL),))


def test_a_source_comes_through_a_proxy_with_a_ca_of_its_own(upstream, tmp_path, monkeypatch):
    upstream.pages[URL] = CONTENT
    for name, value in upstream.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    Mirrors(Cache(tmp_path / "cache"), print).place(small_source(), tmp_path)
    assert (tmp_path / "trees.csv").read_bytes() == CONTENT
    assert upstream.asked == [URL]


def test_a_ca_that_is_not_trusted_is_told(upstream, tmp_path, monkeypatch):
    upstream.pages[URL] = CONTENT
    for name, value in upstream.environment(tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    notes: list[str] = []
    with pytest.raises(Exception, match="no mirror gave"):
        Mirrors(Cache(tmp_path / "cache"), notes.append).place(small_source(), tmp_path)
    assert "its certificate is not trusted" in notes[0]


# All six datasets


def sources() -> Iterator[Source]:
    """All that the datasets of this repository need from elsewhere, the model's files too."""
    registry = Registry(ROOT)
    for name in registry.names:
        dataset = registry.dataset(name)
        model = declared_model(dataset)
        yield from model.files if model else ()
        try:
            yield from declared_sources(dataset)
        except BadRequest:
            assert model, name  # it is made of another dataset's release


def published(upstream: World, kept: Cache, folder: Path) -> dict[str, set[str]]:
    """Give each source's file to its publisher, from this machine's mirrors; the kinds of its upstreams."""
    mirrors = Mirrors(kept, print)
    kinds: dict[str, set[str]] = {}
    for source in sources():
        at_hand = tuple(m for m in source.mirrors if isinstance(m, Local | Wheel | Deb))
        mirrors.place(replace(source, mirrors=at_hand), folder)
        for mirror in source.mirrors:
            match mirror:
                case Http(url):
                    upstream.pages[url] = kept.at(source.sha256)
                case GitHubBlob(_, blob):
                    upstream.blobs[blob] = kept.at(source.sha256)
                case Script(url=url) if "metadata.csv" in url:
                    upstream.pages[url] = table(kept.at(source.sha256))
        kinds[source.sha256] = {m.kind for m in source.mirrors if m not in at_hand}
    return kinds


def table(captions: Path) -> bytes:
    """The publisher's table of which those captions are made, with rows that are not wanted."""
    told = json.loads(captions.read_text())
    names = [COLUMNS.get(name, name) for name in told[0] if name != "caption_kind"]
    file = io.StringIO(newline="")
    rows = csv.DictWriter(file, names, lineterminator="\n", restval="")
    rows.writeheader()
    for one in told:
        rows.writerow({"filename": "other.png", "clinical_notes": "Not\nwanted."})
        row = {COLUMNS.get(name, name): one[name] for name in one if name != "caption_kind"}
        rows.writerow(row | {"finding": f"Pneumonia/Viral/{row['finding']}"})
    return file.getvalue().encode()


@pytest.mark.slow
def test_all_six_datasets_run_from_upstream_alone(upstream, tmp_path):
    if not os.environ.get("DREG_MIRROR"):
        pytest.skip("DREG_MIRROR is not set: the publishers' files are not on this machine")
    kinds = published(upstream, Cache(tmp_path / "kept"), tmp_path / "files")
    assert all(kinds.values()), "a source has no upstream"
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = os.environ | upstream.environment(tmp_path)
    environment |= {"DREG_CACHE": str(tmp_path / "new")}
    for name in ELSEWHERE:
        environment.pop(name, None)

    ran = subprocess.run(
        [sys.executable, "-m", "dreg", "run", "--all"],
        cwd=clone, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    assert upstream.refused == []  # no package registry was asked, nor any other
    new = Cache(tmp_path / "new/sources")
    assert {sha: {new.served_by(sha)} & kinds[sha] for sha in kinds} == {
        sha: {new.served_by(sha)} for sha in kinds
    }
    assert upstream.hosts() == {
        "api.github.com", "archive.ics.uci.edu", "huggingface.co", "raw.githubusercontent.com",
        "fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    }  # fmt: skip
    changed = subprocess.run(
        ["git", "status", "--porcelain"], cwd=clone, capture_output=True, text=True, check=True
    )
    assert changed.stdout == ""  # the same bytes as from any mirror: locks and metadata are in git
