"""YAML is read as DVC reads it, and what cannot be read is named with its place."""

from __future__ import annotations

import pytest
from ruamel.yaml import YAML

from dreg.adapters.yaml_files import parse_yaml
from dreg.errors import BadRequest

SCALARS = [
    "1e-4",
    "1e5",
    "1.5e3",
    ".5",
    "1.",
    "+7",
    "-5",
    "0",
    "012",
    "089",
    "1_000",
    "0x1F",
    "-0x10",
    "0o17",
    "0b101",
    ".inf",
    "-.inf",
    "3.10",
    "1.2.3",
    "true",
    "True",
    "FALSE",
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "null",
    "~",
    "Null",
    "12:30",
    "1:2:3",
    "2020-01-01",
    "2001-12-14T21:59:43",
    "text",
]


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_what_dvc_takes_them_for(text: str) -> None:
    document = f"a: {text}\nb: [{text}]\n"
    assert repr(parse_yaml(document, "x")) == repr(YAML(typ="safe").load(document))


@pytest.mark.parametrize(
    ("text", "fact", "hint"),
    [
        ("a: 1\nb: 2\na: 3\n", "f:3:1 is not YAML: the key `a` is there twice", "correct line 3 of f"),
        ("a:\n\t- b\n", "f:2:1 is not YAML: ", "correct line 2 of f"),
        (
            "a: 1\n<<<<<<< HEAD\nb: 1\n=======\nb: 2\n>>>>>>> x\n",
            "f:2 has the marks of a merge conflict",
            "keep one side: git checkout --ours f (where the marks were committed: "
            "git log f, then git checkout COMMIT f); then run the command again",
        ),
        ("a: !!python/object:os.system x\n", "f:1:4 is not YAML: ", "correct line 1 of f"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_named(text: str, fact: str, hint: str) -> None:
    with pytest.raises(BadRequest) as raised:
        parse_yaml(text, "f")
    assert raised.value.fact.startswith(fact)
    assert raised.value.hint == hint


def test_anchors_and_merge_keys_still_work() -> None:
    assert parse_yaml("x: &x {a: 1}\ny:\n  <<: *x\n  a: 2\n", "f")["y"] == {"a": 2}
