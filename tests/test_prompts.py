"""What a model is asked: a real prompt registry's text where there is one, else the pipeline's file."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml

from dreg.errors import BadRequest, DregError, Outside
from dreg.stages import here
from dreg.stages.prompts import chosen_prompt
from tests.ports import free_ports


class Asked:
    """A pipeline that asks for a prompt; the current folder is its own."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = home / "pipelines/pictures"
        self.folder.mkdir(parents=True)
        (self.folder / "dataset.yaml").touch()
        (self.folder / "prompt.txt").write_text("What is it?\n")
        self.name = f"picture-{uuid.uuid4().hex[:8]}"
        self.params({"name": self.name, "version": 1, "file": "prompt.txt"})
        monkeypatch.chdir(self.folder)

    def params(self, prompt: Any) -> None:
        (self.folder / "params.yaml").write_text(yaml.safe_dump({"prompt": prompt}))

    def version(self, version: Any) -> None:
        self.params({"name": self.name, "version": version, "file": "prompt.txt"})

    def chosen(self) -> tuple[str, str, str]:
        prompt = chosen_prompt(here())
        return prompt.name, prompt.version, prompt.text

    def refused(self, kind: type[DregError]) -> DregError:
        with pytest.raises(kind) as caught:
            self.chosen()
        assert caught.value.hint
        return caught.value


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Asked:
    return Asked(tmp_path, monkeypatch)


@pytest.fixture
def registry(asked: Asked, mlflow_server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """MLflow's client at a server where the prompt has two versions."""
    from mlflow import MlflowClient

    client = MlflowClient(tracking_uri=mlflow_server, registry_uri=mlflow_server)
    client.register_prompt(asked.name, "Tell what you see.\n")
    client.register_prompt(asked.name, "Tell in {{ words }} words what you see.")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow_server)
    return client


def test_without_a_registry_the_file_is_the_prompt(asked):
    assert asked.chosen() == (asked.name, "1", "What is it?")


def test_the_registry_gives_the_version_that_is_named(asked, registry):
    assert asked.chosen() == (asked.name, "1", "Tell what you see.")
    asked.version(2)
    assert asked.chosen() == (asked.name, "2", "Tell in {{ words }} words what you see.")


def test_a_file_that_says_something_else_than_the_registry_is_told(asked, registry, capsys):
    asked.chosen()
    assert "prompt.txt has another text" in capsys.readouterr().err
    (asked.folder / "prompt.txt").write_text("Tell what you see.")
    asked.chosen()
    assert "another text" not in capsys.readouterr().err


def test_a_version_that_the_registry_lacks_is_not_taken_from_the_file(asked, registry):
    asked.version(7)
    error = asked.refused(BadRequest)
    assert f"has no version 7 of the prompt `{asked.name}`" in error.fact


def test_a_prompt_that_nobody_registered_is_not_taken_from_the_file(asked, registry):
    asked.params({"name": "nobody-s", "version": 1, "file": "prompt.txt"})
    assert "has no version 1 of the prompt `nobody-s`" in asked.refused(BadRequest).fact


def test_a_chat_of_several_messages_is_no_prompt_about_an_image(asked, registry):
    registry.register_prompt(asked.name, [{"role": "user", "content": "Tell."}])
    asked.version(3)
    assert "is a chat of several messages" in asked.refused(BadRequest).fact


def test_a_registry_that_does_not_answer_is_an_error(asked, monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert "cannot be reached" in asked.refused(Outside).fact


@pytest.mark.parametrize("version", [0, "latest", "@champion", True, None, 1.5])
def test_a_version_that_could_move_is_refused(asked, version):
    asked.version(version)
    assert "the prompt has the version" in asked.refused(BadRequest).fact


@pytest.mark.parametrize(
    "prompt", [None, "prompt.txt", {"name": "x"}, {"name": "a b", "version": 1, "file": "f"},
               {"name": "x", "version": 1, "file": "../../secret"}],
)  # fmt: skip
def test_a_prompt_that_is_named_badly_is_refused(asked, prompt):
    asked.params(prompt)
    assert asked.refused(BadRequest).fact.startswith("`pipelines/pictures/params.yaml`: ")


@pytest.mark.parametrize("content", [b"", b" \n", b"\xff"])
def test_a_file_without_a_text_is_refused(asked, content):
    (asked.folder / "prompt.txt").write_bytes(content)
    assert "prompt.txt`" in asked.refused(Outside).fact


def test_a_file_that_is_not_there_is_named(asked):
    (asked.folder / "prompt.txt").unlink()
    assert "cannot read" in asked.refused(Outside).fact
