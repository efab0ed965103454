"""The workflow files: what they are written from, what linters say, and each one run for real."""

from __future__ import annotations

import base64
import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from dreg.ci.rendering import FROM_INDEX, for_cluster, workflows
from dreg.core.ci.compute import COMPUTE_TYPES
from dreg.core.ci.workflows import ACTIONS, BACKEND, DATASET, RUN_INPUTS, filled
from dreg.core.manifest import trailers
from dreg.errors import BadRequest
from dreg.registry import Registry
from tests import git_server
from tests.ci_jobs import states
from tests.comments_server import TOKEN
from tests.kubernetes_server import TOKEN as KUBERNETES_TOKEN
from tests.s3_server import SECRET
from tests.small_registry import NAME
from tests.test_release import tag_message
from tests.workflows import acting, tool

OURS = Path(__file__).parents[1]
FILES = workflows(own=True)
names = pytest.mark.parametrize("path", sorted(FILES))


def read(path):
    return yaml.safe_load(FILES[path])


def jobs(path):
    return read(path)["jobs"]


def on(path):
    return read(path)[True]  # YAML takes `on` for yes


def test_one_dataset_that_fails_ends_no_other_one_s_job():
    matrices = {
        (path, name): job["strategy"]["fail-fast"]
        for path in FILES
        for name, job in jobs(path).items()
        if "strategy" in job
    }
    assert any("run-data-pipelines" in path for path, _ in matrices)
    assert not any(matrices.values())


@names
def test_what_releases_or_comments_is_never_cancelled_by_a_later_run(path):
    """GitHub keeps one run waiting in a group and drops the others: releases are in none."""
    group = read(path).get("concurrency")
    if Path(path).name.startswith("run-"):
        assert group is None
    elif group is not None:
        reads = "comment" not in path
        assert group["cancel-in-progress"] is reads


# What they are written from


def test_what_is_committed_is_what_the_model_makes():
    there = {f".github/workflows/{p.name}" for p in (OURS / ".github/workflows").iterdir()}
    assert there == set(FILES)
    assert {path: (OURS / path).read_text() for path in FILES} == FILES


def test_a_registry_gets_those_that_are_not_dregs_own():
    assert set(FILES) - set(workflows(own=False)) >= {".github/workflows/ci.yaml"}


def test_render_writes_what_is_otherwise_and_check_names_it(registry):
    path = registry.path / ".github/workflows/data-review.yaml"
    path.write_text("name: other\n")
    done = registry.dreg("ci", "render", "--check")
    assert (done.code, path.read_text()) == (1, "name: other\n")
    assert "  .github/workflows/data-review.yaml\n\nhint: write them: dreg ci render" in done.stderr
    assert registry.ok("ci", "render").stdout == "wrote .github/workflows/data-review.yaml\n"
    assert registry.git("status", "--porcelain") == ""
    registry.ok("ci", "render", "--check")


def test_a_mark_that_the_model_lacks_is_told():
    with pytest.raises(BadRequest, match="no workflow has `<<nothing>>`"):
        filled("run: <<nothing>>\n", "true")


def test_every_input_has_the_same_default_by_hand_and_at_night():
    declared = on(".github/workflows/run-data-pipelines.yaml")["workflow_dispatch"]["inputs"]
    assert set(declared) == {one.name for one in (*RUN_INPUTS, BACKEND)}
    assert declared["compute-type"]["options"] == list(COMPUTE_TYPES)
    environment = {}
    for job in jobs(".github/workflows/run-data-pipelines.yaml").values():
        environment |= job.get("env", {})
        for step in job["steps"]:
            environment |= step.get("env", {})
    said = "\n".join(map(str, environment.values()))
    for name, one in declared.items():
        default = one["default"]
        word = str(default).lower() if isinstance(default, bool) else default
        assert re.search(rf"inputs(\.{name}|\['{name}'\]) \|\| '{word}'", said) or name in (
            "pipelines",
            "backend",
        )
        assert "options" not in one or default in one["options"]


@names
def test_actions_are_pinned_and_commands_take_no_expression(path):
    known = {f"{action.name}@{action.commit}" for action in ACTIONS.values()}
    assert read(path)["permissions"] == {}
    for job in jobs(path).values():
        assert "permissions" in job
        assert job["timeout-minutes"]
        for step in job["steps"]:
            assert "${{" not in step.get("run", "")
            assert step.get("uses", next(iter(known))) in known
    for used in re.findall(r"uses: (.*)", FILES[path]):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", used)


def test_only_who_needs_them_has_secrets_and_rights():
    for path, text in FILES.items():
        name = Path(path).stem
        rights = {right for job in jobs(path).values() for right in job["permissions"].items()}
        writes = {right for right, how in rights if how == "write"}
        if "pull_request" in on(path):
            assert "secrets." not in text
            assert writes == set()
        assert ("contents" in writes) == (name in ("run-data-pipelines", "run-embeddings-pipeline"))
        assert ("pull-requests" in writes) == (name == "data-review-comment")


@names
def test_keys_are_in_the_step_that_needs_them_and_in_no_other(path):
    for job in jobs(path).values():
        assert not re.search(r"secrets\.|github\.token", json.dumps(job.get("env", {})))
        for step in job["steps"]:
            given = json.dumps(step.get("env", {}))
            if re.search(r"secrets\.|github\.token", given):
                assert re.match(r"(exec )?dreg |\(umask 077 && printenv", step["run"]), step["run"]
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False


def test_nights_are_off_the_hour_and_embeddings_and_clusters_begin_when_others_are_through():
    data, embeddings = (
        on(f".github/workflows/run-{name}.yaml")["schedule"][0]["cron"]
        for name in ("data-pipelines", "embeddings-pipeline")
    )
    (cluster,) = yaml.safe_load(for_cluster()["deploy/argo/nightly.yaml"])["spec"]["schedules"]
    times = [tuple(map(int, one.split()[1::-1])) for one in (data, cluster, embeddings)]
    assert times == sorted(set(times)), "one after the other"
    assert all(minute not in (0, 30) for _, minute in times)


# What linters say


def lint(*command):
    done = subprocess.run(command, cwd=OURS, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_actionlint_finds_nothing():
    lint(tool("actionlint"), *sorted(FILES))


def test_zizmor_finds_nothing_above_low():
    lint(tool("zizmor"), "--offline", "--quiet", "--min-severity=medium", *sorted(FILES))


def test_they_are_of_githubs_schema():
    lint(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *sorted(FILES))


# Each one run


@pytest.fixture
def on_s3(registry, s3):
    """A registry whose bytes go to the bucket that its repository's variables name, and act for it."""
    registry.edit(".dvc/config", "url = s3://dvcstore", f"url = {s3.url}")
    registry.edit(".dvc/config", "endpointurl = .*9000", f"endpointurl = {s3.endpoint}")
    registry.git("remote", "set-url", "origin", str(registry.remote))  # from wherever act works
    registry.commit_all()
    registry.git("push", "-q")
    keys = {key: s3.environment[key] for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
    act = acting(registry, secrets=keys, variables={"DREG_REMOTE": "local"})
    return registry, act


def tip(registry):
    return registry.git("rev-parse", "main", folder=registry.remote)


def result(act, number=0):
    return json.loads((act.artifacts / f"result-{number}" / "result.json").read_text())


def follow(registry):
    registry.git("pull", "-q", "--tags")


@pytest.mark.slow
def test_at_night_what_is_new_is_released_and_then_nothing(on_s3):
    registry, act = on_s3
    night = act.run("schedule", "run-data-pipelines")
    assert night.code == 0, night.log
    assert registry.remote_tags() == ["toy-v1.0.0"]
    assert states(result(act)) == {NAME: "changed"}
    assert "Summary - ### 1 dataset released" in night.log
    assert SECRET not in night.log
    follow(registry)
    assert "Dreg-Automated: github-actions schedule" in tag_message(registry, "toy-v1.0.0")
    before = tip(registry)
    again = act.run("schedule", "run-data-pipelines")
    assert again.code == 0, again.log
    assert states(result(act)) == {NAME: "unchanged"}
    assert (tip(registry), registry.remote_tags()) == (before, ["toy-v1.0.0"])
    assert not registry.store.exists()


SPY = """\
import json, os, pathlib

def seen():
    pathlib.Path({seen!r}).write_text(json.dumps(dict(os.environ)))

def get_requires_for_build_wheel(config_settings=None):
    seen()
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    about = pathlib.Path(folder) / "spy-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\\nName: spy\\nVersion: 1\\n")
    return about.name
"""


@pytest.mark.slow
def test_what_is_installed_finds_no_key_and_only_the_releasing_step_may_push(
    on_s3, s3, monkeypatch
):
    """A package that looks at the environment while it is installed, and a git server that wants a token."""
    registry, act = on_s3
    seen = registry.home / "seen.json"
    spy = registry.path / "spy"
    spy.mkdir()
    (spy / "spy.py").write_text(SPY.format(seen=str(seen)))
    (spy / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "spy"\nbackend-path = ["."]\n'
    )
    with (registry.path / "requirements.txt").open("a") as file:
        file.write("./spy\n")
    registry.commit_all()
    registry.git("push", "-q")
    token = "a-token-that-may-push"
    allowed = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    monkeypatch.setattr(git_server, "ALLOWED", f"Basic {allowed}")
    registry.git("config", "http.receivepack", "true", folder=registry.remote)
    act.secrets = {**act.secrets, "GITHUB_TOKEN": token}
    with git_server.serving(registry.home) as address:
        server = f"http://{address}"
        registry.git("remote", "set-url", "origin", f"{server}/registry.git")
        act.environment = {"GITHUB_SERVER_URL": server, "PIP_DRY_RUN": "1"}
        night = act.run("schedule", "run-data-pipelines")
    assert night.code == 0, night.log
    assert registry.remote_tags() == ["toy-v1.0.0"]
    found = json.loads(seen.read_text())
    assert "GITHUB_JOB" in found, "it was installed in a job"
    text = json.dumps(found)
    assert [key for key in (SECRET, token, act.secrets["AWS_ACCESS_KEY_ID"]) if key in text] == []
    kept = (registry.path / ".git/config").read_text()
    assert "extraheader" not in kept
    assert token not in night.log


@pytest.mark.slow
def test_at_night_embeddings_are_released_and_loaded_where_there_is_a_postgres(on_s3):
    registry, act = on_s3
    name, path = DATASET.default, "run-embeddings-pipeline.yaml"
    made = filled((OURS / "dreg/templates/workflows" / path).read_text(), FROM_INDEX)
    (registry.path / ".github/workflows" / path).write_text(made)
    registry.ok("new", name, "--kind", "tabular")
    registry.commit_all()
    registry.git("push", "-q")
    night = act.run("schedule", "run-embeddings-pipeline")
    assert (night.code, registry.remote_tags()) == (0, []), night.log
    act.variables = {**act.variables, "PGVECTOR_HOST": "127.0.0.1"}
    night = act.run("schedule", "run-embeddings-pipeline")
    assert registry.remote_tags() == [f"{name}-v1.0.0"], night.log
    follow(registry)  # act checks out what is here, and tags are what releases are
    night = act.run("schedule", "run-embeddings-pipeline")
    assert states(result(act)) == {name: "unchanged"}
    loading = night.log.partition("Main dreg vectors load")[2]
    assert f"{name} 1.0.0 has no column of vectors" in loading, night.log[-2000:]


@pytest.mark.slow
def test_by_hand_the_inputs_are_what_counts(on_s3):
    registry, act = on_s3
    registry.ok("new", "other", "--kind", "tabular")
    registry.commit_all()
    registry.git("push", "-q")
    chosen = {"pipelines": "other", "bump": "auto", "compute_type": "cpu-medium", "force": "true"}
    run = act.run("workflow_dispatch", "run-data-pipelines", **chosen)
    assert run.code == 0, run.log
    assert registry.remote_tags() == ["other-v1.0.0"]
    assert result(act)["compute_type"] == "cpu-medium"
    follow(registry)
    said = trailers(tag_message(registry, "other-v1.0.0"))["Dreg-Automated"]
    assert said.startswith("github-actions workflow_dispatch ")


@pytest.mark.slow
def test_with_the_backend_argo_the_cluster_runs_them_and_the_job_tells_what_was_released(
    on_s3, kubernetes
):
    registry, act = on_s3
    outcome = {"datasets": [{"dataset": NAME, "state": "changed", "tag": "toy-v1.0.0", "why": ""}]}
    outputs = {"exitCode": "0", "parameters": [{"name": "result", "value": json.dumps(outcome)}]}
    node = {"type": "Pod", "phase": "Succeeded", "outputs": outputs}
    kubernetes.plays = [{"phase": "Running"}, {"phase": "Succeeded", "nodes": {"a": node}}]
    act.secrets = {
        **act.secrets,
        "DREG_KUBECONFIG": kubernetes.kubeconfig(registry.home).read_text(),
    }
    run = act.run(
        "workflow_dispatch", "run-data-pipelines", pipelines=NAME, backend="argo", bump="minor"
    )
    assert run.code == 0, run.log
    assert "Main exec dreg ci" not in run.log, "nothing runs here"
    (workflow,) = (one for (kind, _), one in kubernetes.objects.items() if kind == "workflows")
    given = {one["name"]: one["value"] for one in workflow["spec"]["arguments"]["parameters"]}
    assert (given["pipelines"], given["bump"]) == (NAME, "minor")
    assert "<code>toy-v1&#46;0&#46;0</code>" in run.log
    assert KUBERNETES_TOKEN not in run.log
    kubernetes.plays = [{"phase": "Failed", "message": "no luck"}]
    run = act.run(
        "workflow_dispatch", "run-data-pipelines", pipelines=NAME, backend="argo", bump="major"
    )
    assert run.code != 0
    assert "no luck" in run.log


@pytest.mark.slow
def test_a_hostile_input_is_a_name_that_no_dataset_has(on_s3):
    registry, act = on_s3
    name = 'toy"; touch ../pwned; echo "$(touch pwned)'
    run = act.run("workflow_dispatch", "run-data-pipelines", pipelines=name)
    assert run.code != 0
    assert 'no dataset named `toy";`' in run.log
    assert not list(registry.home.rglob("pwned"))
    assert registry.remote_tags() == []


@pytest.mark.slow
def test_a_pull_request_is_reviewed_without_secrets_and_commented_with_rights(
    on_s3, s3, pull_request
):
    registry, act = on_s3
    registry.environment.update(s3.environment, DREG_REMOTE="local")
    registry.release()
    base = tip(registry)
    registry.git("switch", "-q", "-c", "topic")
    registry.drop_column("leaf_mm")
    registry.ok("run", NAME, "--push")
    registry.commit_all()
    head = registry.git("rev-parse", "HEAD")
    event = {
        "action": "opened",
        "number": 7,
        "pull_request": {"number": 7, "base": {"sha": base, "ref": "main"}, "head": {"sha": head, "ref": "topic"}},
    }  # fmt: skip
    review = act.run("pull_request", "data-review", payload=event)
    assert review.code == 0, review.log
    assert SECRET not in review.log
    (one,) = json.loads((act.artifacts / "data-review" / "review.json").read_text())["datasets"]
    assert (one["name"], one["next"]) == (NAME, "2.0.0")
    assert any("could not be compared" in text for text in one["unseen"]), "it has no keys"

    pull_request.head = head
    registry.git("switch", "-q", "main")
    finished = {
        "action": "completed",
        "workflow_run": {
            "id": 1,
            "event": "pull_request",
            "conclusion": "success",
            "head_sha": head,
        },
    }
    act.secrets = {**act.secrets, "GITHUB_TOKEN": TOKEN}
    act.environment = {"GITHUB_API_URL": pull_request.url, "GITHUB_REPOSITORY": "acme/registry"}
    comment = act.run("workflow_run", "data-review-comment", payload=finished)
    assert comment.code == 0, comment.log
    (written,) = pull_request.comments.values()
    assert "2&#46;0&#46;0" in written["body"]
    failed = {**finished, "workflow_run": {**finished["workflow_run"], "conclusion": "failure"}}
    assert act.run("workflow_run", "data-review-comment", payload=failed).code == 0
    assert len(pull_request.comments) == 1


@pytest.mark.slow
def test_the_projects_own_checks_are_run_in_every_python(registry):
    act = acting(registry)
    path = ".github/workflows/ci.yaml"
    (registry.path / path).write_text(FILES[path])
    said = registry.home / "said"
    (registry.path / "Makefile").write_text(
        "neighbours test check:\n" + f'\t@echo "$@ $$UV_TORCH_BACKEND" >> {said}\n'
    )
    registry.commit_all()
    run = act.run("push", "ci")
    assert run.code == 0, run.log
    done = said.read_text().splitlines()
    assert sorted(done) == sorted(["neighbours cpu", "test ", "check "] * 2)
    assert (done[0], done[-1]) == ("neighbours cpu", "check ")


@pytest.mark.slow
def test_images_are_built_pushed_and_attested_by_their_digest(registry):
    act = acting(registry)
    path = ".github/workflows/image.yaml"
    (registry.path / path).write_text(FILES[path])
    registry.commit_all()
    registry.git("tag", "v1.2.0")
    act.environment = {"GITHUB_REPOSITORY": "OpenCloudHub/Data-Registry"}
    run = act.run("push", "image", payload={"ref": "refs/tags/v1.2.0"})
    assert run.code == 0, run.log
    said = (act.home / "said").read_text()
    name = "ghcr.io/opencloudhub/data-registry"
    for target in ("runtime", "ray"):
        assert f'"tags": "{name}:{target}-v1.2.0"' in said
        assert f'"target": "{target}"' in said
    assert said.count('"subject-digest": "sha256:cafe"') == 2
    assert said.count(f'"subject-name": "{name}"') == 2
    assert f"{name}@sha256:cafe" in run.log
    branch = {"ref": "refs/heads/feature/Größe+1"}
    run = act.run("workflow_dispatch", "image", payload=branch)
    assert run.code == 0, run.log
    (tag,) = re.findall(rf'"tags": "{name}:(ray-f\S*)"', (act.home / "said").read_text())
    assert tag == "ray-feature-Gr----e-1"
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}", tag), "by the specification of images"


@pytest.mark.slow
def test_embeddings_are_made_in_the_image_of_that_tag_by_the_name_that_images_have(on_s3):
    """act would start it by docker, which is not here: it says what it would have pulled."""
    registry, act = on_s3
    path = "run-embeddings-pipeline.yaml"
    made = filled((OURS / "dreg/templates/workflows" / path).read_text(), FROM_INDEX)
    (registry.path / ".github/workflows" / path).write_text(made)
    registry.commit_all()
    act.environment = {"GITHUB_REPOSITORY": "OpenCloudHub/Data-Registry"}
    act.secrets = {**act.secrets, "GITHUB_TOKEN": TOKEN}
    chosen = {"dataset": NAME, "image_tag": "ray-feature/x", "load": "false"}
    run = act.run("workflow_dispatch", "run-embeddings-pipeline", **chosen)
    assert run.code != 0
    assert "ghcr.io/opencloudhub/data-registry:ray-feature-x" in run.log
    assert registry.remote_tags() == []


@pytest.mark.slow
def test_embeddings_are_released_and_loaded_or_just_loaded(on_s3):
    registry, act = on_s3
    path = "run-embeddings-pipeline.yaml"
    made = filled((OURS / "dreg/templates/workflows" / path).read_text(), FROM_INDEX)
    (registry.path / ".github/workflows" / path).write_text(made)
    registry.commit_all()
    registry.git("push", "-q")
    chosen = {"dataset": NAME, "compute_type": "gpu-small", "load": "false"}
    run = act.run("workflow_dispatch", "run-embeddings-pipeline", **chosen)
    assert run.code == 0, run.log
    assert registry.remote_tags() == ["toy-v1.0.0"]
    assert result(act)["compute_type"] == "gpu-small"
    follow(registry)
    before = tip(registry)
    back = {**chosen, "data_version": '1.0.0"; touch ../pwned; "', "load": "true"}
    run = act.run("workflow_dispatch", "run-embeddings-pipeline", **back)
    assert run.code != 0
    assert "Main dreg vectors load" in run.log
    assert "dreg ci run" not in run.log
    assert "is not a version range" in run.log
    assert (tip(registry), list(registry.home.rglob("pwned"))) == (before, [])


def test_this_repository_is_a_registry_that_can_be_planned():
    assert set(Registry(OURS).names) >= {"wine-quality", "fashion-mnist"}
