"""The files for Argo Workflows and Ray: of closed schemas, with every name defined, and as the workflows have it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from dreg.ci.rendering import for_cluster, rayjob_on, workflows
from dreg.core.ci.compute import COMPUTE_TYPES, GIB
from dreg.core.ci.workflows import BACKEND, IMAGE_TAG
from tests.argo import TAG, filled
from tests.rayjob_schema import pods_of, wrong_with, wrong_with_kubernetes, wrong_with_pod

OURS = Path(__file__).parents[1]
FILES = for_cluster()
THINGS = [
    (path, one)
    for path, text in sorted(FILES.items())
    for one in yaml.safe_load_all(text)
    if one["kind"] != "Kustomization"
]
ARGO = [(path, one) for path, one in THINGS if one["apiVersion"].startswith("argoproj.io/")]
TEMPLATES = {one["metadata"]["name"]: one for _, one in ARGO if one["kind"] == "WorkflowTemplate"}
RAYJOBS = [one for _, one in THINGS if one["kind"] == "RayJob"]
PLAIN = [one for _, one in THINGS if one["apiVersion"] in ("v1", "rbac.authorization.k8s.io/v1")]
SETTINGS = {"dreg": {"image", "ray-image", "DREG_REPO"}, "dreg-compute-types": set(COMPUTE_TYPES)}
NAMED = re.compile(r"[a-z]+(?:\.[a-z][a-z-]*)+")
each_template = pytest.mark.parametrize("name", sorted(TEMPLATES))


def spec(name):
    return TEMPLATES[name]["spec"]


def parameters(name):
    return {one["name"]: one for one in spec(name)["arguments"]["parameters"]}


def inner(name):
    return {one["name"]: one for one in spec(name)["templates"]}


# What is committed


def test_what_is_committed_is_what_the_model_makes():
    there = {
        path.relative_to(OURS).as_posix()
        for folder in ("argo", "ray")
        for path in (OURS / "deploy" / folder).iterdir()
    }
    assert there == set(FILES)
    assert {path: (OURS / path).read_text() for path in FILES} == FILES


def test_kustomize_is_told_of_every_file_for_argo():
    (told,) = yaml.safe_load_all(FILES["deploy/argo/kustomization.yaml"])
    files = {Path(path).name for path in FILES if path.startswith("deploy/argo/")}
    assert set(told["resources"]) == files - {"kustomization.yaml"}


def test_a_registry_gets_them_when_it_asks_and_keeps_them_then(registry):
    registry.ok("ci", "render")
    assert not (registry.path / "deploy").exists()
    said = registry.ok("ci", "render", "--cluster").stdout
    assert {line.removeprefix("wrote ") for line in said.splitlines()} == set(FILES)
    nightly = registry.path / "deploy/argo/nightly.yaml"
    nightly.write_text("kind: other\n")
    refused = registry.dreg("ci", "render", "--check")
    assert (refused.code, nightly.read_text()) == (1, "kind: other\n")
    assert "  deploy/argo/nightly.yaml\n" in refused.stderr
    registry.ok("ci", "render")
    registry.ok("ci", "render", "--check")


# Closed schemas


@pytest.mark.parametrize("path, thing", ARGO, ids=[one["metadata"]["name"] for _, one in ARGO])
def test_argo_knows_every_field(path, thing):
    from hera.workflows import models

    known = getattr(models, thing["kind"]).model_validate(thing)
    assert known.model_dump(exclude_none=True, by_alias=True, mode="json") == thing


def test_a_field_that_argo_does_not_have_is_noticed():
    from hera.workflows import models

    thing = json.loads(json.dumps(TEMPLATES["data-pipeline"]))
    thing["spec"]["templates"][2]["retryStrategy"]["limits"] = "3"
    known = models.WorkflowTemplate.model_validate(thing)
    assert known.model_dump(exclude_none=True, by_alias=True, mode="json") != thing


@pytest.mark.parametrize(
    "thing", PLAIN, ids=[f"{o['kind']}-{o['metadata']['name']}" for o in PLAIN]
)
def test_kubernetes_knows_every_field(thing):
    assert wrong_with_kubernetes(thing) == []


@pytest.mark.parametrize("job", RAYJOBS, ids=[one["metadata"]["name"] for one in RAYJOBS])
def test_kuberay_and_kubernetes_know_every_field_of_a_rayjob(job):
    assert wrong_with(job) == []


def test_a_field_that_they_do_not_have_is_noticed():
    job = rayjob_on("cpu-small")
    job["spec"]["retries"] = 3
    assert "retries" in wrong_with(job)[0]
    job = rayjob_on("cpu-small")
    next(iter(pods_of(job)))["containers"][0]["cpus"] = 3
    assert "cpus" in wrong_with(job)[0]


@each_template
def test_containers_and_volumes_are_kubernetes_own(name):
    for one in spec(name)["templates"]:
        if "container" in one:
            container = {"name": "main", **one["container"]}
            pod = {
                "containers": [container], "volumes": spec(name)["volumes"],
                "securityContext": spec(name)["securityContext"],
            }  # fmt: skip
            assert wrong_with_pod(pod) == []


# What they mean


@each_template
def test_every_tag_is_defined(name):
    declared = {f"workflow.parameters.{one}" for one in parameters(name)}
    declared |= {"workflow.name", "workflow.uid"}
    templates = inner(name)
    checked = 0
    for one in spec(name)["templates"]:
        inputs = {
            f"inputs.parameters.{p['name']}" for p in one.get("inputs", {}).get("parameters", [])
        }
        before: set[str] = set()
        for together in one.get("steps", []):
            for step in together:
                within = {"item"} if "withParam" in step else set()
                loop = {k: v for k, v in step.items() if k == "withParam"}
                checked += all_defined(loop, declared | inputs | before)
                checked += all_defined(step, declared | inputs | before | within)
            for step in together:
                outputs = templates[step["template"]].get("outputs", {}).get("parameters", [])
                before |= {f"steps.{step['name']}.outputs.parameters.{p['name']}" for p in outputs}
        rest = {key: value for key, value in one.items() if key != "steps"}
        checked += all_defined(rest, declared | inputs)
    assert checked > 5


def all_defined(value, defined):
    """How many tags there are; each of its names is defined."""
    tags = TAG.findall(json.dumps(value))
    for tag in tags:
        text = json.loads(f'"{tag}"').strip()
        if not text.startswith("="):
            assert text in defined
            continue
        dotted = re.sub(r"\['([^']+)'\]", r".\1", text)
        names = set(NAMED.findall(re.sub(r"'[^']*'", "", dotted)))
        assert names
        assert names <= defined
    return len(tags)


@each_template
def test_steps_name_templates_that_are_there_and_give_what_those_take(name):
    templates = inner(name)
    assert spec(name)["entrypoint"] in templates
    used = {spec(name)["entrypoint"]}
    for one in spec(name)["templates"]:
        for step in (step for together in one.get("steps", []) for step in together):
            used.add(step["template"])
            taken = templates[step["template"]].get("inputs", {}).get("parameters", [])
            wanted = {p["name"] for p in taken if "value" not in p and "valueFrom" not in p}
            given = {p["name"] for p in step.get("arguments", {}).get("parameters", [])}
            assert given == wanted
    assert used == set(templates)


def test_who_refers_to_a_template_or_an_account_finds_it():
    accounts = {one["metadata"]["name"] for one in PLAIN if one["kind"] == "ServiceAccount"}
    roles = {one["metadata"]["name"] for one in PLAIN if one["kind"] == "Role"}
    for _, one in ARGO:
        if one["kind"] == "CronWorkflow":
            assert one["spec"]["workflowSpec"]["workflowTemplateRef"]["name"] in TEMPLATES
        else:
            assert one["spec"]["serviceAccountName"] in accounts
    for one in PLAIN:
        if one["kind"] == "RoleBinding":
            assert one["roleRef"]["name"] in roles
            assert {who["name"] for who in one["subjects"]} <= accounts


@each_template
def test_a_parameter_has_a_default_that_is_among_its_values(name):
    for one in parameters(name).values():
        if "valueFrom" in one:
            at = one["valueFrom"]["configMapKeyRef"]
            assert at["key"] in SETTINGS[at["name"]]
        else:
            assert one["value"] in one.get("enum", [one["value"]])


@pytest.mark.parametrize(
    "workflow, name",
    [("run-data-pipelines", "data-pipeline"), ("run-embeddings-pipeline", "embeddings-pipeline")],
)
def test_what_can_be_chosen_on_github_can_be_chosen_of_argo(workflow, name):
    text = workflows(own=True)[f".github/workflows/{workflow}.yaml"]
    chosen = yaml.safe_load(text)[True]["workflow_dispatch"]["inputs"]
    for theirs in (
        BACKEND.name,
        IMAGE_TAG.name,
    ):  # where it runs, which the cluster's ConfigMap says
        chosen.pop(theirs, None)
    ours = {key: one for key, one in parameters(name).items() if "value" in one}
    assert set(ours) == set(chosen)
    for key, one in chosen.items():
        default = (
            str(one["default"]).lower() if isinstance(one["default"], bool) else one["default"]
        )
        assert ours[key]["value"] == default
        options = ["true", "false"] if one.get("type") == "boolean" else one.get("options")
        assert ours[key].get("enum") == options


def test_the_compute_types_are_the_models():
    (there,) = (one for one in PLAIN if one["metadata"]["name"] == "dreg-compute-types")
    # Argo's controller knows no other ConfigMaps than those with this label.
    assert there["metadata"]["labels"]["workflows.argoproj.io/configmap-type"] == "Parameter"
    assert set(there["data"]) == set(COMPUTE_TYPES)
    for name, text in there["data"].items():
        same_as_compute_type(json.loads(text), name)
    for job in RAYJOBS:
        name = job["metadata"]["labels"]["dreg/compute-type"]
        (worker,) = list(pods_of(job))[1]["containers"]
        same_as_compute_type(worker["resources"], name)
        assert {"name": "DREG_COMPUTE_TYPE", "value": name} in worker["env"]


def same_as_compute_type(resources, name):
    compute = COMPUTE_TYPES[name]
    assert resources["requests"] == resources["limits"]
    limits = resources["limits"]
    assert limits["cpu"] == str(compute.cpus)
    assert limits["memory"] == f"{compute.memory // GIB}Gi"
    assert limits.get("nvidia.com/gpu", "0") == str(compute.gpus)


@each_template
def test_no_pod_waits_for_ever_and_only_what_may_be_well_is_tried_again(name):
    assert spec(name)["activeDeadlineSeconds"]
    assert spec(name)["ttlStrategy"]
    for one in spec(name)["templates"]:
        if "steps" in one:
            continue
        assert one["activeDeadlineSeconds"] <= spec(name)["activeDeadlineSeconds"]
        retry = one["retryStrategy"]
        assert retry["limit"]
        assert (retry["retryPolicy"], "expression" in retry) == ("Always", True)
        # Argo counts it from the first start: what ran for longer would not be tried again, or be ended then.
        assert "maxDuration" not in retry["backoff"]


@each_template
def test_pods_of_what_failed_stay_until_their_logs_are_read(name):
    assert spec(name)["podGC"] == {"strategy": "OnWorkflowSuccess"}


def test_a_night_that_is_not_over_yet_has_no_second_beside_it():
    (night,) = [one for _, one in ARGO if one["kind"] == "CronWorkflow"]
    assert night["spec"]["concurrencyPolicy"] == "Forbid"


@each_template
def test_what_releases_a_dataset_is_alone_with_it(name):
    locks = {
        one["name"]: one["synchronization"]["mutexes"][0]["name"]
        for one in spec(name)["templates"]
        if "synchronization" in one
    }
    where = (
        "inputs.parameters.dataset" if name == "data-pipeline" else "workflow.parameters.dataset"
    )
    assert locks == {"release": f"dreg-{{{{{where}}}}}"}


def containers():
    for name in TEMPLATES:
        for one in spec(name)["templates"]:
            if "container" in one:
                yield one["container"]
    for job in (*RAYJOBS, embeddings_job()):
        for pod in pods_of(job):
            yield from pod["containers"]


def embeddings_job(**chosen):
    """The RayJob that Argo would make."""
    values = {
        key: one.get("value", f"{key}-value")
        for key, one in parameters("embeddings-pipeline").items()
    }
    scope = {f"workflow.parameters.{key}": value for key, value in {**values, **chosen}.items()}
    scope |= {
        "workflow.name": "w",
        "workflow.uid": "u",
        "inputs.parameters.resources": '{"limits": {"cpu": "2"}}',
    }
    text = filled(inner("embeddings-pipeline")["release"]["resource"]["manifest"], scope)
    return yaml.safe_load(text)


def test_commands_are_dreg_and_nothing_is_put_into_a_shells_text():
    for container in containers():
        assert container.get("command", ["dreg"]) == ["dreg"]
        assert "{{" not in " ".join(container.get("args", ()))
    for name in TEMPLATES:
        assert not any("script" in one for one in spec(name)["templates"])
    assert {job["spec"]["entrypoint"] for job in (*RAYJOBS, embeddings_job())} == {"dreg ci run"}


def test_what_was_chosen_stands_before_keys_which_kubernetes_would_put_into_it():
    # `$(NAME)` in a value is what a variable further up has.
    for container in containers():
        kinds = [
            "key" if "secretKeyRef" in one.get("valueFrom", {}) else "value"
            for one in container.get("env", ())
        ]
        first = kinds.index("key") if "key" in kinds else len(kinds)
        chosen = [one["name"] for one in container.get("env", ())[first:] if "{{" in str(one)]
        assert chosen == []


@pytest.mark.parametrize(
    "name",
    ["plain", 'x"; touch pwned; "', "two\nlines: [", "{a: b}", "$(touch pwned)", "é \u2028 '"],
)
def test_a_name_stays_one_value_in_a_manifest(name):
    job = embeddings_job(dataset=name)
    assert wrong_with(job) == []
    (worker,) = list(pods_of(job))[1]["containers"]
    assert {"name": "DREG_DATASETS", "value": name} in worker["env"]


def test_the_rayjob_within_argo_is_the_one_beside_it():
    job, other = embeddings_job(**{"compute-type": "gpu-small"}), rayjob_on("gpu-small")
    for one in (job, other):
        for pod in pods_of(one):
            for container in pod["containers"]:
                del container["image"], container["resources"]
                container["env"] = [e for e in container.get("env", ()) if "valueFrom" in e]
    assert job["spec"] == other["spec"]


def test_a_role_allows_only_what_is_needed():
    roles = {one["metadata"]["name"]: one["rules"] for one in PLAIN if one["kind"] == "Role"}
    pipelines = {
        (what, verb)
        for rule in roles["dreg-pipelines"]
        for what in rule["resources"]
        for verb in rule["verbs"]
    }
    assert pipelines == {
        ("workflowtaskresults", "create"), ("workflowtaskresults", "patch"),
        ("rayjobs", "create"), ("rayjobs", "get"),
    }  # fmt: skip
    for rules in roles.values():
        for rule in rules:
            assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
            assert "secrets" not in rule["resources"]
