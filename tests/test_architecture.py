"""The house keeps its order: who may import whom, what stays light, what stays short."""

from __future__ import annotations

import ast
import dataclasses
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from dreg import cli
from dreg.reference import pages as reference

ROOT = Path(__file__).resolve().parents[1] / "dreg"
MODULES = {
    ".".join(("dreg", *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(ROOT.rglob("*.py"))
    if "templates" not in path.parts
}
ENTRIES = {"dreg.cli", "dreg.__main__", "dreg.reference.pages", "dreg.reference.__main__"}
LONGEST = 300
THICKEST = 40

# commands -> verbs -> adapters -> core; stages -> adapters -> core
MAY_IMPORT = {
    "core": {"core"},
    "adapters": {"adapters", "core"},
    "stages": {"stages", "adapters", "core"},
    "verbs": {"verbs", "adapters", "core", "output"},
    "commands": {"commands", "verbs", "core", "output"},
    "output": {"core"},
    "errors": set(),
}
NO_OUTSIDE_IN_CORE = {
    "asyncio", "datetime", "glob", "http", "io", "os", "pathlib", "platform", "random", "secrets",
    "shutil", "socket", "subprocess", "sys", "tempfile", "threading", "time", "urllib.request", "uuid",
}  # fmt: skip
HEAVY = {"dvc", "git", "numpy", "pandas", "pyarrow", "ray", "torch"}
CONSUMER = [
    "dreg.fetch.fetching",
    "dreg.fetch.getting",
    "dreg.fetch.bringing",
    "dreg.catalog",
    "dreg.show",
]
# What an option asks for that needs an extra, and says so where it is not installed.
ON_REQUEST = {"dreg.adapters.parquet_columns"}


def room(module: str) -> str:
    below = module.split(".")[1:]
    if len(below) == 1 and below[0] in ("errors", "output"):
        return below[0]
    if below and below[0] in ("core", "adapters", "stages", "commands"):
        return below[0]
    return "verbs"


@cache
def imports(module: str) -> frozenset[str]:
    """Every module that `module` imports anywhere in its text, lazily or not."""
    return frozenset(_imports(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute, so that an arrow can be read"
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield whole if whole in MODULES else str(node.module)


def ours(module: str) -> list[str]:
    return sorted(name for name in imports(module) if name in MODULES and name != "dreg")


def test_there_is_something_to_check():
    assert {"core", "adapters", "verbs", "commands", "stages"} <= {room(m) for m in MODULES}


def test_imports_go_one_way():
    wrong = [
        f"{module} ({room(module)}) may not import {name}"
        for module in sorted(MODULES.keys() - ENTRIES - {"dreg"})
        for name in ours(module)
        if room(name) not in MAY_IMPORT[room(module)] | {"errors"} or name in ENTRIES
    ]
    assert wrong == []


def test_core_knows_no_outside():
    wrong = [
        f"{module} may not import {name}"
        for module in sorted(m for m in MODULES if room(m) == "core")
        for name in sorted(imports(module))
        if {name, name.split(".")[0]} & NO_OUTSIDE_IN_CORE
    ]
    assert wrong == []


def test_a_module_is_short_or_says_why_not():
    for module, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        if (lines := len(text.splitlines())) > LONGEST:
            said = (ast.get_docstring(ast.parse(text)) or "").lower()
            assert "longer than" in said, f"{module} has {lines} lines: split it, or say why not"


@pytest.mark.parametrize("module", sorted(m for m in MODULES if room(m) == "commands"))
def test_commands_are_thin(module):
    for function in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef):
            first = function.body[1 if ast.get_docstring(function) else 0 :][:1]
            lines = function.end_lineno - first[0].lineno + 1 if first else 0
            assert lines <= THICKEST, f"{function.name} in {module} has {lines} lines of body"


def test_nothing_has_a_name_that_says_nothing():
    vague = {"utils", "util", "helpers", "helper", "common", "base", "manager", "managers", "misc"}
    assert not [module for module in MODULES if vague & set(module.split("."))]


@pytest.mark.parametrize("module", CONSUMER)
def test_what_a_consumer_runs_reaches_nothing_heavy(module):
    seen, todo = set(ON_REQUEST), [module]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        heavy = {imported.split(".")[0] for imported in imports(name)} & HEAVY
        assert not heavy, f"{module} reaches {name}, which imports {heavy}"
        todo += ours(name)


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after running `code`."""
    script = (
        f"import sys\n{code}\nsys.stderr.write(' '.join({{m.split('.')[0] for m in sys.modules}}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


def test_help_is_light():
    loaded = modules_after("from dreg.cli import run\nassert run(['--help']) == 0")
    assert "typer" in loaded
    assert not loaded & (HEAVY | {"botocore", "obstore", "jinja2", "yaml"})


@pytest.mark.parametrize("module", CONSUMER)
def test_a_consumer_module_is_light(module):
    assert not modules_after(f"import {module}") & HEAVY


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_the_help_of_a_command_is_light(command):
    loaded = modules_after(f"from dreg.cli import run\nassert run(['{command}', '--help']) == 0")
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_a_command_has_an_example_and_declares_its_answer(name):
    found = {p: c for p, c, _ in reference.commands() if f"{p} ".startswith(f"dreg {name} ")}
    assert found
    for path, command in found.items():
        assert "Example:" in command.help
        assert f"  {path}" in command.help, "the example shows the command itself"
        answers = reference.answers(command)
        assert answers, f"{path} lacks @answers"
        for answer in answers:
            assert dataclasses.is_dataclass(answer)
            assert answer.__dataclass_params__.frozen
            assert callable(answer.lines)
            assert answer.__doc__


def test_an_option_of_several_commands_is_declared_once():
    """Else they drift apart, one word at a time."""
    declared = Counter(
        ast.unparse(node)
        for path in sorted((ROOT / "commands").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Annotated"
    )
    assert {option: times for option, times in declared.items() if times > 1} == {}


def test_what_can_be_chosen_is_declared_once():
    named = Counter(
        node.name
        for path in sorted((ROOT / "commands").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )
    assert {name: times for name, times in named.items() if times > 1} == {}
