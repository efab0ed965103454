"""`dreg ci run`: what an automated run does and tells, from checkouts as runners make them."""

from __future__ import annotations

import jsonschema
import pytest

from dreg.core.ci.compute import COMPUTE_TYPES
from dreg.core.ci.result_schema import result_schema
from dreg.core.manifest import trailers
from tests import git_server
from tests.ci_jobs import job, states
from tests.small_registry import NAME
from tests.test_release import tag_message

SHARE = "validation_share: .*"


def one(result):
    (dataset,) = result["datasets"]
    return dataset


def push(registry, message="by hand"):
    registry.git("add", "--all")
    registry.git("commit", "-q", "-m", message)
    registry.git("push", "-q")


def change(registry, share="0.5"):
    """Another parameter, pushed: something to release."""
    registry.edit(f"pipelines/{NAME}/params.yaml", SHARE, f"validation_share: {share}")
    push(registry)


def tip(registry):
    return registry.git("rev-parse", "main", folder=registry.remote)


def test_a_fresh_checkout_is_run_and_released(registry):
    ran = job(registry)
    result = ran.run()
    jsonschema.validate(result, result_schema())
    assert states(result) == {NAME: "changed"}
    assert (one(result)["tag"], result["exit_code"]) == ("toy-v1.0.0", 0)
    assert one(result)["stages"] == ["download", "process", "analyze"]
    assert registry.remote_tags() == ["toy-v1.0.0"]
    assert tip(registry) == one(result)["commit"]
    assert ran.outputs == {"changed": True, "tags": ["toy-v1.0.0"], "states": {NAME: "changed"}}
    assert "### 1 dataset released" in ran.summary
    assert "<code>toy-v1&#46;0&#46;0</code>" in ran.summary


def test_the_tag_says_which_run_made_it_and_the_version_does_not(registry):
    job(registry).run(GITHUB_RUN_ATTEMPT="3")
    registry.git("fetch", "-q", "--tags")
    said = trailers(tag_message(registry, "toy-v1.0.0"))
    where = "https://github.example/acme/registry/actions/runs/42/attempts/3"
    assert said["Dreg-Automated"] == f"github-actions schedule {where}"
    registry.git("pull", "-q")
    assert registry.ok("show", NAME, "--json").json["why"]["automated"] == said["Dreg-Automated"]
    change(registry)
    registry.release()
    assert "Dreg-Automated" not in trailers(tag_message(registry, "toy-v2.0.0"))


def test_with_nothing_new_there_is_no_commit_no_tag_and_nothing_is_fetched(registry):
    job(registry, "first").run()
    before, objects = tip(registry), sorted(registry.store.rglob("*"))
    again = job(registry, "second")
    result = again.run()
    assert states(result) == {NAME: "unchanged"}
    assert (one(result)["version"], one(result)["stages"]) == ("1.0.0", [])
    assert (tip(registry), registry.remote_tags()) == (before, ["toy-v1.0.0"])
    assert sorted(registry.store.rglob("*")) == objects
    assert not (again.path / "data" / NAME / "processed").exists()
    assert again.outputs["changed"] is False
    assert "### 0 datasets released" in again.summary


def test_only_what_changed_runs_and_the_rest_is_got_from_the_remote(registry):
    job(registry, "first").run()
    registry.git("pull", "-q")
    registry.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", "title: Plants")
    push(registry)
    result = job(registry, "second").run()
    assert one(result)["stages"] == ["analyze"]
    assert one(result)["state"] == "changed"


def test_the_bytes_are_got_from_the_remote_that_the_environment_names(registry, s3):
    registry.edit(".dvc/config", "url = s3://dvcstore", f"url = {s3.url}")
    registry.edit(".dvc/config", "endpointurl = .*9000", f"endpointurl = {s3.endpoint}")
    push(registry)
    for number, remote in enumerate(({"DREG_REMOTE": "local"}, {"DREG_REMOTE": s3.url})):
        where = {**s3.environment, **remote, "AWS_ENDPOINT_URL": s3.endpoint}
        job(registry, f"first-{number}").run(**where)
        registry.git("pull", "-q")
        registry.edit(f"pipelines/{NAME}/dataset.yaml", "^title: .*", f"title: Plants {number}")
        push(registry)
        result = job(registry, f"second-{number}").run(**where, RUNNER_ENVIRONMENT="github-hosted")
        assert one(result)["stages"] == ["analyze"]
        registry.git("pull", "-q")
    assert not registry.store.exists()


def test_a_disk_that_is_gone_with_the_runner_is_refused(registry):
    result = job(registry).run(code=2, RUNNER_ENVIRONMENT="github-hosted")
    jsonschema.validate(result, result_schema())
    assert result["datasets"] == []
    assert "gone when the run ends" in result["error"]["fact"]
    assert "DREG_REMOTE" in result["error"]["hint"]
    assert registry.remote_tags() == []


def test_a_summary_that_cannot_be_written_is_told_and_fails_nothing(registry):
    work = job(registry)
    done = work.dreg("ci", "run", NAME, GITHUB_STEP_SUMMARY="/dev/full")
    assert done.code == 0, done.stderr
    assert "warning: the job's summary cannot be written: No space left on device" in done.stderr
    assert work.outputs["changed"] is True


def test_one_that_is_refused_keeps_no_other_from_its_release(registry):
    registry.ok("new", "other", "--kind", "tabular")
    contract = registry.path / "pipelines" / NAME / "dataset.yaml"
    contract.write_text(f"{contract.read_text()}  min_samples: {{val: 1000}}\n")
    push(registry)
    ran = job(registry)
    result = ran.run(code=1)
    jsonschema.validate(result, result_schema())
    assert states(result) == {NAME: "refused", "other": "changed"}
    refused = next(d for d in result["datasets"] if d["dataset"] == NAME)
    assert refused["why"] == "`toy` does not pass its gates"
    assert "--allow min_samples" in refused["hint"]
    assert any("min_samples" in line for line in refused["details"])
    assert registry.remote_tags() == ["other-v1.0.0"]
    assert "does not pass its gates" in ran.summary
    assert "allow min&#95;samples" in ran.summary


def test_one_that_fails_stops_those_made_from_it_only(registry):
    registry.ok("new", "other", "--kind", "tabular")
    registry.ok("new", "child", "--kind", "tabular")
    registry.edit("pipelines/child/dataset.yaml", "^title: .*", "title: Child\nupstream: [toy]")
    script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
    script.write_text("raise SystemExit('no luck')\n")
    push(registry)
    result = job(registry).run(code=3)
    jsonschema.validate(result, result_schema())
    assert states(result) == {NAME: "failed", "other": "changed", "child": "failed"}
    child = next(d for d in result["datasets"] if d["dataset"] == "child")
    assert child["why"] == "needs toy"
    assert registry.remote_tags() == ["other-v1.0.0"]


def test_a_push_that_the_server_declines_loses_nothing_and_the_next_run_completes_it(registry):
    hook = registry.remote / "hooks" / "update"
    hook.write_text('#!/bin/sh\ncase "$1" in refs/tags/*) echo no tags; exit 1;; esac\n')
    hook.chmod(0o755)
    before = tip(registry)
    result = job(registry, "first").run(code=1)
    assert states(result) == {NAME: "refused"}
    assert (tip(registry), registry.remote_tags()) == (before, [])
    hook.unlink()
    assert one(job(registry, "second").run())["tag"] == "toy-v1.0.0"
    assert registry.remote_tags() == ["toy-v1.0.0"]


def test_what_somebody_else_changed_meanwhile_is_run_again_from_there(registry):
    behind = job(registry, "behind")
    change(registry)
    assert one(job(registry, "ahead").run())["version"] == "1.0.0"
    released = tip(registry)
    done = behind.run()
    assert (one(done)["state"], one(done)["version"]) == ("unchanged", "1.0.0")
    assert tip(registry) == released
    assert registry.git("rev-parse", "HEAD", folder=behind.path) == released
    assert registry.git("status", "--porcelain", folder=behind.path) == ""


def test_what_is_made_from_what_was_run_again_is_made_and_released_too(registry):
    registry.ok("new", "child", "--kind", "tabular")
    registry.edit("pipelines/child/dataset.yaml", "^title: .*", "title: Child\nupstream: [toy]")
    push(registry)
    behind = job(registry, "behind")
    change(registry)
    job(registry, "ahead").run(NAME)
    assert states(behind.run()) == {NAME: "unchanged", "child": "changed"}
    assert registry.remote_tags() == ["child-v1.0.0", "toy-v1.0.0"]


BUSY = """\
#!/bin/sh
unset GIT_DIR GIT_QUARANTINE_PATH GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
[ -n "$NESTED" ] && exit 0
export NESTED=1
echo x >> {count}
rm -rf {clone} && git clone -q "$PWD" {clone} && cd {clone} || exit 1
sed -i "s/validation_share: .*/validation_share: 0.1$(wc -l < {count})/" pipelines/toy/params.yaml
git commit -qam "by somebody" && git push -q >&2
"""


@pytest.mark.slow
def test_what_others_change_at_every_attempt_is_stale_and_no_success(registry):
    """Each push finds that somebody has just pushed another change of the same dataset."""
    count = registry.home / "count"
    hook = registry.remote / "hooks" / "pre-receive"
    hook.write_text(BUSY.format(count=count, clone=registry.home / "somebody"))
    hook.chmod(0o755)
    registry.git("config", "http.receivepack", "true", folder=registry.remote)
    ran = job(registry)
    with git_server.serving(registry.home) as server:
        address = f"http://{git_server.USER}:{git_server.PASSWORD}@{server}/registry.git"
        registry.git("remote", "set-url", "origin", address, folder=ran.path)
        result = ran.run(code=1)
    jsonschema.validate(result, result_schema())
    assert (states(result), result["exit_code"]) == ({NAME: "stale"}, 1), one(result)["details"]
    assert one(result)["why"]
    assert one(result)["hint"]
    assert "stale" in ran.summary
    assert len(count.read_text().split()) == 3, "it was tried again"
    assert registry.remote_tags() == []
    hook.unlink()
    assert states(job(registry, "calm").run()) == {NAME: "changed"}


def test_a_checkout_that_a_person_changed_is_stale_and_keeps_the_change(registry):
    behind = job(registry, "behind")
    params = behind.path / "pipelines" / NAME / "params.yaml"
    params.write_text(params.read_text() + "# mine\n")
    change(registry)
    job(registry, "ahead").run()
    result = behind.run(code=1)
    jsonschema.validate(result, result_schema())
    assert one(result)["state"] == "stale"
    assert "was changed on `origin/main`" in one(result)["why"]
    assert one(result)["hint"]
    assert params.read_text().endswith("# mine\n")


def test_names_options_and_compute_type_come_from_the_environment(registry):
    registry.ok("new", "other", "--kind", "tabular")
    script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
    script.write_text(
        f"import os\nprint('given', os.environ['DREG_CPUS'], os.environ['DREG_GPUS'])\n{script.read_text()}"
    )
    push(registry)
    ran = job(registry, "first")
    result = ran.run(
        DREG_DATASETS=NAME, DREG_BUMP="auto", DREG_COMPUTE_TYPE="gpu-small", DREG_FORCE="false"
    )
    assert states(result) == {NAME: "changed"}
    assert result["compute_type"] == "gpu-small"
    given = COMPUTE_TYPES["gpu-small"]
    assert f"given {given.cpus} {given.gpus}\n" in (ran.path / one(result)["log"]).read_text()
    forced = job(registry, "second").run(DREG_DATASETS=NAME, DREG_FORCE="true")
    assert (one(forced)["state"], len(one(forced)["stages"])) == ("unchanged", 3)
    registry.git("pull", "-q")
    registry.edit(f"pipelines/{NAME}/dataset.yaml", r"range: \[0, 500\]", "range: [0, 900]")
    push(registry)
    raised = job(registry, "third").run(DREG_DATASETS=NAME, DREG_BUMP="minor")
    assert one(raised)["version"] == "1.1.0"


@pytest.mark.parametrize("names", ['x"; touch pwned; echo "', "$(touch pwned)", "../../etc", "-rf"])
def test_names_that_are_none_are_a_bad_request_and_nothing_else(registry, names):
    ran = job(registry)
    result = ran.run(code=2, DREG_DATASETS=names)
    jsonschema.validate(result, result_schema())
    assert "no dataset named" in result["error"]["fact"]
    assert not list(registry.home.rglob("pwned"))
    assert registry.remote_tags() == []


def test_a_compute_type_that_is_none_is_told_the_closest(registry):
    done = job(registry).dreg("ci", "run", "--compute-type", "cpu-smal")
    assert (done.code, done.stdout) == (2, "")
    assert "did you mean `cpu-small`?" in done.stderr


def test_a_dry_run_says_what_would_be_released_and_changes_nothing(registry):
    before = tip(registry)
    ran = job(registry)
    result = ran.run(DREG_DRY_RUN="true")
    jsonschema.validate(result, result_schema())
    assert (states(result), result["dry_run"]) == ({NAME: "changed"}, True)
    assert (tip(registry), registry.remote_tags()) == (before, [])
    assert "1 dataset would be released" in ran.summary


def test_an_old_result_is_never_taken_for_this_runs(registry):
    ran = job(registry)
    ran.run()
    results = ran.path.parent / "job-out" / "result.json"
    assert results.is_file()
    done = ran.dreg("ci", "run", "--out", str(results.parent), "--compute-type", "none")
    assert done.code == 2
    assert not results.exists() or '"exit_code": 2' in results.read_text()


def test_a_run_without_an_identity_goes_by_the_systems_name(registry, tmp_path):
    empty = tmp_path / "no-identity"
    empty.write_text("[user]\n\tuseConfigOnly = true\n")
    job(registry).run(GIT_CONFIG_GLOBAL=str(empty))
    who = registry.git("log", "-1", "--format=%an <%ae>", "main", folder=registry.remote)
    assert who == "github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com>"


def test_what_is_made_from_what_is_made_from_a_failure_is_told_and_others_are_released(registry):
    for name, upstream in (("child", NAME), ("grand", "child"), ("other", "")):
        registry.ok("new", name, "--kind", "tabular")
        if upstream:
            contract = f"pipelines/{name}/dataset.yaml"
            registry.edit(contract, "^title: .*", f"title: T\nupstream: [{upstream}]")
    script = registry.path / "pipelines" / NAME / "scripts" / "process.py"
    script.write_text("raise SystemExit('no luck')\n")
    push(registry)
    ran = job(registry)
    result = ran.run(code=3)
    assert states(result) == {
        NAME: "failed",
        "child": "failed",
        "grand": "failed",
        "other": "changed",
    }
    assert registry.remote_tags() == ["other-v1.0.0"]


def test_what_kept_a_run_from_the_rest_is_told_beside_what_it_did(registry):
    registry.ok("new", "other", "--kind", "tabular")
    push(registry)
    job(registry, "first").run()
    registry.git("pull", "-q")
    change(registry)
    away = {"DREG_REMOTE": "s3://nowhere/x", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    keys = {
        "AWS_ACCESS_KEY_ID": "k",
        "AWS_SECRET_ACCESS_KEY": "s",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    result = job(registry, "second").run(code=3, **away, **keys)
    assert states(result) == {"other": "unchanged"}
    assert result["error"]["fact"]


def test_nothing_is_made_from_what_was_refused(registry):
    """In the run that was refused, and in one of its own, as a cluster starts for each dataset."""
    registry.ok("new", "child", "--kind", "tabular")
    registry.edit("pipelines/child/dataset.yaml", "^title: .*", "title: Child\nupstream: [toy]")
    script = registry.path / "pipelines" / "child" / "scripts" / "process.py"
    script.write_text(
        "import shutil\nshutil.copytree('../../data/toy/processed', '../../data/child/processed', dirs_exist_ok=True)\n"
    )
    own = "^      - scripts/process.py$"
    registry.edit(
        "pipelines/child/dvc.yaml",
        own,
        "      - scripts/process.py\n      - ../../data/toy/processed",
    )
    push(registry)
    assert states(job(registry, "first").run()) == {NAME: "changed", "child": "changed"}
    registry.git("pull", "-q")
    contract = registry.path / "pipelines" / NAME / "dataset.yaml"
    contract.write_text(f"{contract.read_text()}  min_samples: {{val: 1000}}\n")
    change(registry)
    both = job(registry, "both").run(code=1)
    assert states(both) == {NAME: "refused", "child": "refused"}
    alone = job(registry, "alone").run("child", code=1)
    assert one(alone)["why"] == "`child` is made from bytes of `toy` that no release has"
    assert registry.remote_tags() == ["child-v1.0.0", "toy-v1.0.0"]
