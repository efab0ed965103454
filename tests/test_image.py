"""The image: its recipe's commands run for real, on this machine and, where buildah is, in containers."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import jsonschema
import pytest
import yaml

from dreg import __version__
from tests.workflows import tool

ROOT = Path(__file__).resolve().parents[1]
RECIPE = (ROOT / "Dockerfile").read_text()
BASE = "IMAGE_BASE"  # an image that buildah has here, instead of the one that the recipe pins
TARGETS = ("runtime", "ray")
SAVING = (
    "UV_COMPILE_BYTECODE",
    "UV_NO_CACHE",
)  # what saves an image time and space costs a test both


def instructions() -> list[tuple[str, str, str]]:
    """Stage, word and rest of each instruction, lines put together and comments left out."""
    lines = re.sub(r"^\s*#.*\n", "", RECIPE, flags=re.M).replace("\\\n", " ").splitlines()
    found, stage = [], ""
    for line in lines:
        word, _, rest = line.partition(" ")
        if word == "FROM":
            stage = rest.split()[-1]
        if word:
            found.append((stage, word, " ".join(rest.split())))
    return found


def of(stage: str, word: str) -> list[str]:
    return [rest for s, w, rest in instructions() if (s, w) == (stage, word)]


# What it says


def test_hadolint_finds_nothing():
    done = subprocess.run(
        [tool("hadolint"), "Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_its_base_is_pinned_by_digest_and_can_be_another():
    (base,) = of("", "ARG")
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-\w+@sha256:[0-9a-f]{64}", base)
    outside = [r for _, w, r in instructions() if w == "FROM" and not re.match(r"\w+ AS ", r)]
    assert all(rest.startswith("${BASE} AS ") for rest in outside)


def test_what_runs_in_it_is_nobody_special_and_nothing_asks_how_it_is():
    for target in (*TARGETS, "development"):
        (before,) = (r for s, w, r in instructions() if (s, w) == (target, "FROM"))
        users = [*of(before.split()[0], "USER"), *of(target, "USER")]
        assert users[-1] == "1000:1000"
    assert of("machine", "HEALTHCHECK") == ["NONE"]
    for stage, word, rest in instructions():
        assert (word, "chown" in rest) != ("COPY", True), f"{stage}: what is installed stays root's"


def test_what_it_is_built_from_is_all_that_the_builder_is_given():
    copied = {
        name
        for s, w, rest in instructions()
        if w == "COPY"
        for name in rest.split()[:-1]
        if "=" not in rest
    }
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert ignored[0] == "*"
    assert {line[1:] for line in ignored if line.startswith("!")} == copied
    assert all((ROOT / name).exists() for name in copied)


def test_the_workflow_builds_the_targets_that_pipelines_run_in():
    job = yaml.safe_load((ROOT / ".github/workflows/image.yaml").read_text())["jobs"]["build"]
    assert job["strategy"]["matrix"]["target"] == list(TARGETS)
    (build,) = (step["with"] for step in job["steps"] if "build-push" in step.get("uses", ""))
    assert build["context"] == "."
    stages = {stage for stage, _, _ in instructions()}
    assert set(TARGETS) <= stages


def test_the_image_for_ray_has_what_a_head_and_its_operator_ask_for():
    """Ray's job API and dashboard; wget, which KubeRay's probes call; `ray` for a login shell."""
    (install,) = of("build-ray", "RUN")
    wanted = set(re.findall(r"[\w-]+", re.search(r"\.\[([^]]*)\]", install)[1]))
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"
    ]
    assert wanted <= set(extras)
    assert "ray-cluster" in wanted
    assert any(one.startswith("ray[default]") for one in extras["ray-cluster"])
    assert " wget " in of("ray", "RUN")[0]
    assert "/etc/profile.d/" in of("machine", "RUN")[0]


def test_without_a_target_it_is_the_one_for_pipelines():
    assert instructions()[-1][0] == "runtime"


# The dev container

# No package has the published schema, so this is written after the reference at containers.dev, of just what is used
# here; anything else is a slip of the pen.
PORT = {"type": "integer", "minimum": 1, "maximum": 65535}
DEV_CONTAINER = {
    "type": "object",
    "additionalProperties": False,
    "required": ["name", "build"],
    "properties": {
        "name": {"type": "string"},
        "build": {
            "type": "object",
            "additionalProperties": False,
            "required": ["dockerfile"],
            "properties": {key: {"type": "string"} for key in ("dockerfile", "context", "target")},
        },
        "remoteUser": {"type": "string"},
        "updateRemoteUserUID": {"type": "boolean"},
        "postCreateCommand": {"type": "array", "items": {"type": "string"}, "minItems": 1},
        "forwardPorts": {"type": "array", "items": PORT, "uniqueItems": True},
        "portsAttributes": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {
                r"^\d+$": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "label": {"type": "string"},
                        "onAutoForward": {
                            "enum": [
                                "notify",
                                "openBrowser",
                                "openBrowserOnce",
                                "openPreview",
                                "silent",
                                "ignore",
                            ]
                        },
                    },
                }
            },
        },
        "customizations": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "vscode": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "extensions": {
                            "type": "array",
                            "items": {"type": "string", "pattern": r"^[\w-]+\.[\w-]+$"},
                        },
                        "settings": {"type": "object"},
                    },
                }
            },
        },
    },
}


def test_the_dev_container_is_what_the_reference_allows():
    jsonschema.validate(
        json.loads((ROOT / ".devcontainer/devcontainer.json").read_text()), DEV_CONTAINER
    )


def test_the_dev_container_is_of_a_stage_that_there_is_and_reaches_the_services():
    container = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text())
    build = container["build"]
    folder = ROOT / ".devcontainer"
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / build["context"]).resolve() == ROOT
    assert build["target"] in {stage for stage, _, _ in instructions()}
    assert f"--create-home {container['remoteUser']}" in " ".join(of("machine", "RUN"))
    command, *targets = container["postCreateCommand"]
    subprocess.run([command, "--dry-run", *targets], cwd=ROOT, capture_output=True, check=True)
    said = (ROOT / ".env.docker").read_text()
    for port in container["forwardPorts"]:
        assert f":-{port}}}" in said, "the ports of make services"
    assert set(container["portsAttributes"]) == set(map(str, container["forwardPorts"]))


# What it does


@pytest.mark.slow
def test_its_commands_install_a_dreg_that_anybody_may_run(tmp_path):
    """The build stage's own commands, with other folders: this machine's Python stands in for the base's."""
    source, target = tmp_path / "src", tmp_path / "opt" / "dreg"
    source.mkdir()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("VIRTUAL_ENV")}
    environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment["PATH"]])
    for stage, word, rest in instructions():
        if stage != "build":
            continue
        if word == "ENV":
            said = dict(one.split("=", 1) for one in shlex.split(rest))
            environment |= {name: value for name, value in said.items() if name not in SAVING}
        elif word == "COPY":
            *names, place = rest.split()
            for name in names:
                to = source / place / name if place.endswith("/") else source / place
                copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy2
                copy(ROOT / name, to)
        elif word == "RUN":
            command = rest.replace("/opt/dreg", str(target))
            done = subprocess.run(
                ["sh", "-c", command], cwd=source, env=environment, capture_output=True, text=True, check=False
            )  # fmt: skip
            assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    readable = stat.S_IROTH
    for path in target.rglob("*"):
        mode = path.lstat().st_mode
        wanted = readable | stat.S_IXOTH if stat.S_ISDIR(mode) else readable
        assert stat.S_ISLNK(mode) or mode & wanted == wanted, f"{path} is not for everybody"
    outside = {"PATH": f"{target}/bin:{os.environ['PATH']}", "HOME": str(tmp_path / "home")}
    (tmp_path / "home").mkdir()

    def run(*words: str, folder: Path = tmp_path / "home") -> str:
        done = subprocess.run(
            words, cwd=folder, env={**outside, **identity()}, capture_output=True, text=True, check=False
        )  # fmt: skip
        assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done.stdout

    assert __version__ in run("dreg", "--version")
    assert "run" in run(*json.loads(of("machine", "CMD")[0]))
    run("dreg", "init", "registry")
    registry = tmp_path / "home" / "registry"
    run("dreg", "new", "trees", "--kind", "tabular", folder=registry)
    assert "trees" in run("dreg", "run", "trees", folder=registry)


def identity() -> dict[str, str]:
    return {name: os.environ[name] for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM")}


def buildah(*arguments: str) -> str:
    if shutil.which("buildah") is None:
        pytest.skip("buildah is not installed: apt-get install buildah")
    done = subprocess.run(
        ["buildah", "--storage-driver", "vfs", *arguments], cwd=ROOT, capture_output=True, text=True, check=False,
        timeout=900,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(
            f"buildah {' '.join(arguments)}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
        )
    return done.stdout.strip()


@pytest.fixture(scope="session")
def base() -> str:
    """The base image: that which IMAGE_BASE names, or the pinned one if it can be pulled."""
    if named := os.environ.get(BASE):
        return named
    pinned = of("", "ARG")[0].removeprefix("BASE=")
    try:
        buildah("pull", "--quiet", f"docker.io/library/{pinned}")
    except AssertionError as error:
        pytest.skip(f"the base image cannot be pulled: {str(error).strip().splitlines()[-1]}")
    return pinned


@pytest.mark.slow
@pytest.mark.parametrize("target", ["runtime", "development"])
def test_it_is_built_and_its_dreg_runs_as_nobody_special(base, target, request):
    name = f"localhost/dreg-test-{target}"
    options = ("--isolation", "chroot", "--pull-never", "--build-arg", f"BASE={base}")
    buildah("build", *options, "--target", target, "--tag", name, ".")
    request.addfinalizer(lambda: buildah("rmi", "--force", name))
    container = buildah("from", "--pull-never", name)
    request.addfinalizer(lambda: buildah("rm", container))
    about = json.loads(buildah("inspect", container))["Docker"]["config"]
    assert about["User"] == "1000:1000"

    def run(*words: str) -> str:
        return buildah("run", "--isolation", "chroot", container, "--", *words)

    assert run("id", "-u") == "1000"
    assert run("pwd") == "/home/dreg"
    if target == "development":
        assert "GNU Make" in run("make", "--version")
        return
    assert __version__ in run("dreg", "--version")
    assert __version__ in run("bash", "-lc", "dreg --version")
    script = "git config --global user.name A && git config --global user.email a@example.com && dreg init r"
    run("sh", "-c", script)
    assert "trees" in run("sh", "-c", "cd r && dreg new trees --kind tabular && dreg run trees")
