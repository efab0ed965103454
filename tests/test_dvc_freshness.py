"""What dreg finds out about a pipeline without DVC is what `dvc status` says."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dvc.exceptions import DvcException
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dreg.adapters.dvc import Pipeline, directories, lock_outputs, tracked_files
from dreg.core.freshness import State, whole
from dreg.errors import BadRequest, Refused
from tests.pipeline_registry import PipelineRegistry

Edit = Callable[[PipelineRegistry], None]


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> PipelineRegistry:
    """A registry whose one pipeline has run."""
    registry = PipelineRegistry.make(tmp_path_factory.mktemp("pristine") / "registry", "numbers")
    done = registry.dvc("repro", "pipelines/numbers/dvc.yaml")
    assert done.code == 0, done.stderr
    registry.commit()
    return registry


@pytest.fixture
def registry(pristine: PipelineRegistry, tmp_path: Path) -> PipelineRegistry:
    return copy(pristine, tmp_path / "registry")


def copy(pristine: PipelineRegistry, folder: Path) -> PipelineRegistry:
    shutil.copytree(pristine.root, folder, symlinks=True)
    return PipelineRegistry(folder)


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("DVC_SITE_CACHE_DIR", str(tmp_path / "site"))
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "none"))
    yield


def dvc_status(registry: PipelineRegistry) -> dict[str, list[object]]:
    """What `dvc status` says of each stage that is not up to date."""
    from dvc.repo import Repo

    with Repo(str(registry.root)) as repo:
        target = registry.root / "pipelines/numbers/dvc.yaml"
        said = repo.status(targets=[str(target)])
    return {stage.rpartition(":")[2]: differences for stage, differences in said.items()}


def is_just_gone(differences: list[object]) -> bool:
    """Whether all that `dvc status` names is outputs, or what comes with them, that are not here."""
    return all(
        isinstance(item, dict)
        and all(
            state in ("deleted", "not in cache")
            for group in item.values()
            for state in group.values()
        )
        for item in differences
    )


def agree(registry: PipelineRegistry) -> dict[str, State]:
    """The native verdicts, after comparing them with DVC's."""
    try:
        verdicts = Pipeline(registry.root, "numbers").verdicts()
    except BadRequest:
        with pytest.raises(DvcException):
            dvc_status(registry)
        return {}
    states = {stage: verdict.state for stage, verdict in verdicts.items()}
    said = dvc_status(registry)
    assert State.UNKNOWN not in states.values(), verdicts
    assert {stage for stage, state in states.items() if state is not State.UP_TO_DATE} == set(said)
    for stage, state in states.items():
        if state is State.MISSING:
            assert is_just_gone(said[stage]), (stage, verdicts, said)
    return states


# Every edit a person might make between two runs.
def change_script(r: PipelineRegistry) -> None:
    with (r.root / "pipelines/numbers/scripts/process.py").open("a") as stream:
        stream.write("\n# more")


def change_contract(r: PipelineRegistry) -> None:
    r.write("pipelines/numbers/dataset.yaml", r.read("pipelines/numbers/dataset.yaml") + "#\n")


def params(old: str, new: str) -> Edit:
    def edit(r: PipelineRegistry) -> None:
        text = r.read("pipelines/numbers/params.yaml")
        r.write("pipelines/numbers/params.yaml", text.replace(old, new))

    return edit


def pipeline(old: str, new: str) -> Edit:
    def edit(r: PipelineRegistry) -> None:
        text = r.read("pipelines/numbers/dvc.yaml")
        r.write("pipelines/numbers/dvc.yaml", text.replace(old, new))

    return edit


def reorder(r: PipelineRegistry) -> None:
    text = r.read("pipelines/numbers/dvc.yaml")
    head, *stages = text.split("\n  ", 1)[0], *_stages(text)
    r.write("pipelines/numbers/dvc.yaml", head + "\n" + "".join(reversed(stages)))


def _stages(text: str) -> list[str]:
    found: list[str] = []
    for line in text.splitlines(keepends=True)[1:]:
        if line.startswith("  ") and not line.startswith("   "):
            found.append("")
        found[-1] += line
    return found


def remove(path: str) -> Edit:
    def edit(r: PipelineRegistry) -> None:
        target = r.root / path
        if target.is_dir():
            shutil.rmtree(target)
        else:
            target.unlink(missing_ok=True)

    return edit


def put(path: str, text: str) -> Edit:
    def edit(r: PipelineRegistry) -> None:
        if (r.root / path).parent.is_dir() or "deep" in path:
            r.write(path, text)

    return edit


def empty_folder(r: PipelineRegistry) -> None:
    (r.root / "data/numbers/raw/nothing").mkdir(parents=True, exist_ok=True)


def link_to_folder(r: PipelineRegistry) -> None:
    link = r.root / "data/numbers/raw/link"
    if link.parent.is_dir() and not link.is_symlink():
        link.symlink_to(r.root / "pipelines")


def touch_everything(r: PipelineRegistry) -> None:
    for file in r.root.glob("data/numbers/**/*"):
        if file.is_file():
            os.utime(file)


def lose_an_object(r: PipelineRegistry) -> None:
    objects = sorted(p for p in r.root.glob(".dvc/cache/files/md5/*/*") if p.suffix != ".dir")
    if objects:
        objects[0].unlink()


def damage_an_object(r: PipelineRegistry) -> None:
    objects = sorted(p for p in r.root.glob(".dvc/cache/files/md5/*/*") if p.suffix != ".dir")
    if objects:
        objects[0].chmod(0o644)
        objects[0].write_text("damaged")


def unprotect_objects(r: PipelineRegistry) -> None:
    for file in r.root.glob(".dvc/cache/files/md5/*/*"):
        file.chmod(0o644)


def forget_a_stage(r: PipelineRegistry) -> None:
    text = r.read("pipelines/numbers/dvc.lock")
    kept = [s for s in _stages(text.split("\n", 1)[1]) if not s.startswith("  process:")]
    r.write("pipelines/numbers/dvc.lock", "schema: '2.0'\nstages:\n" + "".join(kept))


EDITS: dict[str, Edit] = {
    "nothing": lambda r: None,
    "change a script": change_script,
    "change the contract": change_contract,
    "change a parameter": params("factor: 2", "factor: 3"),
    "change a parameter's type": params("factor: 2", "factor: 2.0"),
    "write a number as text": params("factor: 2", "factor: '2'"),
    "change a parameter nobody reads": params("rate: 1e-4", "rate: 1e-5"),
    "read that parameter": pipeline("- process.factor", "- process.factor\n      - process.rate"),
    "add to a mapping": params("  rows: 5", "  rows: 5\n  more: yes"),
    "shorten a list": params("[a, b]", "[a]"),
    "remove a parameter": params("  factor: 2\n", ""),
    "remove params.yaml": remove("pipelines/numbers/params.yaml"),
    "track all params": pipeline("- process.factor", "- params.yaml:"),
    "other params file": pipeline("- process.factor", "- other.yaml: [factor]"),
    "write the other params file": put("pipelines/numbers/other.yaml", "factor: 2\n"),
    "change a command": pipeline("python scripts/process.py", "python -B scripts/process.py"),
    "make it a list": pipeline("cmd: python scripts/process.py", "cmd: [python scripts/process.py]"),
    "add a dependency": pipeline("- scripts/process.py", "- scripts/process.py\n      - dataset.yaml"),
    "remove a dependency": pipeline("      - dataset.yaml\n", ""),
    "depend on one file": pipeline("/raw\n    params", "/raw/deep/a\n    params"),
    "reorder the stages": reorder,
    "uncache an output": pipeline("outs:\n      - ../../data/numbers/processed\n", "outs:\n      - ../../data/numbers/processed:\n          cache: false\n"),
    "persist an output": pipeline("      - ../../data/numbers/raw\n  process", "      - ../../data/numbers/raw:\n          persist: true\n  process"),
    "describe": pipeline("cmd: python scripts/analyze.py", "desc: measures\n    cmd: python scripts/analyze.py"),
    "delete raw": remove("data/numbers/raw"),
    "delete processed": remove("data/numbers/processed"),
    "delete metadata": remove("data/numbers/metadata.json"),
    "delete a file of raw": remove("data/numbers/raw/deep/a"),
    "delete a script": remove("pipelines/numbers/scripts/process.py"),
    "edit a raw file": put("data/numbers/raw/deep/a", "9\n8"),
    "edit a raw file, same size": put("data/numbers/raw/deep/a", "0\n1\n2\n3\n5"),
    "edit the output": put("data/numbers/processed/train.csv", "x\n1"),
    "edit metadata": put("data/numbers/metadata.json", "{}"),
    "add a file": put("data/numbers/raw/new", "x"),
    "add an odd name": put("data/numbers/raw/é \" \\ 名", "x"),
    "add an empty file": put("data/numbers/raw/zero", ""),
    "add a hidden file": put("data/numbers/processed/.hidden", "x"),
    "add an empty folder": empty_folder,
    "link to a folder": link_to_folder,
    "touch everything": touch_everything,
    "lose an object": lose_an_object,
    "damage an object": damage_an_object,
    "unprotect the objects": unprotect_objects,
    "lose the cache": remove(".dvc/cache"),
    "lose the lock": remove("pipelines/numbers/dvc.lock"),
    "forget a stage": forget_a_stage,
}  # fmt: skip


@pytest.fixture
def remembered(registry: PipelineRegistry, monkeypatch: pytest.MonkeyPatch) -> PipelineRegistry:
    """A registry of which all is known that can be remembered."""
    monkeypatch.setattr("dreg.adapters.dvc.memory.FINE", 8_000_000)  # two ticks of a usual kernel
    time.sleep(0.02)
    agree(registry)
    known = json.loads((registry.root / ".dvc/tmp/dreg/digests/numbers.json").read_text())["files"]
    assert str(registry.root / "data/numbers/processed") in known
    assert any(path.endswith(".dir/") for path in known)
    return registry


@pytest.mark.parametrize("edit", EDITS)
def test_one_edit(remembered: PipelineRegistry, edit: str) -> None:
    EDITS[edit](remembered)
    agree(remembered)


def test_an_object_that_leaves_the_cache_is_missed(remembered: PipelineRegistry) -> None:
    (folder,) = [
        o for o in lock_outputs(remembered.root, "numbers") if o.path.endswith("processed")
    ]
    cache = remembered.root / ".dvc/cache/files/md5"
    listed = json.loads((cache / folder.md5[:2] / folder.md5[2:]).read_bytes())
    assert state(remembered)[0] is State.UP_TO_DATE
    md5 = listed[0]["md5"]
    (cache / md5[:2] / md5[2:]).unlink()
    assert state(remembered)[0] is not State.UP_TO_DATE


def test_what_is_in_an_unchanged_folder_is_remembered_on(remembered: PipelineRegistry) -> None:
    files = remembered.root / ".dvc/tmp/dreg/digests/numbers.files.json"
    before = json.loads(files.read_text())["files"]
    put("data/numbers/raw/deep/a", "0\n1\n2\n3\n5")(remembered)
    assert state(remembered)[0] is State.CHANGED
    after = json.loads(files.read_text())["files"]
    inside = {path for path in before if "/processed/" in path}
    assert inside and inside <= after.keys()


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
@given(edits=st.lists(st.sampled_from(sorted(EDITS)), min_size=2, max_size=6))
def test_many_edits(
    pristine: PipelineRegistry, tmp_path_factory: pytest.TempPathFactory, edits: list[str]
) -> None:
    registry = copy(pristine, tmp_path_factory.mktemp("edited") / "registry")
    for edit in edits:
        try:
            EDITS[edit](registry)
        except FileNotFoundError:
            continue  # an earlier edit removed what this one changes
        agree(registry)  # after each, so that what is remembered is put to the test


def state(registry: PipelineRegistry) -> tuple[State, tuple[str, ...]]:
    found = whole(Pipeline(registry.root, "numbers").verdicts())
    return found.state, found.why


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        ("nothing", (State.UP_TO_DATE, ())),
        ("change a script", (State.CHANGED, ("scripts/process.py",))),
        ("change the contract", (State.CHANGED, ("dataset.yaml",))),
        ("change a parameter", (State.CHANGED, ("params process.factor",))),
        ("change a command", (State.CHANGED, ("cmd of process",))),
        ("delete processed", (State.MISSING, ("data/numbers/processed missing",))),
        ("edit metadata", (State.CHANGED, ("data/numbers/metadata.json edited",))),
        ("delete a script", (State.CHANGED, ("scripts/process.py missing",))),
        ("lose the lock", (State.NEVER_RUN, ())),
        ("forget a stage", (State.CHANGED, ("stage process never run",))),
        ("remove params.yaml", (State.CHANGED, ("params.yaml missing",))),
    ],
)
def test_says_why(
    registry: PipelineRegistry, edit: str, expected: tuple[State, tuple[str, ...]]
) -> None:
    EDITS[edit](registry)
    assert state(registry) == expected


@pytest.mark.parametrize(
    "edit",
    [
        pipeline("cmd: python scripts/process.py", "cmd: python scripts/${process.factor}.py"),
        pipeline("cmd: python scripts/process.py", "wdir: .\n    cmd: python scripts/process.py"),
        pipeline(
            "cmd: python scripts/process.py", "frozen: true\n    cmd: python scripts/process.py"
        ),
        pipeline("cmd: python scripts/process.py", "always_changed: true\n    cmd: x"),
        pipeline("stages:\n", "vars: [{a: 1}]\nstages:\n"),
        pipeline("- scripts/process.py", "- ./scripts/process.py"),
        pipeline("- scripts/process.py", "- https://example.com/x"),
        pipeline("- process.factor", "- process.*"),
        pipeline("- process.factor", "- params.toml: [a]"),
        put(".dvcignore", "*.tmp\n"),
        put("data/.dvcignore", "*.tmp\n"),
        put("data/numbers/raw/.dvcignore", ""),
        lambda r: r.write("data/numbers/raw/.git/x", ""),
        lambda r: (r.root / "data/numbers/raw/broken").symlink_to("nowhere"),
        lambda r: os.mkfifo(r.root / "data/numbers/raw/fifo"),
        lambda r: r.replace("pipelines/numbers/dvc.lock", "hash: md5", "hash: md5-dos2unix"),
        lambda r: r.replace("pipelines/numbers/dvc.lock", "schema: '2.0'", "schema: '3.0'"),
    ],
)
def test_leaves_to_dvc_what_only_dvc_knows(registry: PipelineRegistry, edit: Edit) -> None:
    edit(registry)
    assert state(registry)[0] is State.UNKNOWN


def test_a_change_within_a_clock_tick_is_seen(registry: PipelineRegistry) -> None:
    """As git's racily clean files: same size, same inode, perhaps the same time."""
    for text in ("0\n1\n2\n3\n4", "0\n1\n2\n3\n5") * 20:
        put("data/numbers/raw/deep/a", text)(registry)
        changed = text.endswith("5")
        assert (state(registry)[0] is State.CHANGED) == changed


def test_a_change_with_its_time_set_back_is_seen(registry: PipelineRegistry) -> None:
    file = registry.root / "data/numbers/raw/deep/a"
    old = file.stat()
    time.sleep(0.2)
    assert state(registry)[0] is State.UP_TO_DATE
    put("data/numbers/raw/deep/a", "0\n1\n2\n3\n5")(registry)
    os.utime(file, ns=(old.st_atime_ns, old.st_mtime_ns))
    assert state(registry)[0] is State.CHANGED


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "files": [1]}'])
def test_a_damaged_memory_is_forgotten(registry: PipelineRegistry, text: str) -> None:
    memory = registry.root / ".dvc/tmp/dreg/digests/numbers.json"
    time.sleep(0.2)
    assert state(registry)[0] is State.UP_TO_DATE
    whole_text = memory.read_text()
    memory.write_text(text)
    assert state(registry)[0] is State.UP_TO_DATE
    assert json.loads(memory.read_text()) == json.loads(whole_text)


def test_a_memory_that_cannot_be_written_is_done_without(registry: PipelineRegistry) -> None:
    registry.write(".dvc/tmp/dreg", "a file where the folder should be")
    assert state(registry)[0] is State.UP_TO_DATE


def test_what_is_remembered_is_not_read_again(registry: PipelineRegistry) -> None:
    time.sleep(0.2)
    announced: list[int] = []

    def announce(total: int) -> Callable[[int], None]:
        announced.append(total)
        return lambda n: None

    Pipeline(registry.root, "numbers").verdicts(announce)
    Pipeline(registry.root, "numbers").verdicts(announce)
    assert announced[0] > 0
    assert announced[1] == 0


def test_outputs_are_those_of_the_lock(registry: PipelineRegistry) -> None:
    found = {output.path: output for output in lock_outputs(registry.root, "numbers")}
    assert list(found) == [
        "data/numbers/raw",
        "data/numbers/processed",
        "data/numbers/metadata.json",
    ]
    assert found["data/numbers/raw"].nfiles == 2
    assert found["data/numbers/raw"].is_directory
    assert found["data/numbers/raw"].cached
    assert not found["data/numbers/metadata.json"].cached


def test_tracked_files_have_size_and_md5(registry: PipelineRegistry) -> None:
    import hashlib

    files = tracked_files(registry.root, "numbers")
    assert [f.path for f in files] == [
        "metadata.json",
        "processed/train.csv",
        "raw/deep/a",
        "raw/deep/b",
    ]
    for file in files:
        content = (registry.root / "data/numbers" / file.path).read_bytes()
        assert (file.size, file.md5) == (len(content), hashlib.md5(content).hexdigest())
        assert file.in_git == (file.path == "metadata.json")
    assert set(directories(registry.root, "numbers")) == {"raw", "processed"}


def test_tracked_files_without_cache_come_from_the_tree(registry: PipelineRegistry) -> None:
    expected = tracked_files(registry.root, "numbers")
    remove(".dvc/cache")(registry)
    assert tracked_files(registry.root, "numbers") == expected
    put("data/numbers/raw/deep/a", "other")(registry)
    with pytest.raises(Refused, match="are not here"):
        tracked_files(registry.root, "numbers")


def test_tracked_files_without_tree_come_from_the_cache(registry: PipelineRegistry) -> None:
    expected = tracked_files(registry.root, "numbers")
    remove("data/numbers/raw")(registry)
    assert tracked_files(registry.root, "numbers") == expected


def test_an_output_elsewhere_is_no_part_of_a_release(registry: PipelineRegistry) -> None:
    for file in ("dvc.yaml", "dvc.lock"):
        registry.replace(f"pipelines/numbers/{file}", "data/numbers/raw", "data/others/raw")
    with pytest.raises(Refused, match="outside of data/numbers/"):
        tracked_files(registry.root, "numbers")


def test_unpushed_outputs_are_no_part_of_a_release(registry: PipelineRegistry) -> None:
    pipeline(
        "      - ../../data/numbers/raw\n  process",
        "      - ../../data/numbers/raw:\n          push: false\n  process",
    )(registry)
    assert set(directories(registry.root, "numbers")) == {"processed"}


def test_the_cache_may_be_elsewhere(registry: PipelineRegistry, tmp_path: Path) -> None:
    shutil.move(registry.root / ".dvc/cache", tmp_path / "shared")
    assert state(registry)[0] is State.MISSING
    elsewhere = registry.clone(tmp_path / "clone")
    elsewhere.write(".dvc/config.local", f"[cache]\n    dir = {tmp_path / 'shared'}\n")
    assert [f.path for f in tracked_files(elsewhere.root, "numbers")][1:] == [
        "processed/train.csv",
        "raw/deep/a",
        "raw/deep/b",
    ]
    assert state(elsewhere) == (
        State.MISSING,
        ("data/numbers/raw missing", "data/numbers/processed missing"),
    )


@pytest.mark.parametrize(
    ("file", "text", "fact"),
    [
        ("dvc.yaml", "stages: [\n", "dvc.yaml:2:1 is not YAML"),
        ("dvc.yaml", "a: 1\n", "has no stages"),
        ("dvc.lock", "<<<<<<< HEAD\na: 1\n=======\nb: 1\n>>>>>>> x\n", "dvc.lock:1 has the marks"),
        ("dvc.lock", "stages: 7\n", "is not a lock that DVC wrote"),
        ("dvc.lock", "schema: '2.0'\nstages: {process: {outs: 5}}\n", "is not a lock that DVC"),
        ("params.yaml", "a: b: c\n", "params.yaml:1:5 is not YAML"),
        ("params.yaml", "a: 1\na: 2\n", "params.yaml:2:1 is not YAML: the key `a` is there twice"),
    ],
)
def test_a_broken_file_is_named_with_its_line(
    registry: PipelineRegistry, file: str, text: str, fact: str
) -> None:
    registry.write(f"pipelines/numbers/{file}", text)
    with pytest.raises(BadRequest) as raised:
        state(registry)
    assert fact in raised.value.fact


@pytest.mark.parametrize(
    ("old", "new", "fact"),
    [
        ("      - scripts/download.py", "      - ../../data/numbers/processed", "depend on each"),
        ("../../data/numbers/processed\n  analyze", "../../data/numbers/raw\n  analyze", "both write"),
    ],
)  # fmt: skip
def test_impossible_pipelines_are_refused(
    registry: PipelineRegistry, old: str, new: str, fact: str
) -> None:
    pipeline(old, new)(registry)
    with pytest.raises(BadRequest, match=fact):
        state(registry)
