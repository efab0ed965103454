"""A registry that means harm: nothing of it is run, written elsewhere, or obeyed by a terminal."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from dreg.core.receipt import check_placeable
from dreg.core.snapshot import File, Snapshot
from dreg.errors import Refused
from dreg.output import harmless
from tests.hand_made import METADATA, WINE, HandMade, file_of, tree

TRAIN, VAL = WINE.values()
ROOT = Path(__file__).resolve().parents[1] / "dreg"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]")


@pytest.fixture
def wine(hand_made: HandMade) -> HandMade:
    hand_made.release("1.0.0")
    hand_made.environment["DREG_REPO"] = str(hand_made.bare)
    return hand_made


@pytest.fixture
def owned(tmp_path) -> Path:
    """A file that is there once anything of the registry was run."""
    return tmp_path / "owned"


# Nothing is run

HOOKS = [
    "applypatch-msg", "post-checkout", "post-index-change", "post-receive", "post-update",
    "pre-push", "pre-receive", "proc-receive", "push-to-checkout", "reference-transaction",
    "update", "fsmonitor-watchman", "pre-auto-gc", "post-merge", "post-rewrite",
]  # fmt: skip


@pytest.fixture
def armed(wine, owned) -> HandMade:
    """Its git repository has hooks, and a configuration that would run commands."""
    script = f"#!/bin/sh\ntouch '{owned}'\n"
    run = wine.home / "run.sh"
    run.write_text(script)
    run.chmod(0o755)
    for folder in (wine.bare, wine.path / ".git"):
        (folder / "hooks").mkdir(exist_ok=True)
        for name in HOOKS:
            hook = folder / "hooks" / name
            hook.write_text(script)
            hook.chmod(hook.stat().st_mode | stat.S_IXUSR)
        with (folder / "config").open("a") as config:
            config.write(
                f"[core]\n\tfsmonitor = {run}\n\tsshCommand = {run}\n\tpager = {run}\n"
                f"\teditor = {run}\n\tgitProxy = {run}\n\taskPass = {run}\n"
                f"[uploadpack]\n\tpackObjectsHook = {run}\n"
                f"[credential]\n\thelper = !{run}\n[diff]\n\texternal = {run}\n"
                f'[filter "x"]\n\tsmudge = {run}\n\tclean = {run}\n'
                f'[remote "evil"]\n\turl = {wine.bare}\n\tuploadpack = {run}\n\tpromisor = true\n'
                f"[alias]\n\tls-remote = !{run}\n\tfetch = !{run}\n\tcat-file = !{run}\n"
            )
    return wine


@pytest.mark.parametrize(
    "arguments",
    [
        ("fetch", "wine@1.0.0"), ("list", "--repo", "REPO"), ("show", "wine", "--repo", "REPO"),
        ("export", "wine", "--repo", "REPO", "-o", "b.tar"),
    ],
    ids=lambda arguments: arguments[0],
)  # fmt: skip
@pytest.mark.parametrize("where", ["bare", "path"])
def test_neither_hooks_nor_configuration_are_run(armed, owned, arguments, where):
    repo = str(getattr(armed, where))
    given = [repo if each == "REPO" else each for each in arguments]
    done = armed.dreg(*given, DREG_REPO=repo)
    assert done.code == 0 or "is not a profile" in done.stderr, done.stderr
    assert not owned.exists()


URLS = [
    "ext::sh -c 'touch OWNED'", "EXT::sh -c 'touch OWNED'", "fd::7", "--upload-pack=touch OWNED",
    "-u touch OWNED", "ssh://-oProxyCommand=touch OWNED/x", "-oProxyCommand=touch OWNED:x",
    "evil://x", "file://x\0y",
]  # fmt: skip


WAYS = [("option", url) for url in URLS]
WAYS += [(how, url) for how in ("DREG_REPO", "DVC_REPO") for url in (URLS[0], URLS[3])]
WAYS += [("dreg.toml", url) for url in (URLS[0], URLS[3], URLS[6])]
WAYS += [("dreg.lock", url) for url in (URLS[0], URLS[3], URLS[-1])]


@pytest.mark.parametrize(("how", "url"), WAYS)
def test_a_url_runs_no_command(wine, owned, url, how):
    url = url.replace("OWNED", str(owned))
    environment = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "protocol.ext.allow"}
    environment["GIT_CONFIG_VALUE_0"] = "always"  # the user may have allowed it for something else
    wine.environment.pop("DREG_REPO")
    if "\0" in url and how != "dreg.lock":
        pytest.skip("no argument and no variable can have it")
    if how == "option":
        done = wine.dreg("fetch", "wine", f"--repo={url}", **environment)
    elif how == "dreg.toml":
        text = f"repo = {json.dumps(url)}\n[datasets]\nwine = '*'\n"
        (wine.train / "dreg.toml").write_text(text)
        done = wine.dreg("fetch", **environment)
    elif how == "dreg.lock":
        assert wine.fetch("wine", DREG_REPO=str(wine.bare))
        lock = wine.train / "dreg.lock"
        lock.write_text(lock.read_text().replace(json.dumps(str(wine.bare)), json.dumps(url)))
        shutil.rmtree(wine.train / "data")
        shutil.rmtree(wine.environment["DREG_CACHE"])  # or all of it is had from there
        done = wine.dreg("fetch", **environment)
    else:
        done = wine.dreg("fetch", "wine", **environment, **{how: url})
    assert done.code in (1, 2, 3) and "Traceback" not in done.stderr + done.stdout
    assert "internal error" not in done.stderr
    assert not owned.exists()


def test_a_url_that_the_user_s_git_would_make_a_command_of(wine, owned):
    """Whatever `insteadOf` and `protocol.ext.allow` say."""
    settings = {
        "protocol.ext.allow": "always",
        f"url.ext::touch {owned} %S .insteadOf": "https://r/",
    }
    environment = {"GIT_CONFIG_COUNT": str(len(settings))}
    for number, (key, value) in enumerate(settings.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    done = wine.dreg("fetch", "wine", "--repo", "https://r/x.git", **environment)
    assert done.code == 3 and "not allowed" in done.stderr
    assert not owned.exists()


def test_a_submodule_is_not_fetched(wine, owned):
    evil = f"ext::sh -c 'touch {owned}'"
    (wine.path / ".gitmodules").write_text(f'[submodule "x"]\n\tpath = data/x\n\turl = "{evil}"\n')
    commit = wine.git("rev-parse", "HEAD")
    wine.git("update-index", "--add", "--cacheinfo", f"160000,{commit},data/x")
    wine.git("add", ".gitmodules")
    wine.git("commit", "-q", "-m", "x")
    manifest = wine.made["wine-v1.0.0"]
    wine.git("tag", "-a", "-m", f"x\n\nDreg-Manifest: sha256:{manifest.digest}", "wine-v1.0.1")
    wine.git("push", "-q", "origin", "main", "--tags")
    settings = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "fetch.recurseSubmodules"}
    wine.dreg("fetch", "wine@1.0.1", **settings, GIT_CONFIG_VALUE_0="true")
    wine.dreg("gc", "--dry-run", cwd=wine.path, **settings, GIT_CONFIG_VALUE_0="true")
    assert not owned.exists()


# Nothing is written elsewhere

NAMES = [
    "processed/CON", "processed/con.txt", "nul", "a/COM1.csv", "a/LPT\u00b9", "conin$", "aux .txt",
    ".git/config", "a/.GIT/hooks/x", "a/.g\u200cit/config", "git~1/config", ".git ./x", "a/x.", "a/x ",
    "a/\x1b[2J", "a\nb", "a\x7f", "a/\x9b1m",
]  # fmt: skip


@pytest.mark.parametrize("path", NAMES)
def test_a_name_that_is_more_than_a_name(wine, path):
    listed = [file_of("metadata.json", METADATA, in_git=True), file_of(path, TRAIN)]
    wine.release("2.0.0", listed=listed)
    before = tree(wine.train)
    done = wine.dreg("fetch", "wine@2.0.0")
    assert (done.code, done.stdout) == (1, "") and "the release lists" in done.stderr
    assert tree(wine.train) == before and not OBEYED.search(done.stderr)


@pytest.mark.parametrize(
    "path",
    ["processed/concert.csv", "console.txt", "a/com10", "a/.gitignore", "a/.gitattributes", "a.git/x",
     "t/2026-01-01T10:00.csv", "a/nullable.parquet", "\u65e5\u672c/\u8a9e.csv", "a/\u0646\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"],
)  # fmt: skip
def test_a_name_that_only_looks_like_it(path):
    check_placeable([File(path, 1, "0" * 32)])


def plain(made: HandMade, lock: str, version: str) -> None:
    """A release of a plain DVC repository with this dvc.lock."""
    path = made.path / "pipelines" / "wine" / "dvc.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(lock)
    made.tag(f"wine-v{version}", None)


@pytest.mark.parametrize(
    "relpath",
    ["../../escaped", "/tmp/escaped", "a/../../b", "CON", ".git/config", "x\0y", "a\\..\\b"],
)
def test_a_folder_object_that_lists_an_escape(wine, relpath):
    listed = json.dumps([{"md5": file_of("x", TRAIN).md5, "relpath": relpath}]).encode()
    md5 = file_of("x", listed).md5
    place = wine.store / "files" / "md5" / md5[:2] / f"{md5[2:]}.dir"
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(listed)
    plain(wine, f"schema: '2.0'\nstages:\n  s:\n    cmd: x\n    outs:\n    - path: ../../data/wine/p\n"
          f"      hash: md5\n      md5: {md5}.dir\n", "2.0.0")  # fmt: skip
    before = tree(wine.home) if relpath.startswith("/") else tree(wine.train)
    done = wine.dreg("fetch", "wine@2.0.0")
    assert done.code == 1, done
    assert (
        tree(wine.home) if relpath.startswith("/") else tree(wine.train)
    ).keys() >= before.keys()
    assert tree(wine.train) == {k: v for k, v in tree(wine.train).items() if k in before}
    assert not list(wine.home.parent.rglob("escaped"))


LOCKS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{n}: &{n} [{','.join(['*' + p] * 9)}]\n" for p, n in zip("abcdefghijk", "bcdefghijkl", strict=True))
    + "stages: *l\n",
    "brackets": "stages: " + "[" * 200_000,
    "indentation": "stages:\n" + "\n".join(" " * n + "a:" for n in range(1, 3000)),
    "a-tag": "stages: !!python/object/apply:os.system ['touch OWNED']\n",
    "a-number": "stages: {s: {outs: [{path: " + "9" * 100_000 + "}]}}",
}  # fmt: skip


@pytest.mark.parametrize("lock", LOCKS)
def test_yaml_that_explodes_or_runs(wine, owned, lock):
    plain(wine, LOCKS[lock].replace("OWNED", str(owned)), "2.0.0")
    done = wine.dreg("fetch", "wine@2.0.0")
    assert done.code in (1, 2), done
    assert "internal error" not in done.stderr and not owned.exists()


@pytest.mark.parametrize(
    "text", [b"[" * 500_000, b"{" * 500_000, b'{"schema":' * 50_000, b"1" * 10**5]
)
def test_json_that_is_nested_without_end(wine, text):
    import hashlib

    from dreg.core.manifest import manifest_key

    digest = hashlib.sha256(text).hexdigest()
    place = wine.store / manifest_key(digest)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text)
    wine.tag("wine-v2.0.0", digest)
    done = wine.dreg("fetch", "wine@2.0.0")
    assert done.code in (1, 3) and "internal error" not in done.stderr, done


# Nothing is obeyed

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202egnp.exe\r"


def test_a_terminal_gets_nothing_to_obey(wine):
    metadata = json.dumps({**json.loads(METADATA), "dataset": {"name": "wine", "title": EVIL}})
    digest = wine.release("2.0.0", metadata=metadata.encode()).digest
    commit = wine.git("rev-parse", "HEAD")
    body = f"object {commit}\ntype commit\ntag wine-v2.0.1\ntagger {EVIL.replace(chr(13), '')} <a@b> 1 +0000\n\n"
    text = body + f"{EVIL}\n\nDreg-Manifest: sha256:{digest}\nDreg-Reason: {EVIL}\n"
    for name in ("wine-v2.0.1", "yank/wine-v2.0.0"):
        import subprocess

        oid = subprocess.run(
            ["git", "hash-object", "-t", "tag", "-w", "--stdin", "--literally"],
            cwd=wine.path, input=text.replace("tag wine-v2.0.1", f"tag {name}").encode(),
            capture_output=True, check=True,
        ).stdout.decode().strip()  # fmt: skip
        wine.git("push", "-q", "-f", "origin", f"{oid}:refs/tags/{name}")
        wine.git("update-ref", f"refs/tags/{name}", oid)
    repo = str(wine.bare)
    for arguments in (
        ("fetch", "wine@2.0.0"), ("list", "--repo", repo), ("show", "wine@2.0.0", "--repo", repo),
        ("show", "wine@2.0.1", "--repo", repo),
    ):  # fmt: skip
        for options in ((), ("--json",)):
            done = wine.dreg(*arguments, *options)
            found = OBEYED.search(done.stdout + done.stderr)
            assert not found, (arguments, options, done)
    fsck = wine.dreg("fsck", "--remote", cwd=wine.path)
    assert not OBEYED.search(fsck.stdout + fsck.stderr)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "\\x1b[2J"), ("a\tb\nc", "a\tb\nc"), ("\u202e", "\\u202e"), ("\x9b", "\\x9b"),
        ("\udc80", "\\udc80"), ("\u65e5 \u00e9 \U0001f468\u200d\U0001f33e", "\u65e5 \u00e9 \U0001f468\u200d\U0001f33e"),
        ("https://u:p@h/x", "https://h/x"), ("https://token@h/x", "https://h/x"),
        ("ssh://git:pw@h/x", "ssh://git@h/x"), ("ssh://git@h/x", "ssh://git@h/x"),
        ("https://h/a@b?c=d@e", "https://h/a@b?c=d@e"), ("git@h:a/b", "git@h:a/b"),
    ],
)  # fmt: skip
def test_what_is_shown(text, shown):
    assert harmless(text) == shown


def test_a_secret_is_not_shown(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "abcdefgh12345678")
    assert harmless("Signature: abcdefgh12345678!") == "Signature: (withheld)!"


# What the code may do at all

CALLS = {
    # A stage's script, which the owner of the registry runs.
    "exec": ("adapters/forking/server.py",), "compile": ("adapters/forking/server.py",),
    "eval": (), "os.system": (), "os.popen": (), "marshal.loads": (),
    "pickle.loads": ("adapters/engines/ray_data.py", "adapters/embedding/on_ray.py"), "yaml.load": ("adapters/yaml_files.py",),
    "yaml.unsafe_load": (), "yaml.full_load": (), "shutil.unpack_archive": (), "tempfile.mktemp": (),
    "jinja2.Environment": (), "Environment": (),
}  # fmt: skip


def _sources() -> list[Path]:
    return [path for path in sorted(ROOT.rglob("*.py")) if "templates" not in path.parts]


def _calls() -> list[tuple[str, ast.Call]]:
    return [
        (path.relative_to(ROOT).as_posix(), node)
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
    ]


def test_nothing_is_run_by_a_shell_or_made_of_text():
    calls = _calls()
    assert len(calls) > 1000
    for where, node in calls:
        name = ast.unparse(node.func)
        assert name not in CALLS or where in CALLS[name], f"{where}:{node.lineno} {name}"
        assert not name.endswith((".extractall", ".extract")), f"{where}:{node.lineno}"
        for keyword in node.keywords:
            given = isinstance(keyword.value, ast.Constant) and keyword.value.value
            assert keyword.arg != "shell" or not given, f"{where}:{node.lineno}"


def test_snapshots_take_no_escape():
    for path in ("../x", "/x", "a/../b", "a\\b", "c:/x", "a\0b", ""):
        with pytest.raises(Refused):
            Snapshot.of([File(path, 1, "0" * 32)])
    assert os.sep == "/"
