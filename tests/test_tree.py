"""Datasets and the releases of others that they were made from, by their manifests."""

from __future__ import annotations

import pytest

from dreg.core.about import Upstream
from tests.hand_made import HandMade


@pytest.fixture
def chain(hand_made: HandMade) -> HandMade:
    """`answers` 2.0.0 was made from `texts` 1.0.0, that from `pages` 1.0.0; of `texts` there is 1.1.0."""

    def pin(name: str, version: str) -> Upstream:
        tag = f"{name}-v{version}"
        commit = hand_made.git("rev-parse", f"{tag}^{{commit}}")
        return Upstream(name, version, tag, commit, hand_made.made[tag].digest)

    hand_made.release("1.0.0", name="pages")
    hand_made.release("1.0.0", name="texts", upstream=(pin("pages", "1.0.0"),))
    hand_made.release("1.1.0", name="texts", upstream=(pin("pages", "1.0.0"),))
    made_from = (pin("texts", "1.0.0"), Upstream("gone"))
    hand_made.release("2.0.0", name="answers", upstream=made_from)
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


def test_the_newest_of_every_dataset_and_what_it_was_made_from(chain):
    done = chain.dreg("tree")
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        "answers 2.0.0",
        "├── texts 1.0.0 (latest 1.1.0)",
        "│   └── pages 1.0.0",
        "└── gone (no release has its bytes)",
        "pages 1.0.0",
        "texts 1.1.0",
        "└── pages 1.0.0",
    ]


def test_one_release(chain):
    (node,) = chain.dreg("tree", "texts@1.0.0", "--json").json["datasets"]
    assert (node["version"], node["latest"]) == ("1.0.0", "1.1.0")
    assert [up["dataset"] for up in node["upstream"]] == ["pages"]


def test_what_is_locked_here(chain):
    chain.fetch("answers")
    lines = chain.dreg("tree").stdout.splitlines()
    assert lines[0] == "answers 2.0.0"
    assert "pages 1.0.0" not in lines


def test_a_yanked_upstream_is_marked(chain):
    chain.git("tag", "-a", "-m", "wrong", "yank/texts-v1.0.0", "texts-v1.0.0^{commit}")
    chain.git("push", "-q", "--tags", "origin")
    assert "├── texts 1.0.0 (yanked) (latest 1.1.0)" in chain.dreg("tree", "answers").stdout


def test_an_unknown_dataset(chain):
    done = chain.dreg("tree", "answer")
    assert done.code == 2
    assert done.stderr == "error: no dataset named `answer`\n\nhint: did you mean `answers`?\n"


def test_trace_tells_what_was_made_from_a_release(chain):
    answer = chain.dreg("trace", "pages@1.0.0", "--json").json
    told = [(d["dataset"], d["version"]) for d in answer["downstream"]]
    assert told == [("texts", "1.0.0"), ("texts", "1.1.0")]
    assert "upstream of texts 1.0.0" in chain.dreg("trace", "pages@1.0.0").stdout
