"""The schema of contracts for editors, held against the reader that decides."""

from __future__ import annotations

from pathlib import Path

import jinja2
import jsonschema
import pytest
import yaml

from dreg.adapters.yaml_files import parse_yaml
from dreg.core.contract import KEYS, Column, Contract, ContractSplit
from dreg.core.contract_schema import contract_schema
from dreg.core.gates import DRIFTS, GATES
from dreg.core.rules import RULES
from dreg.reference.contract import EXAMPLE
from tests.test_contract import MISTAKES, TEXT

ROOT = Path(__file__).resolve().parents[1]
SCHEMA = contract_schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
TOP = SCHEMA["properties"]

# What only the reader can tell: that a name is among others, that a number is below another; and a
# key that YAML 1.1 takes for a boolean is a text in JSON.
BEYOND_A_SCHEMA = (
    "label: color",
    "key: [id]",
    "range: [5, 2]",
    "no: int32",
    "upstream: [Base]",
    "upstream: [base@newest]",
    "upstream: [base, base@^1]",
    "values: ['3']",
    "quality: {type: string, values: [1, 2]}",
    "classes: [red, white], values: [0]",
    'pattern: "[0-9]"',
    "quality: {type: 'date32[day]', range: [1, 2]}",
)


def errors(value):
    return [error.message for error in VALIDATOR.iter_errors(value)]


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_schema_has_exactly_the_keys_that_are_read():
    assert sorted(TOP) == sorted(KEYS)
    assert list(TOP["splits"]["additionalProperties"]["properties"]) == list(
        ContractSplit.__dataclass_fields__
    )
    column = TOP["columns"]["additionalProperties"]["anyOf"][1]
    assert list(column["properties"]) == list(Column.__dataclass_fields__)
    assert tuple(TOP["gates"]["properties"]) == GATES
    assert tuple(TOP["gates"]["properties"]["max_drift"]["properties"]) == DRIFTS
    assert TOP["overrides"]["items"]["properties"]["rule"]["enum"] == sorted(RULES)


CONTRACTS = sorted(ROOT.glob("pipelines/*/dataset.yaml"))
TEMPLATES = sorted(ROOT.glob("dreg/templates/dataset/*/pipelines/*/dataset.yaml.jinja"))


@pytest.mark.parametrize("path", CONTRACTS, ids=lambda path: path.parent.name)
def test_shipped_contracts_are_valid(path):
    assert errors(parse_yaml(path.read_text(), str(path))) == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.parts[-4])
def test_contracts_of_new_datasets_are_valid(path):
    environment = jinja2.Environment()
    environment.filters["quoted"] = repr
    text = environment.from_string(path.read_text()).render(
        title="T", description="D", licence="L", owner=""
    )
    assert errors(parse_yaml(text, str(path))) == []


def test_there_are_contracts_to_check():
    assert CONTRACTS
    assert TEMPLATES


def test_the_example_of_the_page_is_valid():
    value = parse_yaml(EXAMPLE, "example")
    assert errors(value) == []
    assert Contract.parse(value).gates.count == 11


@pytest.mark.parametrize(("find", "replace", "fact"), MISTAKES)
def test_what_the_reader_refuses_the_schema_refuses_too(find, replace, fact):
    found = errors(yaml.safe_load(TEXT.replace(find, replace))) if replace != "no: int32" else []
    assert bool(found) == (replace not in BEYOND_A_SCHEMA)


@pytest.mark.parametrize(
    "change",
    [
        {"gates": {"min_sample": 1}},
        {"gates": {"min_samples": "many"}},
        {"gates": {"min_samples": {"train": -1}}},
        {"gates": {"max_nulls": 1.5}},
        {"gates": {"metrics": {"val": {"f1": {}}}}},
        {"gates": {"metrics": {"val": {"f1": {"least": 1}}}}},
        {"gates": {"max_leakage": "none"}},
        {"gates": {"max_leakage": 0.5}},
        {"gates": {"max_near_duplicates": 1}},
        {"gates": {"max_near_duplicates": {"pH": -1}}},
        {"gates": {"max_drift": 1}},
        {"gates": {"max_drift": {"median": 1}}},
        {"gates": {"max_drift": {"std": 0.5}}},
        {"overrides": {}},
        {"overrides": [{"rule": "column-remvoed", "price": "minor", "reason": "why"}]},
        {"overrides": [{"rule": "column-removed", "price": "tiny", "reason": "why"}]},
        {"overrides": [{"rule": "column-removed", "price": "minor"}]},
        {"overrides": [{"rule": "content-changed", "price": "none", "reason": "why"}]},
        {"thresholds": {"samples-added": {"part": 1}}},
        {"thresholds": {"samples-added": {"share": -1}}},
        {"thresholds": {"samples-corrected": {"added": 1}}},
        {"thresholds": {"column-removed": {"share": 1}}},
    ],
)
def test_mistakes_in_gates_and_prices_are_refused_by_both(change):
    value = yaml.safe_load(TEXT) | change
    assert errors(value)
    with pytest.raises(Exception, match=r"dataset\.yaml"):
        Contract.parse(value)
