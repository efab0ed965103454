"""What became of single samples, on real releases: listed, priced, and had from indexes alone."""

from __future__ import annotations

import shutil

import pyarrow.parquet as pq
import pytest
from semver import Version

from dreg.core.remotes import object_key
from dreg.core.samples import Entry
from dreg.core.version import Bump
from dreg.diff.review import Difference
from dreg.diff.samples import InSplit, Samples
from tests.small_registry import NAME, SmallRegistry

PARAMS, PROCESS = f"pipelines/{NAME}/params.yaml", f"pipelines/{NAME}/scripts/process.py"
KEYED = (
    f"pipelines/{NAME}/dataset.yaml",
    r"^label: .*",
    "label: variety\nkey: [height_mm, leaf_mm]",
)


def more_validation(registry: SmallRegistry) -> None:
    registry.edit(PARAMS, r"validation_share: 0\.\d+", "validation_share: 0.5")


def rows(registry: SmallRegistry, what: str) -> None:
    """Have the pipeline do something to its rows before they are split."""
    registry.edit(PROCESS, r"^# Change: clean.*", what)


def index_key(registry: SmallRegistry, tag: str) -> str:
    """Where the sample index of a release is on the remote."""
    lock = registry.git("show", f"{tag}:pipelines/{NAME}/dvc.lock").splitlines()
    at = next(i for i, line in enumerate(lock) if line.endswith("/samples.parquet"))
    return object_key(next(line.split()[1] for line in lock[at:] if "md5:" in line))


def test_samples_that_change_sides_are_major_and_listed(released_once):
    more_validation(released_once)
    released_once.ok("run", NAME)
    diff = released_once.ok("diff", NAME, "--samples", "--limit", "0", "--json").json
    moved = diff["samples"]["moved"]
    assert [(m["before"], m["split"]) for m in moved] == [("train", "val")]
    assert {"samples-moved", "evaluation-split-changed"} <= {f["rule"] for f in diff["findings"]}
    assert diff["bump"] == "major"
    entries = diff["samples"]["entries"]
    assert len(entries) == moved[0]["samples"] > 0
    # A limit alone asks for samples too, and may be more than there are.
    assert released_once.ok("diff", NAME, "--limit", f"{10**20}", "--json").json == diff
    table = pq.read_table(released_once.path / "data" / NAME / "samples.parquet")
    val = {r["key"] for r in table.to_pylist() if r["split"] == "val"}
    assert {e["key"] for e in entries} <= val
    assert all(e["kind"] == "moved" and e["before"] == "train" for e in entries)
    assert released_once.release()["version"] == "2.0.0"
    assert "(samples-moved)" in released_once.git("cat-file", "tag", f"{NAME}-v2.0.0")


def test_other_rows_in_the_same_number_are_no_patch(released_once):
    # Every tenth row becomes another sample; splits are told by a hash, so most stay apart.
    rows(released_once, "rows = pa.concat_tables([rows.slice(20), rows.slice(20, 20)])")
    released_once.ok("run", NAME)
    diff = released_once.ok("diff", NAME, "--json").json
    assert "samples-removed" in {finding["rule"] for finding in diff["findings"]}
    assert sum(split["removed"] for split in diff["samples"]["splits"]) == 20
    assert sum(split["added"] for split in diff["samples"]["splits"]) == 20


def test_another_order_of_rows_is_a_patch_and_changes_no_sample(released_once):
    rows(released_once, "rows = rows.take(list(reversed(range(len(rows)))))")
    released_once.ok("run", NAME)
    diff = released_once.ok("diff", NAME, "--samples", "--json").json
    assert [f["rule"] for f in diff["findings"]] == ["encoding-changed"]
    assert diff["samples"]["entries"] == []
    assert released_once.release()["version"] == "1.0.1"


def test_corrected_values_are_told_by_key(ready):
    ready.edit(*KEYED)
    ready.release()
    rows(
        ready,
        "first = pa.array([i == 0 for i in range(len(rows))])\n"
        "import pyarrow.compute as pc\n"
        "leaves = pc.add(rows['leaves'], pc.cast(first, 'int64'))\n"
        "rows = rows.set_column(rows.schema.get_field_index('leaves'), 'leaves', leaves)",
    )
    ready.ok("run", NAME)
    lines = ready.ok("diff", NAME, "--samples").stdout.splitlines()
    assert any(line.startswith(("changed", "moved")) for line in lines)


def test_two_releases_need_nothing_but_their_indexes(released_once, tmp_path):
    """In a fresh clone, with every other object taken off the remote."""
    more_validation(released_once)
    released_once.release()
    wanted = {index_key(released_once, f"{NAME}-v{version}") for version in ("1.0.0", "2.0.0")}
    for path in list(released_once.store.rglob("*")):
        if path.is_file() and path.relative_to(released_once.store).as_posix() not in wanted:
            path.unlink()
    released_once.git("clone", "-q", str(released_once.remote), str(released_once.home / "clone"))
    clone = released_once.home / "clone"
    releases = f"{NAME}@1.0.0", f"{NAME}@2.0.0"
    done = released_once.ok("diff", *releases, "--json", folder=clone).json
    assert done["samples"]["moved"]
    cache = clone / ".dvc" / "cache"
    kept = {path.relative_to(cache).as_posix() for path in cache.rglob("*") if path.is_file()}
    assert kept == wanted
    # They stay: the next time no remote is asked.
    shutil.rmtree(released_once.store)
    assert released_once.ok("diff", *releases, "--json", folder=clone).json == done


def test_an_index_that_cannot_be_had_is_outside(released_once):
    more_validation(released_once)
    released_once.release()
    key = index_key(released_once, f"{NAME}-v1.0.0")
    (released_once.path / ".dvc" / "cache" / key).unlink()
    (released_once.store / key).write_bytes(b"damaged")
    for request in ((f"{NAME}@1.0.0",), (f"{NAME}@1.0.0", f"{NAME}@2.0.0")):
        done = released_once.dreg("diff", *request)
        assert done.code == 3
        assert "`samples.parquet` arrived corrupt" in done.stderr
    assert not (released_once.path / ".dvc" / "cache" / key).exists()


def test_an_index_that_git_left_behind_is_not_taken_for_the_trees(released_once):
    """As after `git pull`: profile and dvc.lock are another commit's, the data is not."""
    more_validation(released_once)
    released_once.release()
    asked = ("diff", f"{NAME}@2.0.0", "--json")
    folders = f"data/{NAME}", f"pipelines/{NAME}"
    released_once.git("checkout", "-q", f"{NAME}-v1.0.0", "--", *folders)
    left_behind = released_once.ok(*asked).json
    assert {"samples-moved", "evaluation-split-changed"} <= {
        finding["rule"] for finding in left_behind["findings"]
    }
    assert [(m["before"], m["split"]) for m in left_behind["samples"]["moved"]] == [
        ("val", "train")
    ]
    # An index that is neither dvc.lock's nor the profile's is worth nothing.
    metadata = released_once.path / "data" / NAME / "metadata.json"
    metadata.write_text(metadata.read_text() + "\n")
    done = released_once.dreg(*asked)
    assert done.code == 3
    assert "they are not of the same data" in done.stderr


def test_without_dvc_lock_single_samples_are_told_by_what_is_there(released_once):
    more_validation(released_once)
    released_once.ok("run", NAME)
    (released_once.path / f"pipelines/{NAME}/dvc.lock").unlink()
    assert released_once.ok("diff", NAME, "--json").json["samples"]["moved"]
    (released_once.path / f"data/{NAME}/samples.parquet").unlink()
    done = released_once.ok("diff", NAME, "--json")
    assert done.json["samples"] is None
    assert "the dvc.lock of the tree does not list `samples.parquet`" in done.stderr


def test_a_release_without_its_index_can_be_followed(registry):
    """Nobody can add the index to a release that was made without."""
    registry.edit(f"pipelines/{NAME}/dvc.yaml", r"^ *- .*samples\.parquet\n", "")
    registry.release()
    more_validation(registry)
    registry.ok("run", NAME)
    done = registry.ok("diff", NAME, "--json")
    assert done.json["samples"] is None
    assert "the dvc.lock of 1.0.0 does not list `samples.parquet`" in done.stderr
    assert "evaluation-split-changed" in {finding["rule"] for finding in done.json["findings"]}


def test_samples_with_another_key_are_not_compared(ready):
    ready.edit(*KEYED)
    ready.release()
    ready.edit(KEYED[0], r"^key: .*", "key: [leaf_mm, height_mm]")
    ready.ok("run", NAME)
    done = ready.ok("diff", NAME, "--json")
    assert [finding["rule"] for finding in done.json["findings"]] == ["key-changed"]
    assert "told apart by another key" in done.stderr


@pytest.mark.parametrize("form", ["table", "markdown", "json"])
def test_forms(released_once, form):
    more_validation(released_once)
    released_once.ok("run", NAME)
    done = released_once.ok("diff", NAME, "--samples", "--limit", "2", "--format", form)
    if form == "json":
        assert len(done.json["samples"]["entries"]) == 2
        assert done.json["samples"]["more"] == done.json["samples"]["moved"][0]["samples"] - 2
    elif form == "table":
        assert "moved    train -> val  " in done.stdout
        assert done.stdout.rstrip().endswith("more; all of them: --limit 0")
    else:
        assert f"### {NAME} 1.0.0 -> 2.0.0 (major)" in done.stdout
        assert "| moved | train -> val | `" in done.stdout


def test_what_cannot_be_listed_is_a_bad_request(ready):
    assert ready.dreg("diff", NAME, "--format", "xml").code == 2
    assert ready.dreg("diff", NAME, "--limit", "-1").code == 2


def test_a_key_says_nothing_to_a_terminal_and_breaks_no_table():
    samples = Samples(
        keyed=True,
        contents=True,
        splits=(InSplit("train", added=1, removed=0, changed=0, came=0, went=0, kept=3),),
        moved=(),
        entries=(Entry("added", "train", "é|`\x1b[31m\nb"),),
    )
    version = Version(1)
    shown = Difference(NAME, version, version, Bump.PATCH, version, (), samples)
    assert list(shown.lines())[-1] == "added    train  é|`\\x1b[31m\\nb"
    assert list(shown.markdown())[-1] == "| added | train | `` é\\|`\\x1b[31m\\nb `` |"
