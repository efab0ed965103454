"""Sources: how params.yaml lists them, and the mirrors that need no web server."""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from dreg.adapters.sources import Cache, Mirrors
from dreg.core.sources import (
    Deb,
    GzipHeader,
    Http,
    Local,
    Mirror,
    PipelineFile,
    Source,
    Wheel,
    parse_sources,
)
from dreg.errors import BadRequest, Outside

ROOT = Path(__file__).resolve().parents[1]
CONTENT = b"acidity;quality\n7.4;5\n" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER_SHA256 = "0" * 63 + "f"

LISTED = {
    "sha256": SHA256,
    "size": len(CONTENT),
    "mirrors": [{"http": "https://example.com/wine.csv"}],
}
PACKAGE = {"package": "wines", "version": "1.0", "sha256": OTHER_SHA256, "member": "wines/wine.csv"}


def source(*mirrors: Mirror, content: bytes = CONTENT) -> Source:
    sha256 = hashlib.sha256(content).hexdigest()
    return Source(path="wine.csv", sha256=sha256, size=len(content), mirrors=mirrors)


def get(folder: Path, *mirrors: Mirror, content: bytes = CONTENT) -> tuple[str, bytes]:
    """Where the source came from, and its bytes."""
    got = Mirrors(Cache(folder / "cache"), note=lambda line: None)
    origin = got.place(source(*mirrors, content=content), folder / "raw")
    return origin, (folder / "raw" / "wine.csv").read_bytes()


def reason(folder: Path, mirror: Mirror, content: bytes = CONTENT) -> str:
    """Why the one mirror did not give the source."""
    with pytest.raises(Outside) as caught:
        get(folder, mirror, content=content)
    assert caught.value.fact == "no mirror gave `wine.csv`"
    [line] = caught.value.details
    return line.removeprefix(f"{mirror}: ")


# What params.yaml says


def test_a_source_lists_its_mirrors_in_order_of_preference():
    text = f"""
    wine.csv:
      sha256: {SHA256}
      size: {len(CONTENT)}
      mirrors:
        - http: https://example.com/wine.csv
        - wheel: {{package: wines, version: "1.0", sha256: {OTHER_SHA256}, member: wines/wine.csv}}
        - deb:
            package: wines-data
            version: 0.0~git20200523-1
            sha256: {OTHER_SHA256}
            member: usr/share/wine.csv.gz
            gzip_header: {{mtime: "dee9a759", name: wine.csv}}
        - local: wines/wine.csv
        - file: sample/wine.csv
    """
    [found] = parse_sources(yaml.safe_load(text))

    assert found == Source(
        path="wine.csv",
        sha256=SHA256,
        size=len(CONTENT),
        mirrors=(
            Http("https://example.com/wine.csv"),
            Wheel("wines", "1.0", OTHER_SHA256, "wines/wine.csv"),
            Deb(
                "wines-data",
                "0.0~git20200523-1",
                OTHER_SHA256,
                "usr/share/wine.csv.gz",
                GzipHeader("dee9a759", "wine.csv"),
            ),
            Local("wines/wine.csv"),
            PipelineFile("sample/wine.csv"),
        ),
    )


def test_the_page_about_sources_shows_every_kind_of_mirror():
    page = (ROOT / "docs/sources.md").read_text()
    whole, each = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.S))
    parse_sources(whole["sources"])
    [shown] = parse_sources({"wine.csv": LISTED | each})
    kinds = {kind.kind for kind in get_args(Mirror)}
    assert [mirror.kind for mirror in shown.mirrors] == re.findall(r"^\| `(\w+)` \|", page, re.M)
    assert {mirror.kind for mirror in shown.mirrors} == kinds


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"sha256": "abc"}, "source `wine.csv` has the sha256 `abc`"),
        ({"sha256": SHA256.upper()}, f"has the sha256 `{SHA256.upper()}`"),
        ({"size": "84 kB"}, "has the size `84 kB`"),
        ({"size": True}, "has the size `True`"),
        ({"size": -1}, "has the size `-1`"),
        ({"mirrors": []}, "has no mirrors"),
        ({"mirror": []}, "has the unknown key `mirror` for the source"),
        ({"mirrors": ["https://example.com"]}, "has a mirror that is none of http, wheel, deb,"),
        ({"mirrors": [{"ftp": "ftp://example.com"}]}, "has a mirror that is none of http,"),
        ({"mirrors": [{"http": "file:///etc/passwd"}]}, "has the http mirror `file:///etc/passwd`"),
        ({"mirrors": [{"http": "https:///wine.csv"}]}, "has the http mirror `https:///wine.csv`"),
        (
            {"mirrors": [{"http": "https://ada:secret@example.com/wine.csv"}]},
            "has an http mirror with a password in its address",
        ),
        ({"mirrors": [{"local": "../../etc/passwd"}]}, "has an unusable path for a local mirror"),
        ({"mirrors": [{"local": "/etc/passwd"}]}, "has an unusable path for a local mirror"),
        ({"mirrors": [{"local": "C:\\wine.csv"}]}, "has an unusable path for a local mirror"),
        ({"mirrors": [{"local": 7}]}, "has an unusable path for a local mirror"),
        ({"mirrors": [{"file": "../x"}]}, "has an unusable path for a file mirror"),
        ({"mirrors": [{"wheel": "wines"}]}, "has something else than keys for a wheel mirror"),
        ({"mirrors": [{"wheel": {"package": "wines"}}]}, "lacks `version` for a wheel mirror"),
        (
            {"mirrors": [{"wheel": PACKAGE | {"package": "--index-url=http://evil"}}]},
            "names the package `--index-url=http://evil`",
        ),
        (
            {"mirrors": [{"wheel": PACKAGE | {"package": "wines @ http://evil"}}]},
            "names the package `wines @ http://evil`",
        ),
        ({"mirrors": [{"wheel": PACKAGE | {"version": 1.0}}]}, "names version `1.0` of `wines`"),
        ({"mirrors": [{"wheel": PACKAGE | {"version": "1.0;x"}}]}, "names version `1.0;x`"),
        (
            {"mirrors": [{"deb": PACKAGE | {"member": "../wine.csv"}}]},
            "has an unusable path for the member of `wines`",
        ),
        (
            {"mirrors": [{"deb": PACKAGE | {"gzip_header": {"mtime": 12345678, "name": "x"}}}]},
            "has the gzip mtime `12345678`",
        ),
        (
            {"mirrors": [{"deb": PACKAGE | {"gzip_header": {"mtime": "dee9a759", "name": "é"}}}]},
            "has the gzip name `é`",
        ),
    ],
)
def test_a_mistake_in_a_source_is_told_with_the_file_and_the_source(
    change: dict[str, Any], fact: str
):
    with pytest.raises(BadRequest) as caught:
        parse_sources({"wine.csv": LISTED | change}, "pipelines/wines/params.yaml")

    assert caught.value.fact.startswith("`pipelines/wines/params.yaml`: source `wine.csv` ")
    assert fact in caught.value.fact
    assert caught.value.hint


def test_a_password_in_an_address_is_not_repeated():
    listed = LISTED | {"mirrors": [{"http": "https://ada:secret@example.com/wine.csv"}]}

    with pytest.raises(BadRequest) as caught:
        parse_sources({"wine.csv": listed})

    assert "secret" not in caught.value.fact + caught.value.hint


@pytest.mark.parametrize("name", ["../wine.csv", "/wine.csv", "a//b", "", "a\\b"])
def test_a_source_stays_below_the_raw_folder(name: str):
    with pytest.raises(BadRequest, match="has an unusable path for its name"):
        parse_sources({name: LISTED})


@pytest.mark.parametrize("nothing", [None, {}, [], "wine.csv"])
def test_a_download_needs_sources(nothing: object):
    with pytest.raises(BadRequest, match="`sources` lists no file"):
        parse_sources(nothing)


# local


def test_a_local_mirror_is_a_folder_that_the_environment_names(tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    (tmp_path / "mirror" / "wines").mkdir(parents=True)
    (tmp_path / "mirror" / "wines" / "wine.csv").write_bytes(CONTENT)

    assert get(tmp_path, Local("wines/wine.csv")) == ("local wines/wine.csv", CONTENT)

    shutil.rmtree(tmp_path / "mirror")
    assert get(tmp_path, Local("wines/wine.csv")) == ("the download cache", CONTENT)


def test_why_a_local_mirror_gave_nothing(tmp_path, monkeypatch):
    monkeypatch.delenv("DREG_MIRROR", raising=False)
    assert reason(tmp_path, Local("wine.csv")) == "DREG_MIRROR is not set"

    monkeypatch.setenv("DREG_MIRROR", str(tmp_path))
    missing = tmp_path / "wine.csv"
    assert (
        reason(tmp_path, Local("wine.csv")) == f"cannot read `{missing}`: No such file or directory"
    )

    missing.write_bytes(CONTENT[:-1] + b"!")
    wrong = reason(tmp_path, Local("wine.csv"))
    assert wrong.startswith(f"`{missing}`: its bytes don't match: sha256 ")

    missing.write_bytes(CONTENT + b"!")
    assert "more than the 22,000 bytes" in reason(tmp_path, Local("wine.csv"))

    assert not (tmp_path / "raw").exists()
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_mirror_that_fails_is_told_and_the_next_is_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path))
    (tmp_path / "good.csv").write_bytes(CONTENT)
    (tmp_path / "bad.csv").write_bytes(b"bad")
    notes: list[str] = []

    mirrors = Mirrors(Cache(tmp_path / "cache"), notes.append)
    origin = mirrors.place(source(Local("bad.csv"), Local("good.csv")), tmp_path / "raw")

    assert origin == "local good.csv"
    [note] = notes
    wrong = tmp_path / "bad.csv"
    assert note.startswith(f"wine.csv: local bad.csv: `{wrong}`: its bytes don't match")


def test_the_cache_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.delenv("DREG_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert Cache.of_user().folder == tmp_path / "caches" / "dreg" / "sources"

    monkeypatch.setenv("DREG_CACHE", str(tmp_path / "mine"))
    assert Cache.of_user().folder == tmp_path / "mine" / "sources"


def test_a_cache_that_cannot_be_written_is_told_with_the_way_out(tmp_path):
    (tmp_path / "cache").write_text("a file, not a folder")

    with pytest.raises(Outside) as caught:
        get(tmp_path, Local("wine.csv"))

    folder = tmp_path / "cache"
    assert caught.value.fact == f"cannot write to the download cache `{folder}`: File exists"
    assert caught.value.hint == "name a folder that you may write to: DREG_CACHE=FOLDER"


# wheel


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and from nowhere else."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def make_wheel(folder: Path, members: dict[str, bytes]) -> str:
    """A wheel of `wines` 1.0; returns its checksum."""
    about = "wines-1.0.dist-info"
    described = {
        f"{about}/METADATA": b"Metadata-Version: 2.1\nName: wines\nVersion: 1.0\n",
        f"{about}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{about}/RECORD": b"",
    }
    path = folder / "wines-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, content in {**members, **described}.items():
            wheel.writestr(name, content)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_wheel_gives_its_member_and_is_fetched_once_for_all(tmp_path, wheels):
    second = b"another file"
    sha256 = make_wheel(wheels, {"wines/wine.csv": CONTENT, "wines/second.csv": second})
    one = Wheel("wines", "1.0", sha256, "wines/wine.csv")
    other = Wheel("wines", "1.0", sha256, "wines/second.csv")

    assert get(tmp_path, one) == ("wheel wines 1.0", CONTENT)

    (wheels / "wines-1.0-py3-none-any.whl").unlink()
    assert get(tmp_path, other, content=second) == ("wheel wines 1.0", second)


def test_why_a_wheel_gave_nothing(tmp_path, wheels):
    absent = reason(tmp_path, Wheel("wines", "1.0", OTHER_SHA256, "wines/wine.csv"))
    assert absent == "No matching distribution found for wines==1.0"

    sha256 = make_wheel(wheels, {"wines/wine.csv": b"other bytes"})
    changed = reason(tmp_path, Wheel("wines", "1.0", OTHER_SHA256, "wines/wine.csv"))
    assert changed == f"its bytes don't match: sha256 {sha256[:12]}..., not 000000000000..."

    member = reason(tmp_path, Wheel("wines", "1.0", sha256, "wines/absent.csv"))
    assert member == "the wheel has no member `wines/absent.csv`"

    content = reason(tmp_path, Wheel("wines", "1.0", sha256, "wines/wine.csv"))
    assert content.startswith("its bytes don't match")


def test_a_source_distribution_is_not_fetched_because_that_would_run_it(tmp_path, wheels):
    (wheels / "wines-1.0.tar.gz").write_bytes(b"a setup.py that must not run")

    told = reason(tmp_path, Wheel("wines", "1.0", OTHER_SHA256, "wines/wine.csv"))

    assert told == "No matching distribution found for wines==1.0"


# deb


@pytest.fixture
def debs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Debian repository in a folder, apt knowing no other, and no package lists read yet."""
    for program in ("apt-get", "dpkg-deb"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: not a Debian system")
    folder = tmp_path / "debs"
    lists = tmp_path / "system-lists"
    (lists / "partial").mkdir(parents=True)
    folder.mkdir()
    (tmp_path / "sources.list").write_text(f"deb [trusted=yes] file:{folder} ./\n")
    (tmp_path / "apt.conf").write_text(
        f'Dir::Etc::sourcelist "{tmp_path / "sources.list"}";\n'
        f'Dir::Etc::sourceparts "{tmp_path / "none"}";\n'
        f'Dir::State::Lists "{lists}";\n'
    )
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return folder


def make_deb(folder: Path, member: str, content: bytes) -> str:
    """A package `wines-data` 1.0-1 in the repository; returns its checksum."""
    tree = folder.parent / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    control = "Package: wines-data\nVersion: 1.0-1\nArchitecture: all\n"
    described = "Maintainer: Ada <ada@example.com>\nDescription: wines\n"
    (tree / "DEBIAN" / "control").write_text(control + described)
    (tree / member).parent.mkdir(parents=True)
    (tree / member).write_bytes(content)
    deb = folder / "wines-data_1.0-1_all.deb"
    build = ["dpkg-deb", "--root-owner-group", "-Zxz", "--build", str(tree), str(deb)]
    subprocess.run(build, check=True, capture_output=True)
    shutil.rmtree(tree)
    sha256 = hashlib.sha256(deb.read_bytes()).hexdigest()
    (folder / "Packages").write_text(
        f"{control}{described}Filename: ./{deb.name}\nSize: {deb.stat().st_size}\nSHA256: {sha256}\n"
    )
    return sha256


def test_a_deb_gives_its_member_also_where_no_package_list_was_read(tmp_path, debs):
    sha256 = make_deb(debs, "usr/share/wines/wine.csv", CONTENT)

    origin, content = get(tmp_path, Deb("wines-data", "1.0-1", sha256, "usr/share/wines/wine.csv"))

    assert (origin, content) == ("deb wines-data 1.0-1", CONTENT)


def test_a_deb_gives_upstreams_gzip_file_although_its_header_was_stripped(tmp_path, debs):
    stripped = gzip.compress(CONTENT, mtime=0)
    assert stripped[3] == 0, "no name in the header"
    upstream = bytes.fromhex("1f8b0808dee9a7590003") + b"wine.csv\0" + stripped[10:]
    assert gzip.decompress(upstream) == CONTENT
    sha256 = make_deb(debs, "usr/share/wines/wine.csv.gz", stripped)
    header = GzipHeader("dee9a759", "wine.csv")
    mirror = Deb("wines-data", "1.0-1", sha256, "usr/share/wines/wine.csv.gz", header)

    assert get(tmp_path, mirror, content=upstream)[1] == upstream


def test_why_a_deb_gave_nothing(tmp_path, debs):
    sha256 = make_deb(debs, "usr/share/wines/wine.csv", b"other bytes")
    member = "usr/share/wines/wine.csv"

    absent = reason(tmp_path, Deb("beers-data", "1.0-1", sha256, member))
    assert absent == "Unable to locate package beers-data"

    version = reason(tmp_path, Deb("wines-data", "2.0-1", sha256, member))
    assert version == "Version '2.0-1' for 'wines-data' was not found"

    changed = reason(tmp_path, Deb("wines-data", "1.0-1", OTHER_SHA256, member))
    assert changed == f"its bytes don't match: sha256 {sha256[:12]}..., not 000000000000..."

    no_member = reason(tmp_path, Deb("wines-data", "1.0-1", sha256, "usr/share/absent.csv"))
    assert no_member == "the package has no member `usr/share/absent.csv`"

    content = reason(tmp_path, Deb("wines-data", "1.0-1", sha256, member))
    assert content.startswith("its bytes don't match")

    header = GzipHeader("dee9a759", "wine.csv")
    no_gzip = reason(tmp_path, Deb("wines-data", "1.0-1", sha256, member, header))
    assert no_gzip == f"`{member}`: its first ten bytes are not a gzip header without a name"


def test_where_there_is_no_apt_the_deb_mirror_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))

    told = reason(tmp_path, Deb("wines-data", "1.0-1", OTHER_SHA256, "usr/share/wine.csv"))

    assert told == "`apt-get` is not installed"


# The stage


def run_download(folder: Path, params: object) -> subprocess.CompletedProcess[str]:
    """The stage's script, as DVC runs it, in the registry `folder`."""
    pipeline = folder / "pipelines" / "wines"
    pipeline.mkdir(parents=True, exist_ok=True)
    (pipeline / "dataset.yaml").write_text("title: wines\n")
    (pipeline / "params.yaml").write_text(yaml.safe_dump(params))
    script = "from dreg.stages import download\n\ndownload.run()\n"
    environment = os.environ | {"DREG_CACHE": str(folder / "cache")}
    environment.pop("DREG_MIRROR", None)
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=pipeline,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_stage_puts_every_source_into_the_raw_folder(tmp_path):
    sample = tmp_path / "pipelines" / "wines" / "sample" / "wine.csv"
    sample.parent.mkdir(parents=True)
    sample.write_bytes(CONTENT)
    listed = LISTED | {"mirrors": [{"local": "wine.csv"}, {"file": "sample/wine.csv"}]}

    done = run_download(tmp_path, {"sources": {"wine.csv": listed}})

    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "wine.csv: local wine.csv: DREG_MIRROR is not set\n"
        "wine.csv: 22,000 bytes from file sample/wine.csv\n"
    )
    assert (tmp_path / "data" / "wines" / "raw" / "wine.csv").read_bytes() == CONTENT


def test_the_stage_ends_with_a_reason_for_each_mirror_and_no_traceback(tmp_path):
    listed = LISTED | {"mirrors": [{"local": "wine.csv"}, {"file": "wine.csv"}]}

    done = run_download(tmp_path, {"sources": {"wine.csv": listed}})

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == (
        "wine.csv: local wine.csv: DREG_MIRROR is not set\n"
        "wine.csv: file wine.csv: cannot read `wine.csv`: No such file or directory\n"
        "error: no mirror gave `wine.csv`\n"
        "  local wine.csv: DREG_MIRROR is not set\n"
        "  file wine.csv: cannot read `wine.csv`: No such file or directory\n"
        "\n"
        "hint: put it into a folder as wine.csv and name that: DREG_MIRROR=FOLDER\n"
    )


def test_where_the_mirrors_folder_is_named_the_place_in_it_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path / "mirror"))
    with pytest.raises(Outside) as caught:
        get(tmp_path, Local("wines/wine.csv"))
    place = tmp_path / "mirror/wines/wine.csv"
    assert caught.value.hint == f"put the file where DREG_MIRROR has it: {place}"


def test_another_file_at_the_mirror_is_named_with_how_to_take_it(tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path))
    wrong = tmp_path / "wine.csv"
    wrong.write_bytes(b"other wines")
    with pytest.raises(Outside) as caught:
        get(tmp_path, PipelineFile("absent.csv"), Local("wine.csv"))
    assert caught.value.details[1].startswith(f"local wine.csv: `{wrong}`: its bytes don't match")
    assert caught.value.hint == (
        f"put the right file in place of `{wrong}`; or where upstream has changed, and that is wanted, "
        f"declare the new file's sha256 and size in params.yaml: sha256sum {wrong}"
    )


def test_the_stage_names_the_file_that_declares_what_upstream_changed(tmp_path):
    sample = tmp_path / "pipelines/wines/wine.csv"
    sample.parent.mkdir(parents=True)
    sample.write_bytes(CONTENT + b"1;1\n")
    listed = LISTED | {"mirrors": [{"local": "wine.csv"}, {"file": "wine.csv"}]}

    done = run_download(tmp_path, {"sources": {"wine.csv": listed}})

    assert done.returncode == 3
    assert "file wine.csv: `wine.csv`: it has more than the 22,000 bytes" in done.stderr
    assert "declare the new file's sha256 and size in pipelines/wines/params.yaml" in done.stderr
    assert "go online" not in done.stderr


def test_what_a_script_lists_it_lists_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("DREG_MIRROR", str(tmp_path))
    (tmp_path / "wine.csv").write_bytes(b"other wines")
    mirrors = Mirrors(Cache(tmp_path / "cache"), lambda _: None, "pipelines/wines/sources.yaml")
    with pytest.raises(Outside) as caught:
        mirrors.place(source(Local("wine.csv")), tmp_path / "raw")
    assert caught.value.hint.endswith("write it anew: python scripts/refresh.py")


def test_the_stage_tells_a_mistake_in_params(tmp_path):
    done = run_download(tmp_path, {"source": {}})

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: `pipelines/wines/params.yaml`: `sources` lists no file\n"
        "\n"
        "hint: add `sources: {FILE: {sha256: ..., size: ..., mirrors: [{http: URL}]}}`\n"
    )
