"""`dreg ci review` and `dreg ci comment`: what a pull request does to datasets, told where people look."""

from __future__ import annotations

import functools
import json
import re
import threading
from dataclasses import asdict, replace
from html import unescape
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as some
from markdown_it import MarkdownIt

from dreg.core.ci.comment import LIMIT, MARK, Place, comment
from dreg.core.ci.markup import code, literal, row, sentence
from dreg.core.ci.reviewed import (
    Column,
    Downstream,
    InSplit,
    Picture,
    Reviewed,
    Sample,
    Told,
    from_json,
)
from dreg.errors import BadRequest
from tests.ci_jobs import job
from tests.small_registry import NAME

HEAD = "c" * 40


@pytest.fixture
def proposed(released_once):
    """A release on main, and on a branch a pull request that drops a column and has been run and pushed."""
    released_once.git("switch", "-q", "-c", "topic")
    released_once.drop_column("leaf_mm")
    released_once.ok("run", NAME, "--push")
    released_once.commit_all()
    return released_once


def review(registry, *arguments, **environment):
    done = registry.ok("ci", "review", "--base", "origin/main", "--json", *arguments, **environment)
    return done.json


def reviewed(**more):
    return replace(
        Reviewed("toy", ("contract",), "up to date", last="1.0.0", next="2.0.0", bump="major"),
        **more,
    )


def shown(text):
    """What a reader of the rendered Markdown sees: tags, and texts."""
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(text)
    return html, unescape(re.sub(r"<[^>]*>", " ", html))


# What is found


def test_next_version_findings_schema_and_samples_are_told(proposed):
    (one,) = review(proposed)["datasets"]
    assert (one["last"], one["next"], one["bump"], one["state"]) == (
        "1.0.0",
        "2.0.0",
        "major",
        "up to date",
    )
    assert "column-removed" in {finding["rule"] for finding in one["findings"]}
    assert {"name": "leaf_mm", "before": "float64, mm", "after": None} in one["columns"]
    assert {split["split"] for split in one["splits"]} == {"train", "val"}
    assert (one["unseen"], one["error"]) == ([], "")
    text = proposed.ok("ci", "review", "--base", "origin/main").stdout
    assert text.startswith(f"{MARK}\n### Data review\n")
    _, seen = shown(text)
    assert "2.0.0" in seen
    assert "leaf_mm" in seen


def test_single_samples_are_told_where_their_index_can_be_had(released_once):
    released_once.edit("pipelines/toy/params.yaml", "validation_share: .*", "validation_share: 0.5")
    released_once.ok("run", NAME)
    released_once.commit_all()
    (one,) = review(
        released_once,
    )["datasets"]
    assert one["samples"]
    assert one["counts"][0][0] == "split"
    assert one["more_samples"] > 0


def test_without_the_remote_it_says_what_was_not_seen(proposed):
    proposed.git("push", "-q", "origin", "topic")
    checkout = job(proposed, depth=1000)
    proposed.git("fetch", "-q", "--tags", "origin", "topic", folder=checkout.path)
    proposed.git("checkout", "-q", "--detach", "FETCH_HEAD", folder=checkout.path)
    proposed.store.rename(proposed.home / "away")
    base = proposed.git("rev-parse", "main", folder=proposed.remote)
    done = checkout.dreg("ci", "review", "--base", base, "--json")
    assert done.code == 0, done.stderr
    (one,) = done.json["datasets"]
    assert (one["next"], one["state"]) == ("2.0.0", "missing")
    assert any("could not be compared" in text for text in one["unseen"])


def test_a_pipeline_that_was_changed_and_not_run_is_told(proposed):
    proposed.edit(f"pipelines/{NAME}/params.yaml", "validation_share: .*", "validation_share: 0.5")
    proposed.commit_all()
    assert review(proposed)["datasets"][0]["state"] == "changed"
    _, seen = shown(proposed.ok("ci", "review", "--base", "origin/main").stdout)
    assert "its pipeline was changed and not run since" in seen


def test_gates_that_are_broken_are_told(proposed):
    contract = proposed.path / "pipelines" / NAME / "dataset.yaml"
    contract.write_text(f"{contract.read_text()}  min_samples: {{val: 1000}}\n")
    proposed.commit_all()
    (one,) = review(proposed)["datasets"]
    assert any(problem.startswith("min_samples: split `val` has ") for problem in one["problems"])


def test_whom_it_reaches_is_told_and_whether_their_range_still_has_it(proposed):
    for name, wanted in (("old", "toy@^1"), ("any", "toy")):
        proposed.ok("new", name, "--kind", "tabular")
        proposed.edit(
            f"pipelines/{name}/dataset.yaml", "^title: .*", f"title: X\nupstream: ['{wanted}']"
        )
    proposed.commit_all()
    found = {one["name"]: one for one in review(proposed)["datasets"]}
    reached = {d["name"]: d["fits"] for d in found[NAME]["downstream"]}
    assert reached == {"old": False, "any": True}


def test_nothing_touched_and_a_dataset_that_is_gone(proposed):
    assert "No dataset is touched." in proposed.ok("ci", "review", "--base", "HEAD").stdout
    proposed.git("rm", "-r", "-q", f"pipelines/{NAME}")
    proposed.commit_all()
    assert review(proposed)["gone"] == [NAME]


def test_thumbnails_that_git_has_are_pictures_before_and_now(proposed):
    picture = proposed.path / "data" / NAME / "thumbnails.png"
    picture.write_bytes(b"png")
    proposed.git("add", "-f", str(picture))
    proposed.commit_all()
    (one,) = review(proposed, "--head", HEAD)["datasets"]
    assert one["pictures"] == [{"path": f"data/{NAME}/thumbnails.png", "commit": HEAD}]


# How it is told


HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</code></summary><script>alert(1)</script>",
    "a | b\n\n# Heading",
    "x\\| y | z \\\\| w",
    "`code` ``more`` `",
    "[click](https://evil.example)",
    "![pixel](https://evil.example/x.png)",
    "https://evil.example www.evil.example mail@evil.example",
    "@everyone @acme/admins fixes #1 GH-2 acme/x#3",
    "<!-- -->\n--> <details open>",
    "&lt;b&gt; &#64;you",
    "- [ ] task\n> quote\n1. one",
    "\u202egnp.exe\u2066\x1b[2J\x00",
    "~~~\n```\n$$x$$",
    "*a* _b_ ~c~ **d**",
]


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("form", [literal, code, sentence], ids=["literal", "code", "sentence"])
def test_hostile_text_is_text_alone_in_a_cell_and_in_a_list(form, text):
    for markdown in (
        f"{row('a', 'b')}\n{row('---', '---')}\n{row(form(text), 'end')}",
        f"- {form(text)}",
    ):
        html, seen = shown(markdown)
        assert set(re.findall(r"</?([a-z0-9]+)", html)) <= {
            "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code"
        }  # fmt: skip
        assert html.count("<li>") == markdown.startswith("- ")
        assert html.count("<td>") in (0, 2)
        plain = seen.replace("\u200b", "")
        for word in re.findall(r"[a-z]{3,}", text):
            assert word in plain


@given(some.text())
def test_whatever_the_text_cells_and_items_stay_what_they_are_and_nothing_is_markup(text):
    markdown = f"{row('a', 'b')}\n{row('---', '---')}\n{row(code(text), sentence(text))}\n\nend"
    html, _ = shown(markdown)
    assert html.count("<td>") == 2
    assert "<p>end</p>" in html
    listed, _ = shown(f"- {literal(text)}\n- {sentence(text)}\n")
    assert listed.count("<li>") == listed.count("</li>") == 2
    assert not re.search(r"<(?!/?(ul|li|code|p)>)", listed)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {
        "table", "thead", "tbody", "tr", "th", "td", "code", "p",
    }  # fmt: skip


@given(some.sampled_from(["@", "#", "gh-", "GH-", "www.", "://"]), some.text("ab1 ", min_size=1))
def test_what_github_would_make_a_link_of_is_broken_up(sign, behind):
    _, seen = shown(literal(f"x {sign}{behind}"))
    assert not re.search(r"[@#]\w|\bgh-\w|://|\bwww\.", seen, re.IGNORECASE)


def test_sentences_keep_their_names_as_code():
    assert sentence("column `a|b` is gone") == "column <code>a&#124;b</code> is gone"
    assert shown(sentence("set ``a`b`` free"))[1].strip().replace("  ", " ") == "set a`b free"


def test_everything_hostile_at_once_is_a_comment_of_the_usual_tags():
    bad = " ".join(HOSTILE)
    one = Reviewed(
        name=bad, why=(bad,), state=bad, unseen=(bad,), last=bad, next=bad, bump=bad,
        findings=(Told(bad, bad, bad, bad),), problems=(bad,), columns=(Column(bad, bad, bad),),
        splits=(InSplit(bad, 1, 2),), counts=(("split", bad), (bad, bad)), samples=(Sample(bad, bad, bad),),
        pictures=(Picture(f"data/x/{bad}.png", HEAD), Picture("data/x/t.png", bad), Picture("../t.png", HEAD)),
        downstream=(Downstream(bad, bad, False),),
    )  # fmt: skip
    text = comment([one], gone=[bad], head=HEAD, place=Place("https://github.com", "acme/registry"))
    html, _ = shown(text)
    assert set(re.findall(r"<([a-z0-9]+)", html)) <= {
        "h3", "table", "thead", "tbody", "tr", "th", "td", "code", "p", "strong", "details", "summary",
        "ul", "li", "sub", "img",
    }  # fmt: skip
    assert html.count("<details>") == html.count("</details>") == 1
    images = re.findall(r'src="([^"]*)"', html)
    assert all(src.startswith("https://github.com/acme/registry/blob/") for src in images)
    assert len(images) <= 1


def test_a_picture_is_shown_from_the_repository_at_its_commit():
    one = reviewed(pictures=(Picture("data/toy/thumbnails.png", HEAD),))
    where = f"https://github.com/acme/registry/blob/{HEAD}/data/toy/thumbnails.png?raw=true"
    assert where in comment([one], place=Place("https://github.com", "acme/registry"))
    assert "<img" not in comment([one])


@pytest.mark.parametrize("number", [1, 30, 5000])
@pytest.mark.parametrize("limit", [LIMIT, 3000])
def test_a_comment_is_never_longer_than_github_takes_and_always_whole(number, limit):
    long = "\U0001f600@|`" * 300
    one = reviewed(
        findings=tuple(Told("major", "x", f"{long} {at}", long) for at in range(500)),
        columns=tuple(Column(f"{long}{at}", long, None) for at in range(500)),
        samples=tuple(Sample("added", "train", f"{long}{at}") for at in range(500)),
        problems=(long,) * 100,
    )
    text = comment([replace(one, name=f"d{at}{long}") for at in range(number)], limit=limit)
    assert len(text.encode("utf-16-le")) // 2 <= limit
    html, _ = shown(text)
    assert html.count("<details>") == html.count("</details>")
    assert text.startswith(MARK)
    if number == 5000:
        assert re.search(r"and [\d,]+ datasets more|did not fit", text)


def test_what_fits_is_all_there():
    findings = tuple(Told("minor", "samples-added", f"finding {at}", "Nobody.") for at in range(30))
    text = comment([replace(reviewed(findings=findings), name=f"d{at}") for at in range(3)])
    for at in range(30):
        assert text.count(f"finding {at} ") == 3


# Thumbnails that DVC keeps, in a checkout that has no data

DRAWS = """
import pathlib
colour = {colour!r}.encode()
pathlib.Path("../../data/toy/thumbnails.png").write_bytes(b"png " + colour * 1000)
"""


@pytest.fixture
def with_thumbnails(registry):
    """`toy` with thumbnails that its last stage draws and DVC keeps, released in one colour and proposed in another."""
    analyze = registry.path / "pipelines" / NAME / "scripts" / "analyze.py"
    own = analyze.read_text()
    outs = r"^      - \.\./\.\./data/toy/samples\.parquet$"
    listed = "      - ../../data/toy/samples.parquet\n      - ../../data/toy/thumbnails.png"
    registry.edit(f"pipelines/{NAME}/dvc.yaml", outs, listed)
    with (registry.path / "data" / NAME / ".gitignore").open("a") as file:
        file.write("/thumbnails.png\n")
    analyze.write_text(own + DRAWS.format(colour="red"))
    registry.commit_all()
    registry.git("push", "-q")
    registry.ok("ci", "run")
    registry.git("switch", "-q", "-c", "topic")
    analyze.write_text(own + DRAWS.format(colour="blue"))
    registry.drop_column("leaf_mm")
    registry.ok("run", NAME, "--push")
    registry.commit_all()
    registry.git("push", "-q", "origin", "topic")
    return registry


def checkout_of(registry):
    """The pull request's commit as its job has it: git's files and tags, none of DVC's."""
    ran = job(registry, depth=1000)
    registry.git("fetch", "-q", "--tags", "origin", "topic", folder=ran.path)
    registry.git("checkout", "-q", "--detach", "FETCH_HEAD", folder=ran.path)
    return ran


def reviewed_in(checkout, registry, **environment):
    base = registry.git("rev-parse", "main", folder=registry.remote)
    done = checkout.dreg(
        "ci", "review", "--base", base, "--out", "../review", "--json", **environment
    )
    assert done.code == 0, done.stderr
    return done.json["datasets"][0]


def test_thumbnails_that_only_the_remote_has_come_from_where_no_key_is_needed(with_thumbnails):
    """A web server in front of the bytes; of the data itself nothing is asked for."""
    registry = with_thumbnails
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def log_request(self, *_):
            asked.append(self.path)

    registry.store.rename(registry.home / "open")  # nothing is beside the checkout
    handler = functools.partial(Handler, directory=str(registry.home / "open"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        address = f"http://127.0.0.1:{server.server_address[1]}"
        one = reviewed_in(checkout_of(registry), registry, DREG_REMOTE=address)
        server.shutdown()
    assert one["pictures_beside"] == ["pictures/toy-1.0.0.png", "pictures/toy-now.png"]
    folder = registry.home / "review"
    assert (folder / "pictures/toy-1.0.0.png").read_bytes() == b"png " + b"red" * 1000
    assert (folder / "pictures/toy-now.png").read_bytes() == b"png " + b"blue" * 1000
    assert not [text for text in one["unseen"] if "thumbnails" in text or "samples" in text]
    assert len(set(asked)) == 4, "two pictures, two sample indexes"


def test_thumbnails_that_cannot_be_had_are_told_as_not_seen(with_thumbnails):
    registry = with_thumbnails
    registry.store.rename(registry.home / "away")
    one = reviewed_in(checkout_of(registry), registry)
    assert one["pictures_beside"] == []
    assert [text.partition(":")[0] for text in one["unseen"] if "thumbnails" in text] == [
        "thumbnails (1.0.0) could not be had",
        "thumbnails (now) could not be had",
    ]
    assert not (registry.home / "review/pictures").exists() or not list(
        (registry.home / "review/pictures").iterdir()
    )


def test_thumbnails_beside_the_review_are_named_with_the_run_that_has_them():
    one = reviewed(pictures_beside=("pictures/toy-now.png",))
    run = Place("https://github.com", "acme/registry", "42")
    text = comment([one], place=run)
    html, seen = shown(text)
    assert 'href="https://github.com/acme/registry/actions/runs/42#artifacts"' in html
    assert "pictures/toy-now.png" in seen
    hostile = Place("https://github.com", "acme/registry", "42) <img src=x> (")
    assert "<img" not in comment([one], place=hostile)
    assert "beside this review" in comment([one])


def test_a_review_of_an_older_dreg_has_fewer_keys_and_none_has_more():
    whole = json.loads(json.dumps(asdict(reviewed())))
    older = {key: value for key, value in whole.items() if key != "pictures_beside"}
    assert from_json(Reviewed, older, "x") == from_json(Reviewed, whole, "x") == reviewed()
    with pytest.raises(BadRequest, match="other keys"):
        from_json(Reviewed, {**whole, "script": ""}, "x")
    with pytest.raises(BadRequest, match="other keys"):
        from_json(Reviewed, {k: v for k, v in whole.items() if k != "name"}, "x")


# How it is posted


def posted(registry, pull_request, *arguments, code=0, **environment):
    more = {**pull_request.environment, **environment}
    done = registry.dreg("ci", "comment", "../review", "--json", *arguments, **more)
    assert done.code == code, done.stderr
    return done


@pytest.fixture
def found(proposed, pull_request):
    """The review of the proposed change, as its job left it for the one that posts."""
    pull_request.head = HEAD
    proposed.ok(
        "ci", "review", "--base", "origin/main", "--out", "../review", DREG_HEAD=HEAD, DREG_PULL="7"
    )
    return proposed


def test_one_comment_is_kept_up_to_date(found, pull_request):
    pull_request.keep(f"{MARK}\nwritten by somebody else", "mallory")
    first = posted(found, pull_request, "--head", HEAD).json
    assert (first["state"], first["pull"]) == ("written", 7)
    assert "2&#46;0&#46;0" in pull_request.comments[2]["body"]
    assert posted(found, pull_request, "--head", HEAD).json["state"] == "unchanged"
    pull_request.comments[2]["body"] = f"{MARK}\nold"
    assert posted(found, pull_request, DREG_HEAD=HEAD).json["state"] == "updated"
    assert "2&#46;0&#46;0" in pull_request.comments[2]["body"]
    assert pull_request.comments[1]["body"].endswith("written by somebody else")
    assert len(pull_request.comments) == 2


def test_a_review_of_another_commit_or_pull_request_is_not_posted(found, pull_request):
    assert "is not at" in posted(found, pull_request, "--head", "d" * 40, code=1).stderr
    pull_request.number = 8
    assert posted(found, pull_request, "--head", HEAD, code=3).stderr.startswith(
        "error: GitHub has no"
    )
    assert pull_request.comments == {}


def test_a_token_that_may_not_comment_is_told_what_is_missing(found, pull_request):
    done = posted(found, pull_request, "--head", HEAD, code=3, GITHUB_TOKEN="another")
    assert "`pull-requests: write`" in done.stderr


@pytest.mark.parametrize(
    "change",
    [
        lambda data: [],
        lambda data: {**data, "more": 1},
        lambda data: {**data, "pull": "7"},
        lambda data: {**data, "datasets": [{**data["datasets"][0], "findings": [1]}]},
        lambda data: {**data, "datasets": [{**data["datasets"][0], "name": None}]},
        lambda data: {**data, "datasets": {}},
        lambda data: {**data, "pull": True},
    ],
)
def test_what_is_no_review_is_not_posted(found, pull_request, change):
    file = found.home / "review" / "review.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    done = posted(found, pull_request, "--head", HEAD, code=2)
    assert "review.json" in done.stderr
    assert pull_request.comments == {}


def test_what_is_huge_or_nested_is_not_posted(found, pull_request):
    file = found.home / "review" / "review.json"
    for text in ("[" * 100_000, " " * 5_000_000, "nonsense"):
        file.write_text(text)
        assert "is no review" in posted(found, pull_request, "--head", HEAD, code=2).stderr


def test_values_are_read_as_they_were_written():
    one = reviewed(columns=(Column("a", None, "int64"),), counts=(("split", "n"), ("train", "1")))
    data = json.loads(json.dumps(one, default=vars))
    assert from_json(Reviewed, data, "review") == one
    with pytest.raises(BadRequest):
        from_json(Reviewed, {**data, "bump": 3}, "review")
