"""A tag means that every byte can be fetched: what would make it a lie is refused before it is pushed."""

from __future__ import annotations

import os
import shutil

import pytest

from dreg.adapters.claims import Claims
from dreg.core.choices import Choices
from dreg.core.remotes import object_key
from dreg.errors import Outside
from dreg.registry import Registry
from dreg.release.manner import Manner
from dreg.release.plan import plan
from dreg.release.releasing import carry_out
from tests.small_registry import NAME
from tests.test_release import manifest_of, refused, state


def add_outputs(registry, code):
    """Let the process stage write more; `out` is its folder."""
    script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
    script.write_text(f"{script.read_text()}\nout = here().processed\n{code}\n")
    if "import here" not in script.read_text():
        script.write_text(f"from dreg.stages import here\n{script.read_text()}")
    registry.ok("run", NAME)


def test_a_name_that_no_windows_can_have_is_refused_before_a_release_too(ready):
    add_outputs(ready, "(out / 'nul.csv').write_text('x')")
    told = "the release lists 'processed/nul.csv', which is a device on Windows"
    checked = ready.dreg("check", NAME)
    assert (checked.code, told in checked.stderr) == (1, True), checked.stderr
    assert told in fails_without_a_tag(ready)


def commit_of_another(registry):
    """Somebody else changes a file outside the datasets and pushes; the clone is behind then."""
    registry.git("clone", "-q", "registry.git", "other", folder=registry.home)
    other = registry.home / "other"
    (other / "README.md").write_text("newer\n")
    (other / "new.txt").write_text("new\n")
    registry.git("add", "--all", folder=other)
    registry.git("commit", "-q", "-m", "newer", folder=other)
    registry.git("push", "-q", folder=other)


def fails_without_a_tag(registry, code=1):
    """The stderr of a release that must fail and publish nothing; objects may have been pushed."""
    before = state(registry)
    done = registry.dreg("release", NAME)
    assert (done.code, done.stdout) == (code, ""), done.stderr
    assert "Traceback" not in done.stderr
    assert state(registry) | {"objects": None} == before | {"objects": None}
    return done.stderr


def test_a_profile_that_git_ignores_is_no_release(ready):
    (ready.path / ".git" / "info" / "exclude").write_text("*.json\n")
    said = fails_without_a_tag(ready)
    assert f"git ignores `data/{NAME}/metadata.json`" in said
    assert f"hint: see which rule does, and lift it: git check-ignore -v data/{NAME}" in said
    (ready.path / ".git" / "info" / "exclude").write_text("")
    ready.ok("release", NAME)


def test_a_dvc_lock_that_git_ignores_is_no_release(ready):
    (ready.path / ".git" / "info" / "exclude").write_text("*.lock\n")
    assert f"git ignores `pipelines/{NAME}/dvc.lock`" in fails_without_a_tag(ready)


def test_a_profile_that_a_filter_changes_is_no_release(ready):
    (ready.path / ".gitattributes").write_text("*.json filter=pointer\n")
    ready.git("add", ".gitattributes")
    ready.git("commit", "-q", "-m", "attributes")
    ready.git("config", "filter.pointer.clean", "sed s/toy/TOY/")
    said = fails_without_a_tag(ready)
    assert f"git would not keep `data/{NAME}/metadata.json` byte for byte" in said
    assert "git check-attr --all" in said


@pytest.mark.parametrize("names", [("A.txt", "a.txt"), ("e\u0301", "\u00e9")])
def test_names_that_fetch_would_refuse_are_no_release(ready, names):
    lines = [f"(out / {name!r}).write_text({str(number)!r})" for number, name in enumerate(names)]
    add_outputs(ready, "\n".join(lines))
    said = refused(ready, "release", NAME)
    assert "which are one " in said
    assert f"then: dreg run {NAME}" in said


def test_odd_names_empty_files_and_links_arrive_as_they_are(ready):
    odd = [
        "a b", "\u00fcn\u00ef", "q\"u'o", "-dash", "#x", "%20", "*.csv",
        "12:30", "empty", "inner/.hidden",
    ]  # fmt: skip
    code = "(out / 'inner').mkdir(exist_ok=True)\n"
    code += f"for name in {odd!r}:\n    (out / name).write_text('' if name == 'empty' else name)\n"
    code += "(out / 'link').unlink(missing_ok=True)\n(out / 'link').symlink_to('a b')"
    add_outputs(ready, code)
    ready.ok("release", NAME)
    training = ready.home / "training"
    training.mkdir()
    ready.ok("fetch", f"{NAME}@1.0.0", "--repo", str(ready.remote), folder=training)
    placed = training / "data" / NAME / "processed"
    for name in odd:
        assert (placed / name).read_text() == ("" if name == "empty" else name)
    assert (placed / "link").read_text() == "a b"
    assert "is in place" in ready.ok("fetch", folder=training).stdout


@pytest.mark.parametrize("name", ["Foo_Bar", "x-v2"])
def test_a_name_that_no_tag_can_carry_is_refused(ready, name):
    for top in ("pipelines", "data"):
        (ready.path / top / NAME).rename(ready.path / top / name)
    for file in (ready.path / "pipelines" / name).rglob("*.*"):
        file.write_text(file.read_text().replace(f"data/{NAME}", f"data/{name}"))
    shutil.rmtree(ready.path / "data" / name)
    (ready.path / "pipelines" / name / "dvc.lock").unlink()
    ready.ok("run", name)
    said = refused(ready, "release", name, code=2)
    assert f"hint: rename pipelines/{name}" in said


def test_a_tag_that_is_only_here_is_not_overwritten(ready):
    ready.git("tag", "-a", "-m", "mine", f"{NAME}-v1.0.0")
    said = refused(ready, "release", NAME)
    assert f"there is a tag `{NAME}-v1.0.0` here that is not on origin" in said
    assert f"git tag -d {NAME}-v1.0.0" in said
    ready.git("tag", "-d", f"{NAME}-v1.0.0")
    ready.ok("release", NAME)


def test_a_git_remote_of_another_name_is_not_passed_over(ready):
    ready.git("remote", "rename", "origin", "upstream")
    said = refused(ready, "release", NAME)
    assert "no git remote is called `origin`" in said
    assert "hint: git remote rename upstream origin" in said


def test_what_cannot_name_a_branch_is_a_bad_request(ready):
    assert "`no space` cannot name a branch" in refused(
        ready, "release", NAME, "--branch", "no space", code=2
    )


def test_an_object_that_vanished_between_push_and_tag_is_noticed(ready):
    dataset = Registry(ready.path).dataset(NAME)
    prepared = plan(dataset, Choices(), date="2026-01-01")
    claims = Claims(ready.path, "a test", 0.0, print)
    steps = carry_out(prepared, dataset, claims, Manner())
    assert next(steps).startswith("pushing")
    assert next(steps).startswith("checking")
    (ready.store / prepared.holdings.objects[0].key).unlink()
    with pytest.raises(Outside, match=r"not on .* as it was pushed: 1 object"):
        next(steps)
    assert not (ready.store / "dreg" / "manifests").exists()
    assert ready.remote_tags() == []


def test_a_truncated_object_on_the_remote_is_pushed_again(ready):
    first = ready.release()
    manifest = manifest_of(ready, first["tag"])
    cut = ready.store / object_key(manifest.snapshot.data.files[0].md5)
    cut.chmod(0o644)
    cut.write_bytes(cut.read_bytes()[:-1])
    ready.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Seedlings")
    assert ready.release()["objects_pushed"] == 1
    assert cut.stat().st_size == manifest.snapshot.data.files[0].size


@pytest.mark.parametrize("times", ["new", "put back"])
def test_an_object_that_was_changed_in_its_place_is_pushed_again(ready, times):
    """Its size is as it was, and with `cp -p` or `touch -d` so is its mtime."""
    first = ready.release()
    file = manifest_of(ready, first["tag"]).snapshot.data.files[0]
    damaged = ready.store / object_key(file.md5)
    right, before = damaged.read_bytes(), damaged.stat()
    damaged.chmod(0o644)
    damaged.write_bytes(bytes(file.size))
    if times == "put back":
        os.utime(damaged, ns=(before.st_atime_ns, before.st_mtime_ns))
    ready.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Seedlings")
    ready.ok("run", NAME)
    done = ready.ok("release", NAME, "--json")
    assert [each["objects_pushed"] for each in done.json["releases"]] == [1]
    assert "with other bytes than it should have, now written again" in done.stderr
    assert damaged.read_bytes() == right


def test_killed_while_this_clone_followed_the_same_command_finishes(ready):
    """At the worst moment: index and tree are the new commit's, HEAD is still the old one."""
    commit_of_another(ready)
    (ready.path / "mine.txt").write_text("mine\n")
    git = shutil.which("git")
    wrapper = ready.home / "bin" / "git"
    wrapper.parent.mkdir()
    wrapper.write_text(
        f'#!/bin/sh\ncase "$*" in *update-ref*HEAD*) kill -9 $PPID; exit 1;; esac\nexec {git} "$@"\n'
    )
    wrapper.chmod(0o755)
    path = f"{wrapper.parent}{os.pathsep}{os.environ['PATH']}"
    assert ready.dreg("release", NAME, PATH=path).code == -9
    assert ready.remote_tags() == [f"{NAME}-v1.0.0"]
    assert "M  README.md" in ready.git("status", "--porcelain")
    done = ready.ok("release", NAME)
    assert "nothing to release" in done.stdout
    assert ready.git("status", "--porcelain") == "?? mine.txt"
    assert ready.git("rev-parse", "HEAD") == ready.git("rev-parse", "main", folder=ready.remote)


def test_changes_of_ones_own_beside_a_killed_follow_are_refused(ready):
    commit_of_another(ready)
    (ready.path / "README.md").write_text("mine\n")
    assert "uncommitted changes outside the datasets" in refused(ready, "release", NAME)
    ready.git("add", "README.md")
    (ready.path / "README.md").write_text("newer\n")  # the tree's, not the index's
    assert "uncommitted changes outside the datasets" in refused(ready, "release", NAME)


@pytest.mark.parametrize("text", ["nonsense", "[]", "{}", "null"])
def test_a_tag_whose_profile_cannot_be_read_is_said_to_be_so(ready, text):
    (ready.path / "data" / NAME / "metadata.json").write_text(text)
    ready.commit_all()
    ready.git("tag", "-a", "-m", "by hand", f"{NAME}-v1.0.0")
    ready.git("push", "-q", "origin", "main", f"{NAME}-v1.0.0")
    for where in ((), ("--repo", str(ready.remote))):
        done = ready.dreg("show", f"{NAME}@1.0.0", *where)
        assert (done.code, done.stdout) == (2, "")
        assert f"at `{NAME}-v1.0.0` is not a profile that dreg reads" in done.stderr
        assert f"dreg fetch {NAME}@1.0.0" in done.stderr
    ready.ok("run", NAME, "--force")
    (released,) = ready.ok("release", NAME, "--json").json["releases"]
    assert (released["version"], released["bump"]) == ("2.0.0", "major")


def test_a_lightweight_tag_is_told_even_where_there_are_no_releases(ready):
    ready.git("tag", f"{NAME}-v1.0.0")
    ready.git("push", "-q", "origin", f"{NAME}-v1.0.0")
    said = ready.ok("list", "--repo", str(ready.remote)).stderr
    assert f"note: `{NAME}-v1.0.0` does not count: it is a lightweight tag" in said


def test_files_that_are_not_utf_8_are_bad_requests(ready):
    (ready.path / "dreg.lock").write_bytes(b"\xff\xfe")
    done = ready.dreg("fetch", NAME, "--repo", str(ready.remote))
    assert (done.code, done.stdout) == (2, "")
    assert "error: `dreg.lock` is not UTF-8 text" in done.stderr
    assert (ready.path / "dreg.lock").read_bytes() == b"\xff\xfe"
    (ready.path / ".dvc" / "config").write_bytes(b"\xff\xfe")
    done = ready.dreg("remote", "list")
    assert (done.code, done.stdout) == (2, "")
    assert "error: `.dvc/config` is not UTF-8 text" in done.stderr
