"""Remotes as DVC's configuration names them: what is read, and what changing the default leaves."""

from __future__ import annotations

import pytest
from configobj import ConfigObj

from dreg.core.remotes import Remote, Remotes, object_key, with_default
from dreg.errors import BadRequest

CONFIG = """[core]
    analytics = false
    remote = disk   # the default
# a comment
['remote "disk"']
    url = ../../dreg-store
['remote "local"']
    url = s3://dvcstore
    endpointurl = "http://localhost:9000"
    profile = storage
    region = eu-west-1
    credentialpath = ~/keys
[ 'remote "open"' ]
    URL = https://example.com/store
    allow_anonymous_login = True
"""


def test_what_dvc_configured_is_read():
    remotes = Remotes.parse(CONFIG, folder="/a/b/.dvc")
    assert remotes.default == "disk"
    assert remotes.by_name == {
        "disk": Remote("disk", "/a/dreg-store"),
        "local": Remote(
            "local",
            "s3://dvcstore",
            endpoint="http://localhost:9000",
            profile="storage",
            region="eu-west-1",
            credentials="~/keys",
        ),
        "open": Remote("open", "https://example.com/store", anonymous=True),
    }


def test_a_folder_is_relative_to_dvc_as_dvc_resolves_it(tmp_path):
    from dvc.config import Config

    config = tmp_path / "registry" / ".dvc" / "config"
    config.parent.mkdir(parents=True)
    config.write_text("[core]\nremote = disk\n['remote \"disk\"']\nurl = ../../store\n")
    by_dvc = Config(str(config.parent))["remote"]["disk"]["url"]
    remotes = Remotes.parse(config.read_text(), folder=str(config.parent))
    assert remotes.choose().url == by_dvc == str(tmp_path / "store")


def test_without_a_folder_it_stays_relative():
    assert Remotes.parse("['remote \"d\"']\nurl = ../x\n").by_name["d"].url == "../x"


@pytest.mark.parametrize("url", ["/srv/store", "s3://b/p", "~/store"])
def test_other_urls_stay_as_they_are(url):
    remotes = Remotes.parse(f"['remote \"d\"']\nurl = {url}\n", folder="/a/.dvc")
    assert remotes.by_name["d"].url == url


def test_the_local_configuration_overrides_key_by_key():
    local = "[core]\nremote = local\n['remote \"local\"']\nendpointurl = http://other:1\n"
    remotes = Remotes.parse(CONFIG, local, folder="/a/.dvc")
    assert remotes.choose() == remotes.by_name["local"]
    assert (remotes.choose().url, remotes.choose().endpoint) == ("s3://dvcstore", "http://other:1")


def test_a_remote_below_another_has_what_that_one_has():
    text = "['remote \"a\"']\nurl = s3://b\nprofile = p\n['remote \"c\"']\nurl = remote://a/x\n"
    assert Remotes.parse(text).by_name["c"] == Remote("c", "s3://b/x", profile="p")


def test_remotes_that_refer_to_each_other_are_a_bad_request():
    text = "['remote \"a\"']\nurl = remote://b/x\n['remote \"b\"']\nurl = remote://a/y\n"
    with pytest.raises(BadRequest, match="leads nowhere"):
        Remotes.parse(text)


def test_a_line_that_is_neither_names_its_place():
    with pytest.raises(BadRequest, match=r"\.dvc/config:2 is neither"):
        Remotes.parse("[core]\nremote\n")


def test_choosing():
    remotes = Remotes.parse(CONFIG, folder="/a/.dvc")
    assert remotes.choose().name == "disk"
    assert remotes.choose("local").name == "local"
    assert remotes.choose("s3://elsewhere/x") == Remote("s3://elsewhere/x", "s3://elsewhere/x")
    assert remotes.choose("/mnt/store").url == "/mnt/store"
    with pytest.raises(BadRequest) as caught:
        remotes.choose("lcoal")
    assert (caught.value.fact, caught.value.hint) == (
        "no remote named `lcoal`",
        "did you mean `local`?",
    )
    with pytest.raises(BadRequest, match="no default remote"):
        Remotes.parse("").choose()


@pytest.mark.parametrize(
    "before",
    [
        CONFIG,
        "",
        "['remote \"local\"']\nurl = s3://x\n",
        "[core]",
        "[core]\n\tautostage = true\n[cache]\n\ttype = hardlink\n",
        "[cache]\nremote = not-this-one\n",
    ],
)
def test_changing_the_default_leaves_the_rest(before):
    after = with_default(before, "local")
    was, now = (ConfigObj(text.splitlines()).dict() for text in (before, after))
    assert now["core"].pop("remote") == "local"
    was.setdefault("core", {}).pop("remote", None)
    assert now == was
    gone = set(before.splitlines()) - set(after.splitlines())
    assert all("remote = disk" in line for line in gone)
    assert Remotes.parse(after).default == "local"
    assert with_default(after, "local") == after


def test_objects_lie_where_dvc_3_has_them():
    assert object_key("ab" + "c" * 30) == "files/md5/ab/" + "c" * 30
    assert object_key("ab" + "c" * 30 + ".dir") == "files/md5/ab/" + "c" * 30 + ".dir"
