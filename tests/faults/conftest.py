"""The worlds that faults happen to, made once and copied; and the process that runs dreg in them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dreg.core.template_record import parse_record, record_json, record_path, recorded
from tests.faults.commands import COMMANDS, HERBS, Undisturbed
from tests.faults.worlds import OTHER, UNTRACKED, World, Zygote
from tests.gitconfig import gitconfig
from tests.pipeline_registry import PipelineRegistry
from tests.small_registry import NAME, SmallRegistry
from tests.test_signed import ssh_key


@pytest.fixture(scope="session")
def zygote() -> Iterator[Zygote]:
    started = Zygote()
    yield started
    started.close()


@pytest.fixture(scope="session")
def ran_world(run_registry: SmallRegistry, tmp_path_factory: pytest.TempPathFactory) -> World:
    """Somebody's clone whose pipeline has run, with work of theirs in it, behind the git remote."""
    home = tmp_path_factory.mktemp("ran-world")
    made = run_registry.copy(home)
    made.ok("new", "other", "--kind", "tabular")
    made.git("add", OTHER)
    made.git("commit", "-q", "-m", "other", "--", OTHER)
    made.git("push", "-q")
    made.git("clone", "-q", "registry.git", "elsewhere", folder=home)
    (home / "elsewhere" / "README.md").write_text("newer\n")
    (home / "elsewhere" / "NEWS.md").write_text("new\n")
    made.git("add", "--all", folder=home / "elsewhere")
    made.git("commit", "-q", "-m", "news", folder=home / "elsewhere")
    made.git("push", "-q", folder=home / "elsewhere")
    shutil.rmtree(home / "elsewhere")
    return users_work(World(home, own_tmp(home, made.packed().environment)))


def own_tmp(home: Path, environment: dict[str, str]) -> dict[str, str]:
    """With a folder for temporary files that others' do not go to, so that litter is seen."""
    (home / "tmp").mkdir()
    return {**environment, "TMPDIR": str(home / "tmp")}


def users_work(world: World) -> World:
    """The world with work of the user's: untracked, staged, changed, and staged then changed."""
    (world.path / UNTRACKED).write_text("mine\n")
    other = world.path / OTHER
    for name, staged, changed in (
        ("a", True, False),
        ("params.yaml", False, True),
        ("b", True, True),
    ):
        if staged:
            (other / name).write_text("staged\n")
            world.git("add", f"{OTHER}/{name}")
        if changed:
            with (other / name).open("a") as file:
                file.write("# changed\n")
    return world


@pytest.fixture(scope="session")
def released_world(
    ran_world: World, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """One with a release, whose next one has run; and an empty folder of somebody who trains."""
    world = ran_world.copy(tmp_path_factory.mktemp("released-world"))
    assert zygote.run(world, "release", NAME).code == 0
    contract = world.path / "pipelines" / NAME / "dataset.yaml"
    text = contract.read_text()
    contract.write_text("".join(x for x in text.splitlines(True) if not x.startswith("  leaf_mm:")))
    assert zygote.run(world, "run", NAME).code == 0
    (world.home / "training").mkdir()
    world.environment["DREG_REPO"] = str(world.remote)
    world.environment["DREG_LINK"] = "copy"  # the one way to keep bytes that takes a while
    return world


@pytest.fixture(scope="session")
def quick_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """One whose pipeline is of a few lines, has run, and is to run again."""
    home = tmp_path_factory.mktemp("quick-world")
    made = PipelineRegistry.make(home / "registry", NAME, "other")
    world = pushed(made, NAME)
    made.replace(f"pipelines/{NAME}/params.yaml", "rows: 5", "rows: 6")
    return users_work(world)


def pushed(made: PipelineRegistry, *run: str) -> World:
    """The world of a registry whose datasets are run, committed and pushed."""
    home = made.root.parent
    (home / "gitconfig").write_text(gitconfig("A", "a@example.com"))
    environment = {
        **{k: v for k, v in made.environment.items() if not k.startswith("DREG_")},
        "DVC_SITE_CACHE_DIR": str(home / "site"),
        "DREG_CACHE": str(home / "cache"),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
    }
    world = World(home, own_tmp(home, environment))
    made.replace(".dvc/config", f"{made.root}-remote", "../../registry-store")
    done = made.dreg("run", *run)
    assert done.code == 0, done.stderr
    made.commit()
    world.git("clone", "-q", "--bare", "registry", "registry.git", folder=".")
    world.git("remote", "add", "origin", "../registry.git")
    world.git("push", "-q", "-u", "origin", "main")
    return world.packed()


@pytest.fixture(scope="session")
def keyed_world(ran_world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One whose releases can be signed."""
    world = ran_world.copy(tmp_path_factory.mktemp("keyed-world"))
    key = ssh_key(world.home, "ada")
    world.git("config", "gpg.format", "ssh")
    world.git("config", "user.signingkey", str(key.with_suffix(".pub")))
    return world


@pytest.fixture(scope="session")
def unpushed_world(
    ran_world: World, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """One with a release that was made, and not pushed."""
    world = ran_world.copy(tmp_path_factory.mktemp("unpushed-world"))
    assert zygote.run(world, "release", NAME, "--no-push").code == 0
    return world


@pytest.fixture(scope="session")
def yanked_world(
    released_world: World, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """One whose release is yanked."""
    world = released_world.copy(tmp_path_factory.mktemp("yanked-world"))
    assert zygote.run(world, "yank", f"{NAME}@1.0.0", "--reason", "shifted").code == 0
    return world


@pytest.fixture(scope="session")
def changed_world(
    released_world: World, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """One in which who trains has changed a file of what was fetched, and added one."""
    world = released_world.copy(tmp_path_factory.mktemp("changed-world"))
    assert zygote.run(world, "fetch", NAME, "-o", "data", folder="training").code == 0
    there = world.home / "training" / "data"
    with (there / "metadata.json").open("a") as file:
        file.write(" ")
    (there / "mine.txt").write_text("mine\n")
    return world


@pytest.fixture(scope="session")
def littered_world(released_world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One with a folder of two files on its remote that nobody needs, and a file."""
    world = released_world.copy(tmp_path_factory.mktemp("littered-world"))
    listed = [{"md5": world.put(data), "relpath": data.decode()} for data in (b"a", b"b")]
    world.put(json.dumps(listed).encode(), ".dir")
    world.put(b"nobody needs this")
    return world


@pytest.fixture(scope="session")
def marked_world(
    littered_world: World, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """One in which what nobody needs is marked, and may be deleted."""
    world = littered_world.copy(tmp_path_factory.mktemp("marked-world"))
    assert zygote.run(world, "gc").code == 0
    for path in (world.store / "files").rglob("*"):
        os.utime(path, (0, 0))  # else an object counts as written after it was marked
    return world


@pytest.fixture(scope="session")
def reproducible_world(zygote: Zygote, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One with a release whose pipeline is of a few lines."""
    home = tmp_path_factory.mktemp("reproducible-world")
    made = PipelineRegistry.make(home / "registry", NAME, "other")
    world = pushed(made, NAME)
    done = zygote.run(world, "release", NAME)
    assert done.code == 0, done.stderr
    return users_work(world)


@pytest.fixture(scope="session")
def bundle_world(
    ran_world: World,
    released_world: World,
    zygote: Zygote,
    tmp_path_factory: pytest.TempPathFactory,
) -> World:
    """One without a release, and a bundle beside it that has one."""
    world = ran_world.copy(tmp_path_factory.mktemp("bundle-world"))
    bundle = ("export", f"{NAME}@1.0.0", "-o", str(world.home / "bundle.tar"))
    done = zygote.run(released_world, *bundle)
    assert done.code == 0, done.stderr
    return world


@pytest.fixture(scope="session")
def unsound_world(released_world: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """One whose remote has lost every other object and has others damaged; a backup beside it is whole."""
    world = released_world.copy(tmp_path_factory.mktemp("unsound-world"))
    shutil.copytree(world.store, world.home / "backup")
    objects = sorted(path for path in (world.store / "files").rglob("*") if path.is_file())
    assert len(objects) > 3
    for number, path in enumerate(objects):
        path.chmod(0o644)
        path.unlink() if number % 2 else path.write_bytes(b"?" * path.stat().st_size)
    assert world.lies()
    return world


@pytest.fixture(scope="session")
def outgrown_world(
    ran_world: World, zygote: Zygote, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """One with a dataset of an older template: that had a line less in some files, a file less, and one more. Its owner
    has changed one of the files that are other now."""
    world = ran_world.copy(tmp_path_factory.mktemp("outgrown-world"))
    done = zygote.run(world, "new", HERBS, "--kind", "tabular")
    assert done.code == 0, done.stderr
    place = world.path / record_path(HERBS)
    record = parse_record(place.read_bytes(), str(place))
    below = f"pipelines/{HERBS}"
    made = {path: (world.path / path).read_bytes() for path in record.sums}
    for path in (f"{below}/params.yaml", f"{below}/dvc.yaml", f"{below}/scripts/download.py"):
        made[path] = b"".join(made[path].splitlines(True)[1:])
    del made[f"{below}/scripts/analyze.py"]
    made[f"{below}/scripts/old.py"] = b"pass\n"
    (world.path / below / "scripts" / "analyze.py").unlink()
    for path, content in made.items():
        (world.path / path).write_bytes(content)
    older = recorded(record.template, False, None, "0.0.1", record.answers, made)
    place.write_bytes(record_json(older))
    with (world.path / below / "params.yaml").open("a") as file:
        file.write("# the owner's\n")
    world.git("add", below, f"data/{HERBS}")
    world.git("commit", "-q", "-m", HERBS, "--", below, f"data/{HERBS}")
    world.git("pull", "-q", "--rebase", "--autostash")
    world.git("push", "-q")
    return world


@pytest.fixture(scope="session")
def known() -> dict[str, Undisturbed]:
    return {}


@pytest.fixture
def undisturbed(
    world_of: Callable[[str], World], zygote: Zygote, known: dict[str, Undisturbed]
) -> Callable[[str], Undisturbed]:
    """What the command of that name comes to when nothing happens."""

    def of(name: str) -> Undisturbed:
        if name not in known:
            command, world = COMMANDS[name], world_of(COMMANDS[name].world)
            done = zygote.run(world, *command.arguments, folder=command.folder)
            assert done.code == 0, done.stderr
            known[name] = Undisturbed(done.steps, done.seconds, world.index(), world.seen())
        return known[name]

    return of


@pytest.fixture
def world_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], World]:
    """A copy of the world of that name, in a folder of its own."""
    turn = 0

    def one(kind: str) -> World:
        nonlocal turn
        turn += 1
        made: World = request.getfixturevalue(f"{kind}_world")
        return made.copy(tmp_path / f"{kind}-{turn}")

    return one
