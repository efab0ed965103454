"""The one model that workflow files are written from: inputs, compute types, actions, and what a job is given.

A template is a workflow with marks, `<<mark>>`. On a line of its own a mark stands for lines, which are
indented as it is; within a line for a word. What a job does is `dreg ...` in the template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from dreg.core.ci.compute import COMPUTE_TYPES, USUAL
from dreg.errors import BadRequest

WRITTEN_BY = "# Written by `dreg ci render`; what a job does is `dreg ci ...`, for people as well."
MARK = re.compile(r"<<([a-z-]+)>>")
RUNNER = "ubuntu-24.04"
PYTHON = "3.12"
# Off the hour, when fewer others want a runner; embeddings when what they are made from is released, and a
# cluster's when GitHub's are, as a registry may have both.
NIGHTLY = "17 3 * * *"
NIGHTLY_EMBEDDINGS = "17 5 * * *"
NIGHTLY_IN_CLUSTER = "47 3 * * *"


@dataclass(frozen=True)
class Input:
    """What can be chosen when a workflow is started by hand. `variable` is what a job that runs
    pipelines finds it in; empty for what is only looked at by the workflow."""

    name: str
    variable: str
    description: str
    default: str = ""
    options: tuple[str, ...] = ()
    boolean: bool = False


@dataclass(frozen=True)
class Action:
    """A published action, at one commit; its version is for people and for who updates it."""

    name: str
    commit: str
    version: str

    def __str__(self) -> str:
        return f"{self.name}@{self.commit} # {self.version}"


BUMP = Input(
    "bump", "DREG_BUMP", "Raise the computed bump", "auto", ("auto", "patch", "minor", "major")
)
COMPUTE = Input(
    "compute-type", "DREG_COMPUTE_TYPE", "What pipelines are given", USUAL, tuple(COMPUTE_TYPES)
)
FORCE = Input("force", "DREG_FORCE", "Run every stage, changed or not", "false", boolean=True)
DRY_RUN = Input("dry-run", "DREG_DRY_RUN", "Only say what would be released", "false", boolean=True)
PIPELINES = Input(
    "pipelines", "DREG_DATASETS", "Names, separated by spaces; empty for every dataset"
)
DATASET = Input(
    "dataset", "DREG_DATASETS", "The embeddings dataset", "opencloudhub-readmes-embeddings"
)
DATA_VERSION = Input(
    "data-version", "", "Only load this release of it, such as 1.2.0; empty: make a new one"
)
IMAGE_TAG = Input("image-tag", "", "Run in this image, such as ray-v1.2.0; empty: on the runner")
LOAD = Input("load", "", "Load the vectors into Postgres, and serve them", "true", boolean=True)
BACKEND = Input(
    "backend", "", "Where pipelines run: on GitHub's runners, or in a cluster by Argo", "runner",
    ("runner", "argo"),
)  # fmt: skip
RUN_INPUTS = (PIPELINES, FORCE, BUMP, COMPUTE, DRY_RUN)
EMBEDDINGS_INPUTS = (DATASET, DATA_VERSION, IMAGE_TAG, COMPUTE, FORCE, BUMP, LOAD)

ACTIONS = {
    "checkout": Action("actions/checkout", "11bd71901bbe5b1630ceea73d27597364c9af683", "v4.2.2"),
    "setup-python": Action(
        "actions/setup-python", "a26af69be951a213d495a4c3e4e4022e16d87065", "v5.6.0"
    ),
    "upload-artifact": Action(
        "actions/upload-artifact", "ea165f8d65b6e75b540449e92b4886f43607fa02", "v4.6.2"
    ),
    "download-artifact": Action(
        "actions/download-artifact", "d3f86a106a0bac45b974a628896c90dbdf5c8093", "v4.3.0"
    ),
    "setup-buildx": Action(
        "docker/setup-buildx-action", "b5ca514318bd6ebac0fb2aedd5d36ec1b5c232a2", "v3.10.0"
    ),
    "login": Action("docker/login-action", "74a5d142397b4f367a81961eba4e8cd7edddf772", "v3.4.0"),
    "build-push": Action(
        "docker/build-push-action", "263435318d21b8e681c14492fe198d362a7d2c83", "v6.18.0"
    ),
    "attest": Action(
        "actions/attest-build-provenance", "e8998f949152b193b063cb0ec769d69d929409be", "v2.4.0"
    ),
}

# What a job needs to reach the bytes, and Postgres: settings, each with what it is where nobody set it, and keys.
# On GitHub they are the repository's variables and secrets, in a cluster a ConfigMap's and a Secret's. Settings are a
# job's, keys only that step's which needs them: what is installed before it has none.
BYTES = {"DREG_REMOTE": "", "AWS_ENDPOINT_URL": "", "AWS_DEFAULT_REGION": "us-east-1"}
BYTES_KEYS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
POSTGRES = {
    "PGVECTOR_HOST": "",
    "PGVECTOR_PORT": "5432",
    "PGVECTOR_DATABASE": "",
    "PGVECTOR_USER": "",
    "PGVECTOR_TABLE_NAME": "",
}
POSTGRES_KEYS = ("PGVECTOR_PASSWORD",)

# How git gets to push, in that step alone: checked out with its credentials kept, any step could.
PUSH = """\
GITHUB_TOKEN: ${{ github.token }}
GIT_CONFIG_COUNT: 1
GIT_CONFIG_KEY_0: credential.${{ github.server_url }}.helper
GIT_CONFIG_VALUE_0: '!f() { echo username=x-access-token; echo "password=$GITHUB_TOKEN"; }; f'"""

# An image's name has no upper-case letters, its tag at most 128 letters, digits, dots, dashes and underscores; of
# repositories and branches neither is true. A shell's work, as expressions cannot do it.
IMAGE_NAME = """\
tag="${TAG//[^A-Za-z0-9_.-]/-}"
echo "repository=${GITHUB_REPOSITORY,,}" >> "$GITHUB_OUTPUT"
echo "tag=${tag:0:128}" >> "$GITHUB_OUTPUT\""""


def filled(template: str, install: str, install_all: str = "", install_submit: str = "") -> str:
    """The workflow that a template makes; `install` is the command that installs dreg in a job, `install_all`
    the one that also installs what any pipeline needs, `install_submit` what handing it to a cluster needs.

    Raises BadRequest for a mark that the model does not know.
    """
    installs = {
        "install": install,
        "install-all": install_all or install,
        "install-submit": install_submit or install,
    }
    return marked(template, {**_marks(), **installs})


def marked(template: str, marks: Mapping[str, str]) -> str:
    """The template with what its marks stand for. Raises BadRequest for one that is not among `marks`."""
    lines = []
    for line in template.splitlines():
        alone = MARK.fullmatch(line.strip())
        if alone:
            indent = line[: len(line) - len(line.lstrip())]
            block = _known(marks, alone[1]).splitlines()
            lines += [f"{indent}{text}" if text else "" for text in block]
        else:
            lines.append(MARK.sub(lambda mark: _known(marks, mark[1]), line))
    return "\n".join(lines) + "\n"


def _known(marks: Mapping[str, str], mark: str) -> str:
    if mark not in marks:
        raise BadRequest(f"no workflow has `<<{mark}>>`", hint=f"marks: {', '.join(marks)}")
    return marks[mark]


def _marks() -> dict[str, str]:
    return {
        "written-by": WRITTEN_BY,
        "runner": RUNNER,
        "python": PYTHON,
        "nightly": NIGHTLY,
        "nightly-embeddings": NIGHTLY_EMBEDDINGS,
        "run-inputs": "\n".join(map(dispatched, (*RUN_INPUTS, BACKEND))),
        "run-environment": "\n".join(given(one) for one in RUN_INPUTS if one is not PIPELINES),
        "pipelines": given(PIPELINES),
        "embeddings-inputs": "\n".join(map(dispatched, EMBEDDINGS_INPUTS)),
        "embeddings-environment": "\n".join(
            given(one) for one in EMBEDDINGS_INPUTS if one.variable
        ),
        "bytes": _settings(BYTES),
        "bytes-keys": _keys(BYTES_KEYS),
        "open-bytes": _settings(BYTES).replace("vars.DREG_REMOTE", "vars.DREG_REVIEW_REMOTE"),
        "postgres": _settings(POSTGRES),
        "postgres-keys": _keys(POSTGRES_KEYS),
        "dataset": f"inputs.dataset || '{DATASET.default}'",
        "push": PUSH,
        "image-name": IMAGE_NAME,
        **{name: str(action) for name, action in ACTIONS.items()},
    }


def _settings(settings: Mapping[str, str]) -> str:
    """As a job's environment has them."""
    return "\n".join(
        f"{name}: ${{{{ vars.{name} || '{usual}' }}}}" for name, usual in settings.items()
    )


def _keys(names: tuple[str, ...]) -> str:
    """As a step's environment has them."""
    return "\n".join(f"{name}: ${{{{ secrets.{name} }}}}" for name in names)


def dispatched(one: Input) -> str:
    """The input as `workflow_dispatch` declares it."""
    lines = [f"{one.name}:", f"  description: {json.dumps(one.description)}"]
    if one.options:
        lines += ["  type: choice", f"  options: [{', '.join(one.options)}]"]
    elif one.boolean:
        lines.append("  type: boolean")
    default = one.default if one.options or one.boolean else f'"{one.default}"'
    return "\n".join([*lines, f"  default: {default}"])


def given(one: Input) -> str:
    """The input as a job's environment has it: with its default also where nobody chose, as at night.

    Only so does it get into a command: as a value, never as part of a shell's text.
    """
    name = f"inputs.{one.name}" if "-" not in one.name else f"inputs['{one.name}']"
    return f"{one.variable}: ${{{{ {name} || '{one.default}' }}}}"
