"""Signed releases: by git's own SSH and GPG signing, and refused unless the signature is right."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from tests.hand_made import WINE, HandMade
from tests.small_registry import NAME, SmallRegistry

TAG = "wine-v1.0.0"


def ssh_key(folder: Path, name: str) -> Path:
    """A key pair of `name`, and `name.allowed`, the file that allows it."""
    key = folder / name
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(key)]
    subprocess.run(command, check=True)
    public = key.with_suffix(".pub").read_text()
    key.with_suffix(".allowed").write_text(f"{name}@example.com {public}")
    return key


def sign_with(made: HandMade | SmallRegistry, key: Path, *settings: str) -> None:
    made.git("config", "gpg.format", "ssh")
    made.git("config", "user.signingkey", str(key.with_suffix(".pub")))
    for setting in settings:
        made.git("config", setting, "true")


@pytest.fixture
def ada(tmp_path) -> Path:
    return ssh_key(tmp_path, "ada")


@pytest.fixture
def wine(hand_made, ada) -> HandMade:
    """Release 1.0.0, signed by Ada; 1.1.0, by nobody."""
    sign_with(hand_made, ada, "tag.gpgSign")
    hand_made.release("1.0.0")
    hand_made.git("config", "tag.gpgSign", "false")
    hand_made.release("1.1.0", {**WINE, "processed/more.csv": b"1\n"})
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


@pytest.fixture
def gpg(monkeypatch):
    """A key of Grace's in a keyring of the test's own (a socket's path has to be short)."""
    if shutil.which("gpg") is None:
        pytest.skip("no gpg here")
    home = tempfile.mkdtemp(prefix="gpg")
    monkeypatch.setenv("GNUPGHOME", home)
    who = "Grace <grace@example.com>"
    command = ["gpg", "--batch", "--quiet", "--passphrase", "", "--quick-gen-key", who, "ed25519"]
    subprocess.run([*command, "sign", "never"], check=True, capture_output=True)
    yield "grace@example.com"
    subprocess.run(["gpgconf", "--kill", "all"], check=False, env={**os.environ, "GNUPGHOME": home})
    shutil.rmtree(home, ignore_errors=True)


def refused(made: HandMade, *arguments: str, code: int = 1, version: str = "1.0.0") -> str:
    """What `dreg fetch` says that refuses the release and places nothing."""
    done = made.dreg("fetch", f"wine@{version}", *arguments)
    assert (done.code, done.stdout) == (code, ""), done
    assert not (made.train / "data").exists()
    assert not (made.train / "dreg.lock").exists()
    return done.stderr


# Signing


def test_commit_and_tag_are_signed_and_read_as_any_release(ready, ada):
    sign_with(ready, ada)
    ready.ok("release", NAME, "--sign")
    tag = f"{NAME}-v1.0.0"
    signed_throughout(ready, tag, ada)
    assert ready.git("for-each-ref", "--format=%(refname)", "refs/tags").split() == [
        f"refs/tags/{tag}"
    ]
    assert not list((ready.path / ".git").glob("dreg-*"))
    shown = ready.ok("show", NAME, "--json").json
    assert shown["manifest"]
    (listed,) = ready.ok("list", "--json").json["datasets"]
    assert listed["samples"]
    assert ready.ok("release", NAME, "--json").json["releases"][0]["state"] == "unchanged"
    ready.ok(
        "fetch", NAME, "-o", "fetched", "--repo", str(ready.remote), "--allowed-signers", f"{ada}.allowed"
    )  # fmt: skip


def test_git_s_own_settings_are_followed_and_may_be_overruled(ready, ada):
    sign_with(ready, ada, "tag.gpgSign", "commit.gpgSign")
    ready.ok("release", NAME, "--no-sign")
    tag = f"{NAME}-v1.0.0"
    assert "BEGIN" not in ready.git("cat-file", "tag", tag)
    ready.ok("yank", f"{NAME}@1.0.0", "--reason", "a test")
    assert "BEGIN SSH SIGNATURE" in ready.git("cat-file", "tag", f"yank/{tag}")
    assert (
        ready.ok("yank", f"{NAME}@1.0.0", "--reason", "x", "--json").json["yank"]["reason"]
        == "a test"
    )
    ready.drop_column("leaf_mm")
    ready.release()
    assert "BEGIN SSH SIGNATURE" in ready.git("cat-file", "tag", f"{NAME}-v2.0.0")
    assert "gpgsig" in ready.git("cat-file", "commit", f"{NAME}-v2.0.0^{{commit}}")


def test_what_was_not_pushed_is_not_pushed_unsigned_where_signatures_are_wanted(ready, ada):
    tag = f"{NAME}-v1.0.0"
    ready.ok("release", NAME, "--no-push", "--no-sign")
    sign_with(ready, ada)
    done = ready.dreg("release", NAME, "--sign")
    assert (done.code, done.stdout) == (1, "")
    said = "was made here and never pushed, and its tag and commit are not signed"
    assert f"error: `{tag}` {said}\n" in done.stderr
    ready.git("config", "tag.gpgSign", "true")
    assert ready.dreg("release", NAME).code == 1
    assert ready.remote_tags() == []
    ready.git("tag", "-d", tag)  # as the hint says
    ready.ok("release", NAME, "--sign", "--no-push")
    ready.ok("release", NAME)
    signed_throughout(ready, tag, ada)


def test_the_commit_that_is_left_of_an_unsigned_release_is_not_released_as_signed(ready, ada):
    tag = f"{NAME}-v1.0.0"
    ready.ok("release", NAME, "--no-push", "--no-sign")
    unsigned = ready.git("rev-parse", "HEAD")
    ready.git("tag", "-d", tag)
    sign_with(ready, ada)
    ready.ok("release", NAME, "--sign")
    signed_throughout(ready, tag, ada)
    assert ready.git("rev-parse", f"{tag}^{{commit}}^") == unsigned
    assert (
        ready.git("rev-parse", "HEAD", "origin/main", f"{tag}^{{commit}}").split()[1:]
        == [ready.git("rev-parse", "HEAD")] * 2
    )
    assert "nothing to release" in ready.ok("release", NAME, "--sign").stdout


def test_a_signed_tag_on_an_unsigned_commit_is_not_pushed_as_signed(ready, ada):
    sign_with(ready, ada, "tag.gpgSign")
    ready.ok("release", NAME, "--no-push")
    done = ready.dreg("release", NAME, "--sign")
    assert (done.code, ready.remote_tags()) == (1, [])
    assert "and its commit is not signed" in done.stderr
    ready.ok("release", NAME)  # git's settings ask for no more


def signed_throughout(ready, tag: str, key: Path) -> None:
    allowed = ("-c", f"gpg.ssh.allowedSignersFile={key}.allowed")
    ready.git(*allowed, "verify-tag", tag, folder=ready.remote)
    ready.git(*allowed, "verify-commit", f"{tag}^{{commit}}", folder=ready.remote)


def test_it_is_pushed_unsigned_if_that_is_said(ready, ada):
    sign_with(ready, ada, "tag.gpgSign")
    ready.ok("release", NAME, "--no-push", "--no-sign")
    ready.ok("release", NAME, "--no-sign")
    assert "BEGIN" not in ready.git("cat-file", "tag", f"{NAME}-v1.0.0", folder=ready.remote)


def test_a_key_that_cannot_sign_leaves_nothing(ready, ada):
    sign_with(ready, ada)
    ada.unlink()
    done = ready.dreg("release", NAME, "--sign")
    assert done.code == 3
    assert "error: git could not sign\n" in done.stderr
    assert (ready.remote_tags(), ready.git("tag")) == ([], "")
    assert ready.ok("release", NAME).stdout.startswith(f"released {NAME} 1.0.0")


def test_signing_with_gpg(ready, gpg):
    ready.git("config", "user.signingkey", gpg)
    home = os.environ["GNUPGHOME"]
    ready.ok("release", NAME, "--sign", GNUPGHOME=home)
    assert "BEGIN PGP SIGNATURE" in ready.git("cat-file", "tag", f"{NAME}-v1.0.0")
    ready.ok(
        "fetch", NAME, "-o", "fetched", "--repo", str(ready.remote), "--require-signed", GNUPGHOME=home
    )  # fmt: skip
    done = ready.dreg(
        "fetch", NAME, "-o", "x", "--repo", str(ready.remote), "--require-signed", GNUPGHOME="/nowhere"
    )  # fmt: skip
    assert (done.code, "is not that of an allowed signer" in done.stderr) == (1, True)


# Fetching


def test_a_good_signature_by_an_allowed_signer(wine, ada):
    done = wine.dreg("fetch", "wine@1.0.0", "--allowed-signers", f"{ada}.allowed")
    assert done.code == 0, done.stderr
    assert f'{TAG}: Good "git" signature for ada@example.com' in done.stderr


def test_git_s_configuration_may_name_the_allowed_signers(wine, ada, tmp_path):
    own = tmp_path / "gitconfig"
    own.write_text(
        f'[protocol "file"]\n\tallow = always\n[gpg "ssh"]\n\tallowedSignersFile = {ada}.allowed\n'
    )
    done = wine.dreg("fetch", "wine@1.0.0", "--require-signed", GIT_CONFIG_GLOBAL=str(own))
    assert done.code == 0, done.stderr


def test_an_unsigned_release_is_refused(wine, ada):
    said = refused(wine, "--allowed-signers", f"{ada}.allowed", version="1.1.0")
    assert "error: `wine-v1.1.0` is not signed\n" in said


def test_a_lightweight_tag_is_refused(wine, ada):
    wine.git("tag", "wine-v1.2.0", f"{TAG}^{{commit}}")
    wine.git("push", "-q", "origin", "wine-v1.2.0")
    said = refused(wine, "--allowed-signers", f"{ada}.allowed", version="1.2.0")
    assert "is not signed" in said


def test_another_s_key_is_refused(wine, tmp_path):
    other = ssh_key(tmp_path, "eve")
    said = refused(wine, "--allowed-signers", f"{other}.allowed")
    assert f"error: the signature of `{TAG}` is not that of an allowed signer" in said


def test_a_gpg_signature_is_none_of_an_allowed_signers_file(hand_made, gpg, ada):
    hand_made.git("config", "user.signingkey", gpg)
    hand_made.git("config", "tag.gpgSign", "true")
    hand_made.release("1.0.0")
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    said = refused(hand_made, "--allowed-signers", f"{ada}.allowed")
    assert f"error: `{TAG}` is not signed by SSH" in said
    assert hand_made.dreg("fetch", "wine", "--require-signed").code == 0


def test_a_tampered_tag_is_refused(wine, ada):
    """Another manifest under Ada's signature."""
    text = wine.git("cat-file", "tag", TAG) + "\n"
    digest = wine.made["wine-v1.1.0"].digest
    forged = text.replace(wine.made[TAG].digest, digest)
    assert forged != text
    _replace_tag(wine, TAG, forged)
    said = refused(wine, "--allowed-signers", f"{ada}.allowed")
    assert f"the signature of `{TAG}` is not that of an allowed signer, or not good" in said


def test_a_signed_tag_under_another_name_is_refused(wine, ada):
    """The old release as the new one."""
    _replace_tag(wine, "wine-v1.1.0", wine.git("cat-file", "tag", TAG) + "\n")
    said = refused(wine, "--allowed-signers", f"{ada}.allowed", version="1.1.0")
    assert "error: what is called `wine-v1.1.0` was signed as another tag\n" in said


def test_what_is_in_place_and_locked_is_verified_too(wine, ada, tmp_path):
    wine.fetch("wine@1.0.0")
    allowed = ("--allowed-signers", f"{ada}.allowed")
    assert wine.dreg("fetch", *allowed).code == 0
    other = ssh_key(tmp_path, "eve")
    for request in ((), ("wine@1.0.0",)):
        assert wine.dreg("fetch", *request, "--allowed-signers", f"{other}.allowed").code == 1
    wine.fetch("wine@1.1.0")
    done = wine.dreg("fetch", *allowed)
    assert (done.code, "`wine-v1.1.0` is not signed" in done.stderr) == (1, True)


def test_nobody_trusted_and_no_such_file_are_bad_requests(wine):
    assert "--allowed-signers FILE" in refused(wine, "--require-signed", code=2)
    said = refused(wine, "--allowed-signers", "nothing", code=2)
    assert "there is no file of allowed signers `nothing`" in said


def _replace_tag(made: HandMade, tag: str, text: str) -> None:
    done = subprocess.run(
        ["git", "hash-object", "-t", "tag", "-w", "--stdin"],
        cwd=made.bare,
        input=text,
        capture_output=True,
        text=True,
        check=True,
    )
    made.git("update-ref", f"refs/tags/{tag}", done.stdout.strip(), cwd=made.bare)
