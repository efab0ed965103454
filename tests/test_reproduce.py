"""Making a release again: proven byte for byte, or what differs is named."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from tests.small_registry import NAME

SCRIPT = f"pipelines/{NAME}/scripts/process.py"


@pytest.fixture
def released(released_once):
    return released_once


def everything(registry):
    """Every file of work tree, git and cache, with its bytes."""
    return {
        path.relative_to(registry.path).as_posix(): hashlib.md5(path.read_bytes()).hexdigest()
        for path in sorted(registry.path.rglob("*"))
        if path.is_file() and ".dvc/tmp/" not in path.as_posix()
    }


def reproduced(registry, *arguments, code, **environment):
    temporary = registry.home / "temporary"
    temporary.mkdir(exist_ok=True)
    done = registry.dreg("reproduce", *arguments, TMPDIR=str(temporary), **environment)
    assert done.code == code, done.stderr
    assert "Traceback" not in done.stderr
    assert list(temporary.iterdir()) == []
    return done


def test_a_release_is_proven_and_nothing_here_changes(released):
    released.edit(f"pipelines/{NAME}/params.yaml", "validation_share: .*", "validation_share: 0.5")
    shutil.rmtree(released.path / "data" / NAME / "processed")
    before = everything(released)
    done = reproduced(released, f"{NAME}@1.0.0", "--json", code=0)
    assert done.json["proven"]
    assert done.json["different"] == []
    assert (done.json["files"], done.json["ran"]) == (7, [NAME])
    assert everything(released) == before
    said = reproduced(released, "toy-v1.0.0", code=0).stdout
    assert said.startswith("reproduced toy 1.0.0: 7 files, ")
    assert "equal byte for byte" in said


def depends_on_a_switch(registry, consequence):
    """Release 2.0.0 of a dataset whose script reads a file that nothing in the release knows of."""
    switch = registry.home / "switch"
    switch.write_text("off")
    script = registry.path / SCRIPT
    on = f"open({str(switch)!r}).read() == 'on'"
    script.write_text(
        script.read_text().replace("\ntrain, val", f"\nif {on}:\n    {consequence}\ntrain, val")
    )
    assert on in script.read_text()
    registry.drop_column("leaf_mm")
    registry.release()
    return switch


def test_what_differs_is_named_with_checksums_and_samples(released):
    switch = depends_on_a_switch(released, "rows = rows.slice(1)")
    switch.write_text("on")
    done = reproduced(released, f"{NAME}@2.0.0", "--json", code=1)
    found = {one["path"]: one for one in done.json["different"]}
    assert "raw/seedlings.csv" not in found
    place = released.path / "data" / NAME / "processed"
    (name,) = {path.partition("/")[2] for path in found if path.endswith(".csv")}
    one = found[f"processed/{name}"]
    assert one["expected"] == hashlib.sha256((place / name).read_bytes()).hexdigest()
    assert one["actual"] not in (None, one["expected"])
    assert {"metadata.json", "samples.parquet"} <= found.keys()
    (gone,) = done.json["samples"]["entries"]
    assert (gone["kind"], gone["split"]) == ("removed", name.partition(".")[0])
    said = reproduced(released, f"{NAME}@2.0.0", code=1)
    assert f"differs   processed/{name}\n" in said.stdout
    assert one["actual"] in said.stdout
    assert f"removed   {gone['split']}  {gone['key']}" in said.stdout
    assert "could not be reproduced byte for byte" in said.stderr


def test_other_bytes_of_the_same_samples_are_told(released):
    switch = depends_on_a_switch(
        released, "write_csv = lambda t, p: p.write_text(t.to_pandas().to_csv(index=False))"
    )
    switch.write_text("on")
    done = reproduced(released, f"{NAME}@2.0.0", code=1)
    assert "differs   processed/train.csv" in done.stdout
    assert "processed/train.parquet" not in done.stdout
    assert "no sample is another: the same samples are in other bytes" in done.stdout


def test_files_that_are_not_made_and_files_too_many_are_named(released):
    switch = depends_on_a_switch(
        released,
        "write_csv = lambda t, p: p.with_suffix('.tsv').write_text('x')",
    )
    switch.write_text("on")
    done = reproduced(released, f"{NAME}@2.0.0", "--json", code=1)
    states = {one["path"]: one["state"] for one in done.json["different"]}
    assert states["processed/train.csv"] == "missing"
    assert states["processed/train.tsv"] == "extra"


def test_versions_that_are_others_than_then_are_named(released):
    switch = depends_on_a_switch(released, "rows = rows.slice(1)")
    record = released.path / f"pipelines/{NAME}/provenance.json"
    text = json.loads(record.read_text())
    text["made"]["packages"]["pyarrow"] = "1.0.0"
    record.write_text(json.dumps(text))
    released.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Seedlings")
    released.release()
    switch.write_text("on")
    done = reproduced(released, NAME, code=1)
    assert "made with pyarrow 1.0.0, now " in done.stdout


def test_a_source_that_is_gone_is_not_hidden_by_a_cache(released):
    released.edit(
        f"pipelines/{NAME}/params.yaml", r"^      - file: .*", "      - local: seedlings.csv"
    )
    mirror = released.home / "mirror"
    mirror.mkdir()
    shutil.copy(released.path / "data" / NAME / "raw/seedlings.csv", mirror)
    released.drop_column("leaf_mm")
    released.ok("run", NAME, "--force", DREG_MIRROR=str(mirror))
    released.ok("release", NAME)
    reproduced(released, f"{NAME}@2.0.0", code=0, DREG_MIRROR=str(mirror))
    done = reproduced(released, f"{NAME}@2.0.0", code=3)
    assert "no mirror gave `seedlings.csv`" in done.stderr
    assert "DREG_MIRROR" in done.stderr
    cached = reproduced(released, f"{NAME}@2.0.0", "--cached-sources", code=0)
    assert "sources may have come out of the download cache" in cached.stdout


def test_the_work_tree_can_be_kept(released, tmp_path):
    kept = tmp_path / "kept"
    done = reproduced(released, NAME, "--keep", str(kept), "--json", code=0)
    assert done.json["kept"] == str(kept)
    assert (kept / "data" / NAME / "processed/train.csv").is_file()
    said = reproduced(released, NAME, "--keep", str(kept), code=2)
    assert "is not an empty folder" in said.stderr


def test_a_bare_clone_of_one_commit_is_enough(released, tmp_path):
    folder = tmp_path / "ci"
    released.git(
        "clone", "-q", "--depth=1", "--no-tags", f"file://{released.remote}", str(folder),
        folder=tmp_path,
    )  # fmt: skip
    done = released.dreg("reproduce", f"{NAME}@1.0.0", folder=folder)
    assert done.code == 0, done.stderr


def test_a_release_that_is_none_is_a_bad_request(released):
    assert "there are: 1.0.0" in reproduced(released, f"{NAME}@3", code=2).stderr
    assert "did you mean `toy`?" in reproduced(released, "toi@1", code=2).stderr
    released.git("tag", "-a", "-m", "by hand", "toy-v0.9.0")
    released.git("push", "-q", "origin", "toy-v0.9.0")
    assert "has no manifest" in reproduced(released, f"{NAME}@0.9.0", code=1).stderr


def test_a_stage_that_fails_is_told_in_its_own_words(released):
    switch = depends_on_a_switch(released, "raise SystemExit('it is on')")
    switch.write_text("on")
    done = reproduced(released, f"{NAME}@2.0.0", code=3)
    assert "it is on" in done.stderr
    said = done.stderr.partition("\nhint: ")[2]
    assert said == "to look at it: --keep DIR\n"
