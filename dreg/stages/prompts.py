"""What a model is asked: from MLflow's prompt registry, or from a file of the pipeline."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from dreg.adapters.yaml_files import shown
from dreg.core.profile import Prompt
from dreg.errors import BadRequest, Outside
from dreg.stages.progress import say
from dreg.stages.workspace import Workspace

NAME = re.compile(r"[\w.-]+")
WRITE = "write it as `prompt: {name: caption, version: 1, file: prompt.txt}`"


def chosen_prompt(workspace: Workspace) -> Prompt:
    """The prompt that `prompt:` in params.yaml names: its `name`, `version` and `file`.

    Where MLFLOW_TRACKING_URI is set, the registry there gives the text of that very version; nothing
    else will do. Without it the file does. Raises BadRequest for a prompt that is named badly or
    isn't there, Outside when the file or the registry cannot be read.
    """
    where = f"pipelines/{workspace.name}/params.yaml"
    name, version, file = asked_for(workspace.params.get("prompt"), where)
    uri = os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        prompt = Prompt(read(workspace, file), name, str(version))
        say(f"prompt {name} {version}: from {file}")
        return prompt
    from dreg.adapters.mlflow.prompts import registered_prompt

    prompt = registered_prompt(uri, name, version)
    say(f"prompt {name} {version}: from MLflow")
    if prompt.text.strip() != read(workspace, file):
        say(f"{file} has another text: without MLFLOW_TRACKING_URI the data would be another")
    return Prompt(prompt.text.strip(), name, str(version))


def asked_for(told: object, where: str) -> tuple[str, int, str]:
    """Name, version and file. Raises BadRequest for anything else."""
    if not isinstance(told, Mapping) or set(told) != {"name", "version", "file"}:
        raise BadRequest(f"`{where}`: `prompt` is not name, version and file", hint=WRITE)
    name, version, file = told["name"], told["version"], told["file"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadRequest(f"`{where}`: the prompt is called `{name}`", hint=WRITE)
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        # An alias or `latest` would move, and the same pipeline would make other data.
        raise BadRequest(f"`{where}`: the prompt has the version `{version}`", hint=WRITE)
    if not isinstance(file, str) or file.startswith("/") or ".." in file.split("/"):
        raise BadRequest(f"`{where}`: the prompt's file is `{file}`", hint=WRITE)
    return name, version, file


def read(workspace: Workspace, file: str) -> str:
    """The file's text, without spaces around it. Raises Outside when there is none."""
    path = workspace.pipeline / file
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise Outside(
            f"cannot read `{shown(path)}`: {reason}", hint="write the prompt into it"
        ) from error
    if not text:
        raise Outside(f"`{shown(path)}` is empty", hint="write the prompt into it")
    return text
