"""Asking GitHub: pages, what has not changed, rate limits, and files by their hash."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from dreg.adapters.github import Absent, Api, Declined, blob, readme, repositories
from dreg.adapters.sources import Cache, Mirrors
from dreg.core.sources import GitHubBlob, Local, Source, parse_sources
from dreg.errors import BadRequest, Outside
from tests.github_server import TOKEN, git_hash
from tests.ports import free_ports


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "cache"))


def names(api: Api) -> list[str]:
    return [repo.name for repo in repositories(api, "acme")]


def test_every_page_is_read(github):
    for i in range(7):
        github.add(f"repo-{i}", b"# a")
    github.page = 3
    assert names(Api()) == [f"acme/repo-{i}" for i in range(7)]
    assert github.asked() == [200, 200, 200]


def test_a_persons_repositories_are_found_as_well(github):
    github.add("one", b"# a")
    github.is_organisation = False
    assert names(Api()) == ["acme/one"]


def test_forks_and_what_is_private_are_left_out(github):
    github.add("own", b"# a")
    github.add("fork", b"# a", fork=True)
    github.add("secret", b"# a", private=True)
    assert names(Api()) == ["acme/own"]


@pytest.mark.parametrize(("spdx", "licence"), [("MIT", "MIT"), ("NOASSERTION", None), (None, None)])
def test_a_licence_is_what_github_knows(github, spdx, licence):
    github.add("own", b"# a", licence=spdx)
    assert [repo.licence for repo in repositories(Api(), "acme")] == [licence]


def test_what_has_not_changed_is_not_sent_again_and_counts_for_no_limit(github):
    github.add("one", b"# a")
    github.add("two", b"# b")
    github.page = 1
    assert names(Api()) == ["acme/one", "acme/two"]
    github.asked()
    github.left[None] = 0
    assert names(Api()) == ["acme/one", "acme/two"], "all pages, too"
    assert github.asked() == [304, 304]
    github.left.clear()
    github.change("two", b"# c")
    assert readme(Api(), "acme/two").content == b"# c"


def test_a_kept_answer_that_is_damaged_is_asked_for_again(github, tmp_path):
    github.add("one", b"# a")
    names(Api())
    for kept in (tmp_path / "cache/github").iterdir():
        kept.write_bytes(b'{"etag": ')
    github.asked()
    assert names(Api()) == ["acme/one"]
    assert github.asked() == [200]


def test_a_token_is_sent_and_another_one_is_told(github, monkeypatch):
    github.add("one", b"# a")
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    names(Api())
    assert github.seen[-1][2] == f"Bearer {TOKEN}"
    monkeypatch.setenv("GITHUB_TOKEN", "an-old-token")
    with pytest.raises(Outside, match="does not accept the token") as caught:
        names(Api())
    assert "an-old-token" not in str(vars(caught.value))


def test_a_token_goes_to_no_other_server(github, monkeypatch):
    for i in range(2):
        github.add(f"repo-{i}", b"# a")
    github.page = 1
    github.next_url = "http://localhost:9"
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with pytest.raises(Outside, match="its next page is elsewhere"):
        names(Api())


def test_a_used_up_limit_says_when_it_resets_and_what_helps(github):
    github.add("one", b"# a")
    github.left[None] = 0
    with pytest.raises(Outside) as caught:
        names(Api())
    resets = f"{datetime.fromtimestamp(github.reset, UTC):%Y-%m-%d %H:%M} UTC, in 32 min"
    assert caught.value.fact == f"GitHub answers no more requests without a token until {resets}"
    assert caught.value.hint == "try again then, or set GITHUB_TOKEN, which may ask more often"


def test_with_a_token_only_waiting_helps(github, monkeypatch):
    github.left[f"Bearer {TOKEN}"] = 0
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with pytest.raises(Outside, match="no more requests with this token until") as caught:
        names(Api())
    assert caught.value.hint == "try again then"


def test_a_short_pause_is_kept_and_a_long_one_is_told(github):
    github.add("one", b"# a")
    pauses: list[float] = []
    github.troubles = [(429, {"Retry-After": "2"}), (502, {})]
    assert names(Api(sleep=pauses.append)) == ["acme/one"]
    assert pauses == [2.0, 2.0]
    github.troubles = [(403, {"Retry-After": "600"})]
    with pytest.raises(Outside, match=r"until .* UTC, in 10 min"):
        names(Api(sleep=pauses.append))
    assert pauses == [2.0, 2.0]


SECONDARY = (
    "You have exceeded a secondary rate limit.\nPlease wait a few minutes before you try again."
)


@pytest.mark.parametrize("status", [403, 429])
def test_a_limit_without_a_time_is_told_in_the_servers_words_and_when_to_ask_again(github, status):
    github.says, github.troubles = SECONDARY, [(status, {})]
    before = datetime.now(UTC).replace(microsecond=0)
    with pytest.raises(Declined) as caught:
        names(Api())
    said = " ".join(SECONDARY.split())
    assert caught.value.fact == f"GitHub answers no more requests for now: {said}"
    when = re.fullmatch(
        r"try again after (\d\d:\d\d:\d\d) UTC, or set GITHUB_TOKEN, which may ask more often",
        caught.value.hint,
    )
    pause = datetime.strptime(when[1], "%H:%M:%S") - datetime.strptime(
        f"{before:%H:%M:%S}", "%H:%M:%S"
    )
    assert 60 <= pause.total_seconds() % 86_400 < 90, "GitHub asks for a minute at least"


def test_what_is_not_shown_is_told_in_the_servers_words(github, monkeypatch):
    github.says, github.troubles = "Resource protected by\x1b[31m organization SSO", [(403, {})] * 2
    with pytest.raises(Declined) as caught:
        names(Api())
    assert caught.value.fact == (
        "GitHub does not show /orgs/acme/repos: Resource protected by\\x1b[31m organization SSO"
    )
    assert caught.value.hint == "set GITHUB_TOKEN to one that may read it"
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    with pytest.raises(Declined) as caught:
        names(Api())
    assert caught.value.hint == "check what GITHUB_TOKEN may read"


def test_a_server_that_stays_broken_is_told(github):
    github.troubles = [(503, {})] * 3
    with pytest.raises(Outside, match="answers oddly: 503 Service Unavailable: trouble"):
        names(Api(sleep=lambda _: None))
    assert github.asked() == [503] * 3


def test_nobody_there_is_told_at_once(monkeypatch):
    (port,) = free_ports(1)
    monkeypatch.setenv("GITHUB_API_URL", f"http://127.0.0.1:{port}")
    with pytest.raises(Outside, match="cannot be asked: no connection"):
        names(Api())


def test_an_unknown_organisation_is_told(github):
    with pytest.raises(Absent, match="GitHub has no /users/nobody/repos"):
        repositories(Api(), "nobody")


def test_a_repository_without_a_readme_has_none(github):
    github.add("bare", None)
    assert readme(Api(), "acme/bare") is None


def test_a_repository_that_was_taken_down_has_none_either(github):
    github.add("tools", b"# tools\n")
    github.troubles = [(451, {})]
    assert readme(Api(), "acme/tools") is None


def test_other_bytes_than_the_hash_names_are_refused(github):
    github.add("one", b"# a")
    github.blobs[git_hash(b"# a")] = b"# forged"
    with pytest.raises(Outside, match="gave other bytes"):
        blob(Api(), "acme/one", git_hash(b"# a"))


# As a mirror


def source(content: bytes, *more: Local) -> Source:
    mirror = GitHubBlob("acme/one", git_hash(content))
    return Source("one.md", hashlib.sha256(content).hexdigest(), len(content), (mirror, *more))


def test_a_blob_is_a_source_even_when_the_branch_has_gone_on(github, tmp_path):
    github.add("one", b"# before")
    github.change("one", b"# now")
    notes: list[str] = []
    mirrors = Mirrors(Cache(tmp_path / "downloads"), notes.append)
    assert mirrors.place(source(b"# before"), tmp_path).startswith("github acme/one")
    assert (tmp_path / "one.md").read_bytes() == b"# before"


def test_what_github_lacks_is_had_from_the_next_mirror(github, tmp_path, monkeypatch):
    (tmp_path / "mirror").mkdir()
    (tmp_path / "mirror/one.md").write_bytes(b"# kept")
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    notes: list[str] = []
    mirrors = Mirrors(Cache(tmp_path / "downloads"), notes.append)
    assert mirrors.place(source(b"# kept", Local("one.md")), tmp_path) == "local one.md"
    assert "GitHub has no /repos/acme/one/git/blobs" in notes[0]


def test_a_used_up_limit_is_asked_about_once(github, tmp_path):
    github.add("one", b"# a")
    github.left[None] = 0
    mirrors = Mirrors(Cache(tmp_path / "downloads"), lambda _: None)
    for content in (b"# a", b"# b"):
        with pytest.raises(Outside) as caught:
            mirrors.place(source(content), tmp_path)
        assert "answers no more requests without a token until" in caught.value.details[0]
        assert caught.value.hint == "try again then, or set GITHUB_TOKEN, which may ask more often"
    assert github.asked() == [403]


@pytest.mark.parametrize(
    ("mirror", "fact"),
    [
        ({"repository": "one", "blob": "0" * 40}, "names the repository `one`"),
        ({"repository": "acme/..", "blob": "0" * 40}, "names the repository `acme/..`"),
        ({"repository": "acme/one?x", "blob": "0" * 40}, "names the repository `acme/one[?]x`"),
        ({"repository": "acme/one", "blob": "main"}, "names the blob `main`"),
    ],
)
def test_a_mirror_that_is_written_badly_is_refused(mirror, fact):
    entry = {"sha256": "0" * 64, "size": 1, "mirrors": [{"github": mirror}]}
    with pytest.raises(BadRequest, match=fact):
        parse_sources({"one.md": entry})


def test_a_clock_is_asked_for_no_second_longer_than_needed(github):
    github.reset = int(time.time()) - 5
    github.left[None] = 0
    with pytest.raises(Outside, match="in 1 min"):
        names(Api())
