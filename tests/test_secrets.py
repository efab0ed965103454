"""What is withheld, and what only looks like it."""

from __future__ import annotations

import json
from datetime import date

import pytest

from dreg.core.secrets import WITHHELD, without_secrets

KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize(
    "name",
    [
        "password", "db_password", "API_KEY", "api-key", "aws_secret_access_key", "access_key",
        "token", "hf_token", "client.secret", "credentials", "auth_key", "passphrase", "conn_str",
    ],
)  # fmt: skip
def test_what_goes_by_the_name_of_a_secret_is_withheld(name):
    assert without_secrets({"process": {name: "x"}}) == {"process": {name: WITHHELD}}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("key", "id"), ("tokenizer", "bert"), ("max_tokens", 512), ("token", 3), ("secret", True),
        ("primary_key", ["id"]), ("passages", "all"), ("author", "Ada"), ("password", None),
    ],
)  # fmt: skip
def test_what_only_sounds_like_one_stays(name, value):
    assert without_secrets({name: value}) == {name: value}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("https://ada:hunter2@example.com/x?page=2", "https://example.com/x?page=2"),
        ("s3://key@bucket/x", "s3://bucket/x"),
        ("from https://x/a?X-Amz-Signature=abc&b=1 on", f"from https://x/a?X-Amz-Signature={WITHHELD}&b=1 on"),
        ("AKIAIOSFODNN7EXAMPLE", WITHHELD),
        ("ghp_0123456789abcdef0123456789abcdef0123", WITHHELD),
        ("use hf_abcdefghijklmnopqrstuvwx.", f"use {WITHHELD}."),
        ("-----BEGIN RSA PRIVATE KEY-----\nMIIE\n", WITHHELD),
        ("eyJhbGciOiJI.eyJzdWIiOiIx.SflKxwRJ", WITHHELD),
        ("mail ada@example.com", "mail ada@example.com"),
        ("git@host:path", "git@host:path"),
        ("a sha " + "d" * 64, "a sha " + "d" * 64),
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_withheld_wherever_it_is(text, left):
    assert without_secrets([{"note": [text]}]) == [{"note": [left]}]


def test_what_is_known_to_be_a_secret_is_withheld():
    assert without_secrets({"url": f"x{KEY}y"}, [KEY]) == {"url": f"x{WITHHELD}y"}
    assert without_secrets({"stage": "dev"}, ["dev"]) == {"stage": "dev"}


def test_what_is_left_is_json():
    value = without_secrets({1: [float("nan"), float("inf"), 0.5], "since": date(2026, 1, 2)})
    assert json.loads(json.dumps(value, allow_nan=False)) == {
        "1": ["nan", "inf", 0.5],
        "since": "2026-01-02",
    }
