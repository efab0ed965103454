"""Manifests: canonical text, signed-for digest, nothing trusted."""

import hashlib
import json
import subprocess
import time
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from semver import Version

from dreg.core.about import About, Origin, Provenance, Reason, Surroundings, Upstream
from dreg.core.manifest import Manifest, manifest_digest, manifest_key, trailers
from dreg.core.manifest_schema import manifest_schema
from dreg.core.release import Release, tag_message
from dreg.core.snapshot import File, Snapshot
from dreg.core.version import Bump
from dreg.errors import Outside, Refused
from tests.test_profile_schema import closed

ABOUT = About(
    bump="minor",
    previous="1.1.0",
    findings=(
        Reason("column-added", "minor", "column `x` is new"),
        Reason("r", "none", "t", "why"),
    ),
    exceptions=("`max_drift` is allowed: a new vintage",),
    contract="1" * 64,
    profile="f" * 64,
    sample_index=None,
    upstream=(
        Upstream("grapes", "2.0.0", "grapes-v2.0.0", "2" * 40, "3" * 64),
        Upstream("soil"),
    ),
    provenance=Provenance(
        commit="4" * 40,
        dvc_lock="5" * 64,
        params={"params.yaml": {"process.share": 0.2}},
        sources=(Origin("raw/wine.csv", "d" * 64, 20, "http"), Origin("raw/x", "6" * 64, 0)),
        made=Surroundings("0.1.0", "3.11.2", "linux-x86_64", {"numpy": "2.0.0"}),
        released_with="0.1.0",
    ),
)
TRAIN = File("processed/train.parquet", 10, "a" * 32, "b" * 64)
RAW = File("raw/wine.csv", 20, "c" * 32, "d" * 64)
PROFILE = File("metadata.json", 5, "e" * 32, "f" * 64, in_git=True)
MANIFEST = Manifest(
    "wine-quality",
    Version(1, 2, 0),
    Snapshot.of([TRAIN, RAW, PROFILE]),
    {"raw": "1" * 32 + ".dir"},
    ABOUT,
)
FILES_ONLY = replace(MANIFEST, about=None)
SCHEMA = manifest_schema()
EXACT = jsonschema.Draft202012Validator(closed(SCHEMA))


def parse(value: object) -> Manifest:
    text = json.dumps(value).encode()
    return Manifest.parse(text, hashlib.sha256(text).hexdigest())


@pytest.mark.parametrize("manifest", [MANIFEST, FILES_ONLY], ids=["2", "1"])
def test_a_manifest_reads_back_as_it_was(manifest):
    assert Manifest.parse(manifest.to_text().encode(), manifest.digest) == manifest


def test_a_manifest_of_the_first_schema_lists_files_and_says_no_more():
    value = json.loads(FILES_ONLY.to_text())
    assert value["schema"] == "dreg.manifest/1"
    assert value.keys() == {"schema", "dataset", "version", "files", "directories"}
    assert parse(value).about is None


def test_a_manifest_is_one_line_a_file_and_sorted():
    text = MANIFEST.to_text()
    lines = [line.strip().rstrip(",") for line in text.splitlines()]
    assert [json.loads(line)["path"] for line in lines if line.startswith('{"')] == [
        "metadata.json",
        "processed/train.parquet",
        "raw/wine.csv",
    ]
    value = json.loads(text)
    assert list(value) == sorted(value)
    assert text.endswith("}\n")


def test_a_large_manifest_is_written_and_read_in_a_moment():
    files = [File(f"processed/{i:06}.txt", i, f"{i:032x}", f"{i:064x}") for i in range(100_000)]
    manifest = replace(MANIFEST, snapshot=Snapshot.of(files))
    start = time.process_time()
    text = manifest.to_text().encode()
    assert Manifest.parse(text, manifest.digest).snapshot == manifest.snapshot
    assert time.process_time() - start < 10  # it takes one
    assert len(text) < 20_000_000


def test_the_schema_is_one_and_manifests_keep_it():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert list(EXACT.iter_errors(json.loads(MANIFEST.to_text()))) == []
    more = json.loads(MANIFEST.to_text()) | {"later": 1}
    assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(more)) == []
    assert parse(more) == MANIFEST


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("bump",), "huge"),
        (("previous",), "one"),
        (("findings",), {}),
        (("findings", 0, "text"), None),
        (("contract",), "x"),
        (("profile",), None),
        (("exceptions", 0), 1),
        (("upstream", 0, "dataset"), "../x"),
        (("upstream", 0, "commit"), "HEAD"),
        (("provenance",), None),
        (("provenance", "commit"), 1),
        (("provenance", "params"), []),
        (("provenance", "sources", 0, "size"), -1),
        (("provenance", "sources", 0, "sha256"), "d" * 63),
        (("provenance", "made", "packages"), ["numpy"]),
        (("provenance", "released_with"), None),
    ],
)
def test_what_is_said_must_have_its_form(path, value):
    changed = json.loads(MANIFEST.to_text())
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(Refused, match="malformed"):
        parse(changed)
    forms = {("previous",), ("upstream", 0, "dataset")}  # which a schema leaves to the reader
    if path not in forms:
        assert list(jsonschema.Draft202012Validator(SCHEMA).iter_errors(changed))
    if isinstance(path[-1], str):
        del inner[path[-1]]
        with pytest.raises(Refused, match="malformed"):
            parse(changed)


def test_the_order_of_files_does_not_change_the_digest():
    turned = replace(MANIFEST, snapshot=Snapshot.of([PROFILE, RAW, TRAIN]))
    assert turned.digest == MANIFEST.digest


def test_a_published_snapshot_has_no_raw_files():
    assert MANIFEST.snapshot.published.files == (PROFILE, TRAIN)
    assert MANIFEST.snapshot.size == 35


def test_bytes_that_the_tag_does_not_sign_for_are_not_read():
    with pytest.raises(Outside, match="not the one the tag signs for"):
        text = MANIFEST.to_text().replace('"size": 10', '"size": 11')
        Manifest.parse(text.encode(), MANIFEST.digest)


@pytest.mark.parametrize(
    "path",
    ["../x", "/etc/passwd", "a/../../b", "", ".", "a//b", "a\\b", "c:/x", "a\0b", "./a", "a/"],
)
def test_a_path_that_leaves_its_folder_is_refused(path):
    value = json.loads(MANIFEST.to_text())
    value["files"][0]["path"] = path
    with pytest.raises(Refused, match="unsafe path"):
        parse(value)


@pytest.mark.parametrize(
    ("key", "value"),
    [("md5", "x"), ("sha256", None), ("sha256", "b" * 63), ("size", -1), ("size", "many")],
)
def test_a_malformed_file_is_refused(key, value):
    changed = json.loads(MANIFEST.to_text())
    changed["files"][0][key] = value
    with pytest.raises(Refused, match="malformed"):
        parse(changed)


@pytest.mark.parametrize(
    "change",
    [
        {"files": None},
        {"version": "one"},
        {"directories": {"raw": "../../x"}},
        {"files": [json.loads(MANIFEST.to_text())["files"][0]] * 2},
    ],
)
def test_a_malformed_manifest_is_refused(change):
    with pytest.raises(Refused, match="malformed"):
        parse(json.loads(MANIFEST.to_text()) | change)


def test_a_manifest_of_a_later_schema_asks_for_an_upgrade():
    with pytest.raises(Refused, match=r"dreg\.manifest/3") as error:
        parse(json.loads(MANIFEST.to_text()) | {"schema": "dreg.manifest/3"})
    assert "upgrade" in error.value.hint


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_any_other_json_is_refused_never_a_crash(value):
    with pytest.raises(Refused):
        parse({"schema": "dreg.manifest/1", "dataset": "x", "version": "1.0.0", "files": value})


def test_a_manifest_lies_under_its_digest():
    assert manifest_key("ab" + "0" * 62) == f"dreg/manifests/sha256/ab/{'0' * 62}.json"


def message(**changes: object) -> str:
    given = {
        "dataset": "wine-quality",
        "version": Version(1, 1, 0),
        "previous": Version(1, 0, 0),
        "bump": Bump.MINOR,
        "reasons": ("column `x` is new (column-added)",),
        "samples": 6497,
        "size": 1234,
        "manifest": "ab" * 32,
    }
    return tag_message(**{**given, **changes})


def test_git_itself_reads_the_trailers():
    parsed = subprocess.run(
        ["git", "interpret-trailers", "--parse"],
        input=message(),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert f"Dreg-Manifest: sha256:{'ab' * 32}" in parsed
    assert "Dreg-Previous: wine-quality-v1.0.0" in parsed
    assert trailers(message()) == dict(line.split(": ", 1) for line in parsed)


def test_a_release_reads_what_its_tag_says():
    release = Release.of("wine-quality-v1.1.0", "c0ffee", message())
    assert release == Release(
        "wine-quality", Version(1, 1, 0), "wine-quality-v1.1.0", "c0ffee", 6497, 1234, "ab" * 32
    )


def test_trailers_stand_before_a_signature():
    signed = message() + "-----BEGIN SSH SIGNATURE-----\nDreg-Manifest: sha256:00\n-----END-----\n"
    assert manifest_digest(signed) == "ab" * 32


def test_a_message_that_only_mentions_a_trailer_has_none():
    assert manifest_digest(f"Dreg-Manifest: sha256:{'ab' * 32}\n\nand more words\n") is None


def test_a_manifest_trailer_that_is_no_sha256_is_refused():
    with pytest.raises(Refused, match="not a sha256"):
        manifest_digest("x\n\nDreg-Manifest: md5:abc\n")
