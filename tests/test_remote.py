"""`dreg remote`: list, use, check."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hand_made import CONFIG, S3_REMOTE
from tests.ports import free_ports
from tests.s3_server import SECRET


@pytest.fixture
def dreg(hand_made):
    """Runs `dreg remote ...` in a registry with the remotes `disk` (default) and `local`."""
    local = S3_REMOTE.format(url="s3://dvcstore", endpoint="http://localhost:9000")
    config(hand_made).write_text(CONFIG + local)
    return lambda *arguments, **environment: hand_made.dreg(
        "remote", *arguments, cwd=hand_made.path, **environment
    )


def config(hand_made, name: str = "config") -> Path:
    return hand_made.path / ".dvc" / name


def test_list_marks_the_default(dreg, hand_made):
    done = dreg("list")
    assert (done.code, done.stderr) == (0, "")
    head, disk, local = done.stdout.splitlines()
    assert head.split() == ["REMOTE", "URL", "ENDPOINT"]
    assert disk.split() == ["*", "disk", str(hand_made.store), "-"]
    assert local.split() == ["local", "s3://dvcstore", "http://localhost:9000"]


def test_list_as_json(dreg, hand_made):
    assert dreg("list", "--json").json == {
        "remotes": [
            {"name": "disk", "url": str(hand_made.store), "endpoint": "", "default": True},
            {
                "name": "local",
                "url": "s3://dvcstore",
                "endpoint": "http://localhost:9000",
                "default": False,
            },
        ]
    }


def test_use_changes_one_line_of_the_committed_file(dreg, hand_made):
    before = config(hand_made).read_text()
    done = dreg("use", "local")
    assert (done.code, done.stdout, done.stderr) == (
        0,
        "`local` is the default remote now (.dvc/config)\n",
        "",
    )
    assert config(hand_made).read_text() == before.replace("remote = disk", "remote = local")
    assert [path.name for path in config(hand_made).parent.iterdir()] == ["config"]


def test_use_local_changes_this_work_tree_only(dreg, hand_made):
    before = config(hand_made).read_text()
    assert dreg("use", "local", "--local").code == 0
    assert config(hand_made).read_text() == before
    assert config(hand_made, "config.local").read_text() == "[core]\n    remote = local\n"
    assert [r["name"] for r in dreg("list", "--json").json["remotes"] if r["default"]] == ["local"]


def test_an_unknown_remote_suggests_the_closest(dreg):
    for command in ("use", "check"):
        done = dreg(command, "lcoal")
        assert (done.code, done.stdout, done.stderr) == (
            2,
            "",
            "error: no remote named `lcoal`\n\nhint: did you mean `local`?\n",
        )


def test_a_malformed_configuration_names_its_line(dreg, hand_made):
    config(hand_made).write_text("[core]\nremote disk\n")
    done = dreg("list")
    assert (done.code, done.stdout, done.stderr) == (
        2,
        "",
        "error: .dvc/config:2 is neither a `[section]` nor `key = value`\n\n"
        "hint: correct line 2 of .dvc/config\n",
    )


def test_outside_a_registry(dreg, hand_made, tmp_path):
    done = hand_made.dreg("remote", "list", cwd=hand_made.train)
    assert (done.code, done.stdout) == (2, "")
    assert "is not inside a registry" in done.stderr


def test_check_writes_reads_back_and_deletes_one_object(dreg, hand_made):
    done = dreg("check", "--json")
    assert (done.code, done.stderr) == (0, "")
    assert (done.json["remote"], done.json["url"]) == ("disk", str(hand_made.store))
    assert 0 <= done.json["seconds"] < 10
    assert not any(path.is_file() for path in hand_made.store.rglob("*"))


def test_check_on_s3(dreg, s3):
    done = dreg("check", "local", AWS_ENDPOINT_URL=s3.endpoint, **s3.environment)
    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.startswith("`local` works: wrote, read back and deleted one object in ")
    assert done.stdout.endswith(f" at {s3.endpoint})\n"), "not where .dvc/config says"


def test_check_of_a_url(dreg, s3):
    done = dreg("check", s3.url, AWS_ENDPOINT_URL=s3.endpoint, **s3.environment)
    assert (done.code, done.stderr) == (0, "")


def test_check_says_who_was_refused_and_shows_no_secret(dreg, s3):
    wrong = {**s3.environment, "AWS_SECRET_ACCESS_KEY": "another-secret"}
    done = dreg("check", "local", "--debug", AWS_ENDPOINT_URL=s3.endpoint, **wrong)
    assert (done.code, done.stdout) == (3, "")
    assert done.stderr.endswith(
        f"error: the remote `local` (s3://dvcstore) at {s3.endpoint} refused access "
        "(SignatureDoesNotMatch) to the keys in the environment (AWS_ACCESS_KEY_ID)\n\n"
        "hint: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or choose AWS_PROFILE\n"
    )
    assert "another-secret" not in done.stderr and SECRET not in done.stderr


def test_check_without_credentials(dreg):
    done = dreg("check", "local")
    assert (done.code, done.stdout, done.stderr) == (
        3,
        "",
        "error: no credentials for the remote `local` (s3://dvcstore) at http://localhost:9000: "
        "the AWS credential chain has none\n\n"
        "hint: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, "
        "or choose a profile with AWS_PROFILE\n",
    )


def test_check_of_an_unreachable_remote(dreg, s3):
    (port,) = free_ports(1)
    endpoint = f"http://127.0.0.1:{port}"
    done = dreg("check", "local", AWS_ENDPOINT_URL=endpoint, **s3.environment)
    assert (done.code, done.stdout, done.stderr) == (
        3,
        "",
        f"error: the remote `local` (s3://dvcstore) at {endpoint} cannot be reached: "
        "Connection refused\n\n"
        "hint: check that it runs and that the endpoint is right for here (AWS_ENDPOINT_URL)\n",
    )


def test_the_environment_may_name_the_remote(dreg, tmp_path):
    done = dreg("check", "--json", DREG_REMOTE=str(tmp_path / "elsewhere"))
    assert done.json["url"] == str(tmp_path / "elsewhere")


def test_names_are_completed(dreg, hand_made, monkeypatch):
    from dreg.commands.remote import complete_remote

    monkeypatch.chdir(hand_made.path)
    assert complete_remote("") == ["disk", "local"]
    assert complete_remote("lo") == ["local"]
    monkeypatch.chdir(hand_made.train)
    assert complete_remote("") == []
