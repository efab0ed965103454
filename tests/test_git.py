"""Reading and writing git, on real repositories."""

import subprocess

import pytest

from dreg.adapters import git
from dreg.adapters.git import following
from dreg.adapters.git.following import fast_forward
from dreg.adapters.git.publish import Publisher
from dreg.adapters.git.pushing import LostRace
from dreg.adapters.scratch import PREFIX, scratch_folder, tidy
from dreg.errors import BadRequest, DregError, Outside, Refused


def run(folder, *arguments):
    done = subprocess.run(
        ["git", *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def origin(tmp_path):
    """A bare repository with one commit on main."""
    bare, work = tmp_path / "origin.git", tmp_path / "first"
    run(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    run(tmp_path, "clone", "-q", str(bare), str(work))
    run(work, "switch", "-q", "-c", "main")
    identify(work)
    (work / "data" / "x").mkdir(parents=True)
    (work / "data" / "x" / "metadata.json").write_text("{}\n")
    (work / "README.md").write_text("hello\n")
    run(work, "add", "--all")
    run(work, "commit", "-q", "-m", "start")
    run(work, "push", "-q", "origin", "main")
    return bare


def identify(folder):
    run(folder, "config", "user.name", "A")
    run(folder, "config", "user.email", "a@example.com")


@pytest.fixture
def clone(origin, tmp_path):
    run(tmp_path, "clone", "-q", str(origin), "clone")
    identify(tmp_path / "clone")
    return tmp_path / "clone"


def release(folder, tag="x-v1.0.0", content="{}\n"):
    """Commit data/x with `content`, tag and push it as `dreg release` does."""
    (folder / "data" / "x" / "metadata.json").write_text(content)
    publisher = Publisher(folder)
    tip = publisher.fetch_tip("origin", "main")
    commit = publisher.commit(tip, ["data/x"], f"release {tag}")
    published = publisher.tag(tag, commit, f"{tag}\n\nDreg-Version: 1.0.0\n")
    publisher.push("origin", "main", tip, published)
    publisher.adopt(published, "origin/main")
    return published


def test_branch_and_tag_are_pushed_and_the_clone_follows(origin, clone):
    published = release(clone, content='{"a": 1}\n')
    assert run(origin, "rev-parse", "main") == published.commit
    assert run(origin, "cat-file", "-t", "x-v1.0.0") == "tag"
    assert run(clone, "rev-parse", "HEAD") == published.commit
    assert run(clone, "status", "--porcelain") == ""
    assert run(clone, "rev-parse", "origin/main") == published.commit
    assert run(origin, "rev-parse", "main^") != published.commit


def test_the_commit_holds_only_the_named_folders_and_the_index_is_left_alone(clone):
    (clone / "README.md").write_text("changed\n")
    (clone / "new.txt").write_text("new\n")
    (clone / "staged.txt").write_text("staged\n")
    run(clone, "add", "staged.txt")
    published = release(clone, content='{"a": 1}\n')
    assert (
        run(clone, "show", "--name-only", "--format=", published.commit) == "data/x/metadata.json"
    )
    left = run(clone, "status", "--porcelain").splitlines()
    assert sorted(line.split()[-1] for line in left) == ["README.md", "new.txt", "staged.txt"]
    assert (clone / "README.md").read_text() == "changed\n"


def test_nothing_to_commit_tags_the_tip_itself(clone):
    head = run(clone, "rev-parse", "HEAD")
    assert release(clone).commit == head


def test_a_clone_that_is_behind_is_carried_forward(origin, clone, tmp_path):
    first = tmp_path / "first"
    (first / "README.md").write_text("newer\n")
    run(first, "commit", "-q", "-a", "-m", "newer")
    run(first, "push", "-q", "origin", "main")
    published = release(clone, content='{"a": 2}\n')
    assert (clone / "README.md").read_text() == "newer\n"
    assert run(clone, "rev-parse", "HEAD") == published.commit
    assert run(clone, "status", "--porcelain") == ""


def test_a_local_change_in_the_way_of_following_is_kept(origin, clone, tmp_path):
    first = tmp_path / "first"
    (first / "README.md").write_text("newer\n")
    run(first, "commit", "-q", "-a", "-m", "newer")
    run(first, "push", "-q", "origin", "main")
    (clone / "README.md").write_text("mine\n")
    with pytest.raises(Refused, match="the release is published"):
        release(clone, content='{"a": 2}\n')
    assert (clone / "README.md").read_text() == "mine\n"
    assert "x-v1.0.0" in git.remote_tags(str(origin))


def test_a_commit_made_meanwhile_is_not_lost_by_following(origin, clone):
    head = run(clone, "rev-parse", "HEAD")
    publisher = Publisher(clone)
    (clone / "data" / "x" / "metadata.json").write_text('{"a": 1}\n')
    released = publisher.commit(head, ["data/x"], "release")
    (clone / "README.md").write_text("mine\n")
    run(clone, "commit", "-q", "-m", "mine", "README.md")
    mine = run(clone, "rev-parse", "HEAD")
    with pytest.raises(DregError):
        fast_forward(clone, released)
    assert run(clone, "rev-parse", "HEAD") == mine
    assert (clone / "README.md").read_text() == "mine\n"


def test_who_pushes_second_loses_and_nothing_of_theirs_is_visible(origin, clone, tmp_path):
    publisher = Publisher(clone)
    tip = publisher.fetch_tip("origin", "main")
    (clone / "data" / "x" / "metadata.json").write_text('{"late": 1}\n')
    late = publisher.tag("x-v2.0.0", publisher.commit(tip, ["data/x"], "late"), "late\n")
    run(tmp_path, "clone", "-q", str(origin), "other")
    identify(tmp_path / "other")
    early = release(tmp_path / "other", content='{"early": 1}\n')
    with pytest.raises(LostRace):
        publisher.push("origin", "main", tip, late)
    assert run(origin, "rev-parse", "main") == early.commit
    assert list(git.remote_tags(str(origin))) == ["x-v1.0.0"]


def test_a_tag_that_is_there_already_is_never_moved(origin, clone):
    first = release(clone, content='{"a": 1}\n')
    with pytest.raises(LostRace):
        release(clone, content='{"a": 2}\n')
    assert git.remote_tags(str(origin))["x-v1.0.0"].commit == first.commit
    assert run(origin, "rev-parse", "main") == first.commit


def test_a_server_that_declines_is_named_as_the_reason(origin, clone):
    hook = origin / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'releases come from CI' >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(Refused, match="declined the push") as error:
        release(clone, content='{"a": 1}\n')
    assert any("releases come from CI" in line for line in error.value.details)
    assert git.remote_tags(str(origin)) == {}
    assert run(clone, "tag") == ""


def test_without_a_name_git_refuses_and_dreg_says_how_to_give_one(clone, monkeypatch):
    run(clone, "config", "--unset", "user.name")
    run(clone, "config", "--unset", "user.email")
    run(clone, "config", "user.useConfigOnly", "true")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("GIT_CONFIG_SYSTEM", "/dev/null")
    with pytest.raises(Outside, match="who you are") as error:
        release(clone, content='{"a": 1}\n')
    assert "git config user.name" in error.value.hint


def test_a_revision_is_read_without_a_clone(origin, clone, tmp_path):
    published = release(clone, content='{"a": 1}\n')
    found = git.revision(str(origin), "x-v1.0.0")
    assert found.commit == published.commit
    assert "Dreg-Version: 1.0.0" in found.message
    assert found.read("data/x/metadata.json") == b'{"a": 1}\n'
    assert found.read("data/x/none") is None
    assert found.files("data") == ["data/x/metadata.json"]
    by_commit = git.revision(str(origin), published.commit)
    assert by_commit.read("README.md") == b"hello\n"
    assert git.revision(f"file://{origin}", "main").commit == published.commit


def test_messages_of_tags_are_fetched_without_history(origin, clone):
    release(clone, content='{"a": 1}\n')
    release(clone, tag="x-v1.1.0", content='{"a": 2}\n')
    (tag,) = git.fetch_tags(str(origin), ["x-v1.1.0"])
    assert tag.name == "x-v1.1.0"
    assert tag.annotated
    assert tag.message is not None
    assert tag.message.startswith("x-v1.1.0")


def test_lightweight_tags_are_told_apart(origin, clone):
    run(clone, "tag", "light-v1.0.0")
    run(clone, "push", "-q", "origin", "light-v1.0.0")
    assert not git.remote_tags(str(origin))["light-v1.0.0"].annotated


def test_a_shallow_clone_stays_shallow_when_it_gets_a_tag(origin, clone, tmp_path):
    release(clone, content='{"a": 1}\n')
    release(clone, tag="x-v1.1.0", content='{"a": 2}\n')
    run(tmp_path, "clone", "-q", "--depth=1", "--no-tags", f"file://{origin}", "shallow")
    Publisher(tmp_path / "shallow").fetch_tags("origin", ["x-v1.0.0"])
    local = git.Repository(tmp_path / "shallow")
    assert local.read(local.tags()["x-v1.0.0"], "data/x/metadata.json") == b'{"a": 1}\n'
    assert run(tmp_path / "shallow", "rev-parse", "--is-shallow-repository") == "true"
    assert run(tmp_path / "shallow", "rev-list", "--count", "x-v1.0.0") == "1"


@pytest.mark.parametrize("url", ["--upload-pack=touch x", "ext::sh -c id", "-x", "fd::7"])
def test_urls_that_could_run_something_are_refused(url):
    for ask in (git.remote_tags, lambda repo: git.revision(repo, "main")):
        with pytest.raises(BadRequest, match="not a repository URL"):
            ask(url)


def test_unknown_revisions_and_places_are_bad_requests(origin, tmp_path):
    with pytest.raises(BadRequest, match="no tag, branch or commit `nope`"):
        git.revision(str(origin), "nope")
    with pytest.raises(DregError) as error:
        git.remote_tags(str(tmp_path / "nothing"))
    assert error.value.exit_code == 2


def test_an_unreachable_server_is_outside():
    with pytest.raises(Outside, match="cannot be reached"):
        git.remote_tags("http://127.0.0.1:9/x.git")


def test_changes_are_listed_below_folders(clone):
    (clone / "data" / "x" / "metadata.json").write_text("[]\n")
    (clone / "new.txt").write_text("new\n")
    local = git.Repository(clone)
    assert local.changed() == ["data/x/metadata.json", "new.txt"]
    assert local.changed(["data"]) == ["data/x/metadata.json"]
    assert local.changed(tracked_only=True) == ["data/x/metadata.json"]


def test_what_a_hook_says_about_its_own_repository_is_not_obeyed(
    origin, clone, tmp_path, monkeypatch
):
    release(clone, content='{"a": 1}\n')
    run(tmp_path, "init", "-q", "training")
    training = tmp_path / "training"
    before = run(training, "for-each-ref"), sorted(p.name for p in (training / ".git").iterdir())
    monkeypatch.setenv("GIT_DIR", str(training / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(training / ".git" / "other-index"))
    assert git.revision(str(origin), "x-v1.0.0").read("data/x/metadata.json") == b'{"a": 1}\n'
    assert "x-v1.0.0" in git.Repository(clone).tags()
    Publisher(clone)
    monkeypatch.delenv("GIT_DIR", raising=False)
    after = run(training, "for-each-ref"), sorted(p.name for p in (training / ".git").iterdir())
    assert after == before


def test_a_file_that_is_there_but_not_in_the_commit_is_none(clone):
    (clone / "data" / "x" / "new.json").write_text("{}\n")
    local = git.Repository(clone)
    assert local.read(local.head(), "data/x/new.json") is None


def test_a_clone_that_cannot_follow_says_that_the_release_is_published(origin, clone, monkeypatch):
    monkeypatch.setattr(following, "PATIENCE", 0.2)
    (clone / ".git" / "index.lock").write_text("")
    with pytest.raises(Outside, match="is published, but this clone could not follow it"):
        release(clone, content='{"a": 1}\n')
    assert "x-v1.0.0" in git.remote_tags(str(origin))


def test_the_index_lock_of_a_killed_release_goes_and_anybody_elses_stays(clone):
    git_folder = clone / ".git"
    lock = git_folder / "index.lock"
    dead = git_folder / f"{PREFIX}{'0' * 16}"
    dead.mkdir()
    (dead / "index.lock").touch()
    lock.hardlink_to(dead / "index.lock")
    tidy(git_folder)
    assert not lock.exists()
    assert not dead.exists()
    lock.touch()
    with scratch_folder(git_folder) as alive:
        (alive / "index.lock").touch()
        tidy(git_folder)
        assert lock.exists()
        assert alive.exists()


def test_a_clone_follows_two_releases_in_any_order(origin, clone):
    """Two releases in one clone: the second was pushed before the clone followed the first."""
    publisher = Publisher(clone)
    (clone / "data" / "x" / "metadata.json").write_text('{"a": 1}\n')
    (clone / "data" / "y").mkdir()
    (clone / "data" / "y" / "new.json").write_text("{}\n")
    tip = publisher.fetch_tip("origin", "main")
    first = publisher.commit(tip, ["data/x"], "first")
    second = publisher.commit(first, ["data/y"], "second")
    fast_forward(clone, second)
    fast_forward(clone, first)
    assert run(clone, "rev-parse", "HEAD") == second
    assert run(clone, "status", "--porcelain") == ""
