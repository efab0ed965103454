"""Which cluster `dreg submit` asks, and as whom: kubeconfig files as kubectl has them, and what is wrong with them."""

from __future__ import annotations

import json
import stat

import pytest

from tests.kubernetes_server import NAMESPACE, TOKEN
from tests.small_registry import NAME
from tests.test_submit import made

EXEC = "client.authentication.k8s.io/v1"


@pytest.fixture
def home(registry, kubernetes):
    return Home(registry, kubernetes)


class Home:
    """Where kubeconfig files are written, and `dreg submit` is asked by them."""

    def __init__(self, registry, kubernetes):
        self.folder = registry.home
        self.registry = registry
        self.kubernetes = kubernetes

    def write(
        self, name="config", *, user=None, cluster=None, context="here", current=True, only=()
    ):
        """A file of one context, or of `only` some of its parts."""
        server = {"server": self.kubernetes.url, **(cluster or {})}
        said = {
            "clusters": [{"name": "here", "cluster": server}],
            "users": [{"name": "me", "user": {"token": TOKEN} if user is None else user}],
            "contexts": [
                {
                    "name": context,
                    "context": {"cluster": "here", "user": "me", "namespace": NAMESPACE},
                }
            ],
        }
        if current:
            said["current-context"] = context
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({key: said[key] for key in only or said}))
        return path

    def program(self, text, name="log-in"):
        path = self.folder / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        return path

    def logging_in(self, command, version=EXEC, **more):
        return {"exec": {"apiVersion": version, "command": str(command), **more}}

    def submit(self, *files, more=(), **environment):
        told = {"KUBECONFIG": ":".join(map(str, files)), **environment}
        done = self.registry.dreg("submit", NAME, "--to", "argo", *more, **told)
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        return done


# Several files


def test_several_files_are_one(home, kubernetes):
    clusters = home.write("a/clusters", only=("clusters",))
    users = home.write("b/users", only=("users", "current-context"))
    contexts = home.write("c/contexts", only=("contexts",))
    done = home.submit(clusters, home.folder / "none", users, "", contexts)
    assert done.code == 0, done.stderr
    assert len(made(kubernetes)) == 1


def test_the_first_file_that_has_a_name_has_it(home):
    good = home.write("good")
    other = home.write("other", user={"token": "old"}, context="there")
    assert home.submit(good, other).code == 0
    refused = home.submit(other, good)
    assert (refused.code, "does not accept the credentials" in refused.stderr) == (3, True)
    refused = home.submit(other, good, more=("--context", "here"))
    assert (refused.code, "does not accept" in refused.stderr) == (3, True), "whose `me` came first"


def test_files_are_looked_for_from_where_they_are_named(home):
    (home.folder / "keys").mkdir()
    (home.folder / "keys" / "token").write_text(f"{TOKEN}\n")
    nested = home.write("keys/config", user={"tokenFile": "token"})
    assert home.submit(nested).code == 0
    home.program(f"echo '{credential(TOKEN)}'", "keys/log-in")
    assert home.submit(home.write("keys/config", user=home.logging_in("./log-in"))).code == 0


def test_the_usual_file_is_taken_without_the_variable(home):
    home.write(".kube/config")
    done = home.submit(HOME=str(home.folder))
    assert done.code == 0, done.stderr


@pytest.mark.parametrize(
    "more, fact, hint",
    [
        (("--context", "her"), "there is no context `her` in `", "did you mean `here`?"),
        (("--context", "xyz"), "there is no context `xyz` in `", "there are: here"),
    ],
)
def test_a_context_that_is_not_there(home, more, fact, hint):
    done = home.submit(home.write(), more=more)
    assert (done.code, fact in done.stderr, f"hint: {hint}" in done.stderr) == (2, True, True)


def test_what_a_context_names_has_to_be_there(home):
    done = home.submit(home.write(only=("contexts", "current-context", "users")))
    assert done.code == 2
    assert "there is no cluster `here` in" in done.stderr
    assert "which the context `here` names" in done.stderr
    done = home.submit(home.write(current=False))
    assert (done.code, "hint: --context names one of here" in done.stderr) == (2, True)
    done = home.submit(home.folder / "a", home.folder / "b")
    assert (done.code, "none of them is there" in done.stderr) == (2, True)


# Files that it names


@pytest.mark.parametrize("key", ["tokenFile", "client-certificate", "client-key"])
def test_a_file_that_is_not_there_is_named(home, key):
    user = {"client-certificate": "cert", "client-key": "key", key: "/nope/it"}
    for name in ("cert", "key"):
        (home.folder / name).write_text("x")
    done = home.submit(home.write(user=user))
    assert done.code == 2
    assert f"the `{key}` of `me` in `{home.folder}/config` is `/nope/it`" in done.stderr
    assert "No such file or directory\n\nhint: log in to the cluster again" in done.stderr


def test_certificates_that_are_none(home):
    done = home.submit(home.write(cluster={"certificate-authority": "/nope/ca"}))
    assert (done.code, "the `certificate-authority` of `here` in" in done.stderr) == (2, True)
    done = home.submit(home.write(cluster={"certificate-authority-data": "!!!"}))
    assert (done.code, "`certificate-authority-data` of `here`" in done.stderr) == (2, True)
    (home.folder / "cert").write_text("x")
    done = home.submit(home.write(user={"client-certificate": "cert", "client-key": "cert"}))
    assert (done.code, "credentials of the context `here` cannot be used" in done.stderr) == (
        2,
        True,
    )


def test_a_way_to_log_in_that_dreg_has_not(home):
    done = home.submit(home.write(user={"auth-provider": {"name": "gcp"}}))
    assert (done.code, "the `auth-provider` of `me`" in done.stderr) == (2, True)
    done = home.submit(home.write(user={"token": TOKEN, "as": "somebody"}))
    assert (done.code, "the `as` of `me`" in done.stderr) == (2, True), "never as oneself instead"


@pytest.mark.parametrize("server", ["", "ftp://x", "here:6443"])
def test_an_address_that_is_none(home, server):
    done = home.submit(home.write(cluster={"server": server}))
    assert (done.code, "the `server` of `here` in" in done.stderr) == (2, True)


# A program that logs in


def credential(token):
    return json.dumps({"apiVersion": EXEC, "kind": "ExecCredential", "status": {"token": token}})


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_a_program_logs_in(home, version):
    spoken = f"client.authentication.k8s.io/{version}"
    text = f"""case "$KUBERNETES_EXEC_INFO" in *{spoken}'"'*) ;; *) exit 9 ;; esac
    [ "$1$PROFILE" = tokenwork ] && echo '{credential(TOKEN)}'"""
    more = {"args": ["token"], "env": [{"name": "PROFILE", "value": "work"}]}
    user = home.logging_in(home.program(text), spoken, **more)
    done = home.submit(home.write(user=user))
    assert done.code == 0, done.stderr


def test_a_token_that_is_not_accepted_any_more_is_asked_for_anew(home, kubernetes):
    tokens = home.folder / "tokens"
    tokens.write_text("old\n")
    text = (
        f"""head -1 {tokens} | sed 's/.*/{{"status": {{"token": "&"}}}}/'; echo {TOKEN} >{tokens}"""
    )
    done = home.submit(home.write(user=home.logging_in(home.program(text))))
    assert done.code == 0, done.stderr
    assert len(made(kubernetes)) == 1


def test_a_program_that_fails_says_why(home):
    failing = home.program("echo 'SSO session expired' >&2; exit 4")
    done = home.submit(home.write(user=home.logging_in(failing, args=["get", "a b"])))
    assert done.code == 3
    assert (
        f"the program that logs in to the cluster ended with exit code 4: `{failing}`"
        in done.stderr
    )
    assert "  SSO session expired" in done.stderr
    assert f"hint: log in again, until this gives a token: {failing} get 'a b'" in done.stderr


@pytest.mark.parametrize("text", ["echo hello", "echo '{}'", 'echo \'{"status": {"token": 5}}\''])
def test_a_program_that_gives_no_token(home, text):
    done = home.submit(home.write(user=home.logging_in(home.program(text))))
    assert (done.code, "logs in to the cluster gave no token" in done.stderr) == (3, True)


def test_a_program_that_is_not_installed(home):
    done = home.submit(home.write(user=home.logging_in("aws-of-no-kind")))
    assert done.code == 2
    assert "is not installed: `aws-of-no-kind`, the `exec` of `me` in" in done.stderr
    user = home.logging_in("/nope/aws", installHint="Get it from\nits makers")
    done = home.submit(home.write(user=user))
    assert (done.code, "hint: Get it from its makers" in done.stderr) == (2, True)


def test_a_token_file_that_goes_away_meanwhile(home, kubernetes):
    token = home.folder / "token"
    token.write_text(f"{TOKEN}\n")
    config = home.write(user={"tokenFile": "token"})
    kubernetes.token = "another"
    kubernetes.on_refusal = token.unlink
    done = home.submit(config)
    assert done.code == 3
    assert "cannot be read any more" in done.stderr
