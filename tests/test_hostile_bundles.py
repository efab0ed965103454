"""Bundles that lie, escape or explode: refused, with nothing changed anywhere."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import resource
import shutil
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from dreg.adapters.bundle_file import BundleReader, BundleWriter
from dreg.bundle.export import export
from dreg.bundle.importing import bring
from dreg.core.bundle import ABOUT, GIT, MANIFEST, About
from dreg.core.git_packs import bundle_header
from dreg.core.manifest import manifest_key
from dreg.core.remotes import Remote, object_key
from dreg.core.tar import BLOCK, END, header, padding
from dreg.core.wording import printable
from dreg.errors import DregError, Outside, Refused
from dreg.registry import Registry
from tests.hand_made import METADATA, WINE, HandMade, file_of, tree

TAG = "wine-v1.0.0"
TRAIN, VAL = WINE.values()
Parts = dict[str, bytes]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """Made once, then copied: `source` with a release and its bundle, `target` that is to import."""
    home = tmp_path_factory.mktemp("made")
    source = HandMade(home / "source", {"DREG_CACHE": str(home / "cache")})
    source.release("1.0.0")
    exported(source)
    target = HandMade(home / "target", {"DREG_CACHE": str(home / "cache")})
    target.git("commit", "-q", "--allow-empty", "-m", "of its own")
    target.git("push", "-q", "origin", "main")
    return home


def again(made: Path, name: str, home: Path) -> HandMade:
    """A copy of `source` or `target`, which know where they are only by `origin`."""
    shutil.copytree(made / name, home, symlinks=True)
    copied = object.__new__(HandMade)
    copied.home, copied.environment, copied.config, copied.made = home, {}, "", {}
    copied.remote = Remote("disk", str(home / "store"))
    copied.git("remote", "set-url", "origin", str(home / "registry.git"))
    return copied


@pytest.fixture
def source(made, tmp_path) -> HandMade:
    return again(made, "source", tmp_path / "source")


@pytest.fixture
def target(made, tmp_path) -> HandMade:
    return again(made, "target", tmp_path / "target")


@pytest.fixture
def bundle(made) -> Path:
    return made / "source" / "bundle.tar"


def exported(made: HandMade) -> Path:
    file = made.home / "bundle.tar"
    done = made.dreg("export", "wine@1.0.0", "-o", str(file), cwd=made.path)
    assert done.code == 0, done.stderr
    return file


def parts_of(file: Path) -> Parts:
    with BundleReader(file) as reader:
        return {name: b"".join(reader.read(name)) for name in reader.members}


def written(file: Path, parts: Parts) -> Path:
    with file.open("wb") as stream:
        writer = BundleWriter(stream)
        for name, data in parts.items():
            writer.add(name, len(data), iter((data,)))
        writer.end()
    return file


def state(made: HandMade) -> dict[str, object]:
    """All that an import could change."""
    return {
        "status": made.git("status", "--porcelain"),
        "files": {n: d for n, d in tree(made.path).items() if not n.startswith(".git/")},
        "here": made.git("for-each-ref"),
        "there": made.git("for-each-ref", cwd=made.bare),
        "store": tree(made.store) if made.store.exists() else {},
        "beside": sorted(path.name for path in made.home.iterdir()),
        "config": (made.path / ".git" / "config").read_bytes(),
    }


def refused(made: HandMade, file: Path, kind: type[DregError] = Refused) -> str:
    """The fact that refuses the file; nothing is changed."""
    before = state(made)
    with pytest.raises(kind) as error:
        bring(Registry(made.path), file)
    assert state(made) == before
    said = printable(error.value.fact)
    assert said == error.value.fact, "nothing that a terminal would obey"
    return said


def test_as_it_is_it_would_be_taken(bundle, target, tmp_path):
    """Or every refusal here would prove nothing."""
    again = written(tmp_path / "again.tar", parts_of(bundle))
    assert again.read_bytes() == bundle.read_bytes()
    assert target.dreg("import", str(again), cwd=target.path).code == 0
    assert TAG in target.git("tag", cwd=target.bare)


# The tar


ESCAPES = [
    "../escaped", "/tmp/escaped", "files/md5/../../../escaped", "C:\\escaped", "..\\escaped",
    ".git/hooks/pre-push", "files/md5/aa/CON", "nul", "aux.txt", "FILES/MD5/aa/" + "0" * 30,
    "files/md5/aa/" + "A" * 30, "dreg.lock", "files/md5/aa/" + "0" * 30 + ".DIR", "\x1b[2Jx",
]  # fmt: skip


@pytest.mark.parametrize("name", ESCAPES)
def test_a_name_that_has_no_business_there(bundle, target, tmp_path, name):
    file = written(tmp_path / "b.tar", {**parts_of(bundle), name: b"owned"})
    assert "no business there" in refused(target, file)


def with_member(bundle: Path, file: Path, change: Callable[[tarfile.TarInfo], None]) -> Path:
    """The bundle with one more member, as Python's tarfile writes it."""
    member = tarfile.TarInfo("files/md5/aa/" + "0" * 30)
    change(member)
    buffer = member.tobuf(format=tarfile.PAX_FORMAT)
    file.write_bytes(bundle.read_bytes()[: -len(END)] + buffer + END)
    return file


KINDS = {
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.LNKTYPE: "a hard link",
    tarfile.CHRTYPE: "a device",
    tarfile.BLKTYPE: "a device",
    tarfile.FIFOTYPE: "a pipe",
    tarfile.DIRTYPE: "a folder",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    tarfile.GNUTYPE_LONGNAME: "an extended header",
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: KINDS[kind].replace(" ", "-"))
def test_what_is_no_plain_file(bundle, target, tmp_path, kind):
    def change(member: tarfile.TarInfo) -> None:
        member.type = kind
        member.linkname = "/etc/passwd"

    assert KINDS[kind] in refused(target, with_member(bundle, tmp_path / "b.tar", change))


def test_an_extended_header(bundle, target, tmp_path):
    """In one, names and sizes of any length could be declared."""

    def change(member: tarfile.TarInfo) -> None:
        member.name = "files/md5/" + "x" * 300

    assert "an extended header" in refused(target, with_member(bundle, tmp_path / "b.tar", change))


@pytest.mark.parametrize("mode", [0o755, 0o4755])
def test_a_file_with_rights(bundle, target, tmp_path, mode):
    def change(member: tarfile.TarInfo) -> None:
        member.mode = mode

    assert "the header of" in refused(target, with_member(bundle, tmp_path / "b.tar", change))


def test_a_nul_in_a_name(bundle, target, tmp_path):
    block = bytearray(header("files/md5/aa/" + "0" * 30, 0))
    block[10:11] = b"\0"
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    file = tmp_path / "b.tar"
    file.write_bytes(bundle.read_bytes()[: -len(END)] + bytes(block) + END)
    assert "no business there" in refused(target, file)


@pytest.mark.parametrize("size", [10**9, 8**11 - 1, 2**62, 2**87])
def test_a_declared_size_that_is_not_there(bundle, target, tmp_path, size):
    file = tmp_path / "b.tar"
    block = header("files/md5/aa/" + "0" * 30, size)
    file.write_bytes(bundle.read_bytes()[: -len(END)] + block + END)
    assert "too short for the" in refused(target, file)


@pytest.mark.parametrize("name", [ABOUT, GIT, MANIFEST])
def test_one_of_the_first_members_is_missing(bundle, target, tmp_path, name):
    parts = parts_of(bundle)
    del parts[name]
    assert "no business there" in refused(target, written(tmp_path / "b.tar", parts))


def test_a_member_twice(bundle, target, tmp_path):
    data = parts_of(bundle)
    name, content = list(data.items())[-1]
    file = tmp_path / "b.tar"
    more = header(name, len(content)) + content + bytes(padding(len(content)))
    file.write_bytes(bundle.read_bytes()[: -len(END)] + more + END)
    assert "is in it twice" in refused(target, file)


def test_bytes_behind_the_end(bundle, target, tmp_path):
    file = tmp_path / "b.tar"
    file.write_bytes(bundle.read_bytes() + bytes(BLOCK))
    assert "something follows its end" in refused(target, file)


@pytest.mark.parametrize("part", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_cut_off(bundle, target, tmp_path, part):
    file = tmp_path / "b.tar"
    data = bundle.read_bytes()
    file.write_bytes(data[: int(len(data) * part)])
    refused(target, file)


def test_every_byte_counts(bundle, target, tmp_path):
    """One flipped bit, anywhere, and the file is refused."""
    data = bundle.read_bytes()
    members = BundleReader(bundle).members.values()
    places = [member.at + member.size // 2 for member in members]
    places += [member.at - BLOCK + 20 for member in members] + [len(data) - 700, len(data) - 1]
    for place in places:
        file = tmp_path / "b.tar"
        file.write_bytes(data[:place] + bytes([data[place] ^ 4]) + data[place + 1 :])
        refused(target, file, DregError)


# What it says of itself


def about(parts: Parts, **changes: object) -> Parts:
    value = {**json.loads(parts[ABOUT]), **changes}
    return {**parts, ABOUT: json.dumps(value).encode()}


OTHER = "0" * 40


@pytest.mark.parametrize(
    "changes",
    [
        {"tag": "../../heads/main"}, {"tag": "--upload-pack=x"}, {"tag": "wine-v1.0.1"},
        {"tag": "wine-v1.0.0\nrefs/heads/main"}, {"dataset": "../wine"}, {"dataset": "beer"},
        {"version": "1.0"}, {"tag_object": "HEAD"}, {"commit": "--all"}, {"commit": None},
        {"manifest": "x"}, {"objects": -1}, {"objects": True}, {"size": 1.5}, {"more": 1},
        {"yank": "main"}, {"yank": "yank/beer-v1.0.0", "yank_object": OTHER},
        {"yank": f"yank/{TAG}"}, {"yank_object": OTHER}, {"yank": f"yank/{TAG}@0", "yank_object": OTHER},
        {"tag_object": OTHER}, {"commit": OTHER}, {"manifest": "0" * 64},
        {"yank": f"yank/{TAG}", "yank_object": OTHER},
    ],
)  # fmt: skip
def test_a_description_that_is_not_this_release_s(bundle, target, tmp_path, changes):
    said = refused(target, written(tmp_path / "b.tar", about(parts_of(bundle), **changes)),
                   DregError)  # fmt: skip
    assert "bundle that can be trusted" in said or "is not the one the tag signs for" in said


@pytest.mark.parametrize(
    "data",
    [b"", b"[]", b"{", b"null", b"[" * 60_000, b'{"schema": "dreg.bundle/9"}', b"\xff\xfe",
     b'{"schema": "dreg.bundle/1"' + b" " * 70_000 + b"}"],
    ids=["empty", "list", "cut", "null", "nested", "newer", "not-text", "long"],
)  # fmt: skip
def test_a_description_that_is_none(bundle, target, tmp_path, data):
    refused(target, written(tmp_path / "b.tar", {**parts_of(bundle), ABOUT: data}))


# Objects and manifest


def test_an_object_is_missing(bundle, target, tmp_path):
    parts = parts_of(bundle)
    del parts[list(parts)[-1]]
    assert "it lacks 1 of the objects" in refused(target, written(tmp_path / "b.tar", parts))


def test_an_object_more(bundle, target, tmp_path):
    parts = parts_of(bundle)
    extra = object_key("f" * 32)
    assert "is not in its manifest" in refused(
        target, written(tmp_path / "b.tar", {**parts, extra: b"payload"})
    )


def test_objects_in_another_order(bundle, target, tmp_path):
    parts = parts_of(bundle)
    last = list(parts)[-1]
    swapped = {**{n: d for n, d in parts.items() if not n.startswith("files/")}, last: parts[last]}
    assert "not in order" in refused(target, written(tmp_path / "b.tar", {**swapped, **parts}))


@pytest.mark.parametrize("change", [lambda d: d[:-1], lambda d: d + b"!", lambda d: b"?" + d[1:]])
def test_an_object_with_other_bytes(bundle, target, tmp_path, change):
    parts = parts_of(bundle)
    key = file_of("x", TRAIN).md5
    parts[object_key(key)] = change(parts[object_key(key)])
    assert "corrupt" in refused(target, written(tmp_path / "b.tar", parts), Outside)


def test_the_manifest_of_another_release(source, bundle, target, tmp_path):
    parts = parts_of(bundle)
    other = source.release("1.1.0", {"processed/train.csv": TRAIN})
    parts[MANIFEST] = other.to_text().encode()
    file = written(tmp_path / "b.tar", parts)
    assert "is not the one the tag signs for" in refused(target, file, Outside)
    file = written(tmp_path / "b.tar", about(parts, manifest=other.digest))
    assert "does not sign for its manifest" in refused(target, file)


HOSTILE = [
    "../escaped", "/etc/passwd", "a/../../escaped", "a//b", "", ".", "a\0b", "a\\b", "c:/x",
    "processed/CON", "processed/nul.txt", "a/COM1", "processed/x.", "processed/x ", "a:stream",
    "processed/\x1b[2J", "a\nb", ".git/config", "processed/.GIT/config", ".dreg.json",
]  # fmt: skip


@pytest.mark.parametrize("path", HOSTILE)
def test_a_release_whose_manifest_lists_an_escape(source, target, path, monkeypatch):
    """A registry may be hostile itself: its own export refuses, and so does who imports."""
    listed = [file_of("metadata.json", METADATA, in_git=True), file_of(path, TRAIN)]
    made = source.release("2.0.0", listed=listed)
    monkeypatch.chdir(source.path)
    with pytest.raises(Refused, match="the release lists"):
        export("wine@2.0.0", output="b.tar")
    file = written(source.home / "b.tar", by_hand(source, "wine-v2.0.0", made))
    assert "the release lists" in refused(target, file)


@pytest.mark.parametrize(
    "paths", [("a", "A"), ("a", "a/b"), ("straße", "STRASSE"), ("caf\u00e9", "cafe\u0301")]
)
def test_a_release_whose_files_would_be_one(source, target, paths):
    listed = [file_of("metadata.json", METADATA, in_git=True)]
    listed += [file_of(path, TRAIN) for path in paths]
    made = source.release("2.0.0", listed=listed)
    file = written(source.home / "b.tar", by_hand(source, "wine-v2.0.0", made))
    assert "the release lists" in refused(target, file)


def by_hand(made: HandMade, tag: str, manifest: object) -> Parts:
    """A bundle of a tag, whatever its manifest says."""
    text = made.store.joinpath(manifest_key(manifest.digest)).read_bytes()  # type: ignore[attr-defined]
    oid = made.git("rev-parse", f"refs/tags/{tag}")
    listed = About(
        "wine", tag.partition("-v")[2], tag, oid, made.git("rev-parse", f"{tag}^{{commit}}"),
        hashlib.sha256(text).hexdigest(), 1, len(TRAIN),
    )  # fmt: skip
    git = git_part(made, {f"refs/tags/{tag}": oid}, [oid])
    key = object_key(file_of("x", TRAIN).md5)
    return {ABOUT: listed.to_bytes(), GIT: git, MANIFEST: text, key: TRAIN}


def git_part(made: HandMade, references: dict[str, str], tips: list[str]) -> bytes:
    pack = subprocess.run(
        ["git", "pack-objects", "--revs", "--stdout", "-q"],
        cwd=made.path, input="\n".join(tips).encode(), capture_output=True, check=True,
    ).stdout  # fmt: skip
    return bundle_header(references) + pack


def test_a_folder_that_lists_what_the_manifest_does_not(source, target):
    """Its object is what its address says, and the manifest names it: still `dvc pull` would place more."""
    listed = json.dumps([
        {"md5": file_of("x", TRAIN).md5, "relpath": "train.csv"},
        {"md5": file_of("x", VAL).md5, "relpath": "more.csv"},
    ]).encode()  # fmt: skip
    md5 = hashlib.md5(listed, usedforsecurity=False).hexdigest() + ".dir"
    honest = source.release("2.0.0", {"processed/train.csv": TRAIN})
    made = dataclasses.replace(honest, directories={"processed": md5})
    (source.store / manifest_key(made.digest)).parent.mkdir(parents=True, exist_ok=True)
    (source.store / manifest_key(made.digest)).write_bytes(made.to_text().encode())
    source.tag("wine-v2.0.0", made.digest, force=True)
    parts = about(by_hand(source, "wine-v2.0.0", made), objects=2, size=len(TRAIN) + len(listed))
    file = written(source.home / "b.tar", {**parts, object_key(md5): listed})
    assert "lists what its manifest does not" in refused(target, file)


# The part that git reads


@pytest.fixture
def parts(bundle) -> Parts:
    return parts_of(bundle)


def tag_object(made: HandMade) -> str:
    return made.git("rev-parse", f"refs/tags/{TAG}")


@pytest.mark.parametrize(
    "more",
    [
        "refs/heads/main",
        "refs/tags/wine-v9.0.0",
        "HEAD",
        "refs/remotes/origin/main",
        "refs/replace/x",
    ],
)
def test_a_reference_more(source, target, parts, tmp_path, more):
    oid = tag_object(source)
    commit = source.git("rev-parse", "HEAD")
    parts[GIT] = git_part(source, {f"refs/tags/{TAG}": oid, more: commit}, [oid])
    said = refused(target, written(tmp_path / "b.tar", parts))
    assert "something else than tags" in said or "other references" in said


@pytest.mark.parametrize(
    "line",
    ["-" + "0" * 40 + " needed\n", "@filter=blob:none\n", "--upload-pack=touch x\n", "\n", "0\n",
     "x" * 40 + " refs/tags/" + TAG + "\n", "0" * 40 + " refs/tags/a b\n"],
)  # fmt: skip
def test_a_header_that_asks_for_more(target, parts, tmp_path, line):
    head, _, pack = parts[GIT].partition(b"\n\n")
    first, _, rest = (head + b"\n").partition(b"\n")
    parts[GIT] = first + b"\n" + line.encode() + rest + b"\n" + pack
    refused(target, written(tmp_path / "b.tar", parts))


def test_more_history_than_the_tag_s(source, target, parts, tmp_path):
    source.git("checkout", "-q", "--orphan", "hidden")
    source.git("commit", "-q", "--allow-empty", "-m", "payload")
    oid = tag_object(source)
    tips = [oid, source.git("rev-parse", "HEAD")]
    parts[GIT] = git_part(source, {f"refs/tags/{TAG}": oid}, tips)
    assert "more than the history" in refused(target, written(tmp_path / "b.tar", parts))


def test_history_that_is_not_complete(source, target, parts, tmp_path):
    oid = tag_object(source)
    parts[GIT] = git_part(
        source, {f"refs/tags/{TAG}": oid}, [oid, f"^{source.git('rev-parse', 'HEAD~')}"]
    )
    said = refused(target, written(tmp_path / "b.tar", parts))
    assert "not complete" in said or "git refuses" in said


def test_a_lightweight_tag(source, target, parts, tmp_path):
    commit = source.git("rev-parse", f"{TAG}^{{commit}}")
    parts = about(parts, tag_object=commit)
    parts[GIT] = git_part(source, {f"refs/tags/{TAG}": commit}, [commit])
    assert "annotated" in refused(target, written(tmp_path / "b.tar", parts))


def test_the_tag_object_of_another_name(source, target, parts, tmp_path):
    """An old signed tag must not stand in for a new release."""
    other = source.release("1.1.0")
    oid = source.git("rev-parse", "refs/tags/wine-v1.1.0")
    parts = about(
        parts, tag_object=oid, commit=source.git("rev-parse", "HEAD"), manifest=other.digest
    )
    parts[GIT] = git_part(source, {f"refs/tags/{TAG}": oid}, [oid])
    parts[MANIFEST] = other.to_text().encode()
    assert "is not that of" in refused(target, written(tmp_path / "b.tar", parts))


@pytest.mark.parametrize("name", [".git", "..", ".GIT", "git~1"])
def test_a_tree_that_git_would_not_check_out_safely(source, target, parts, tmp_path, name):
    blob = source.git("hash-object", "-w", ".dvc/config")
    made = subprocess.run(
        ["git", "hash-object", "-t", "tree", "--literally", "-w", "--stdin"],
        cwd=source.path, input=b"100755 " + name.encode() + b"\0" + bytes.fromhex(blob),
        capture_output=True, check=True,
    ).stdout.decode().strip()  # fmt: skip
    commit = source.git("commit-tree", made, "-m", "x")
    parts, file = evil_tag(source, parts, commit), tmp_path / "b.tar"
    assert "git refuses its git part" in refused(target, written(file, parts))


def evil_tag(made: HandMade, parts: Parts, commit: str) -> Parts:
    message = made.git("cat-file", "tag", TAG).partition("\n\n")[2]
    made.git("tag", "-f", "-a", "-m", message, TAG, commit)
    oid = tag_object(made)
    parts = about(parts, tag_object=oid, commit=commit)
    parts[GIT] = git_part(made, {f"refs/tags/{TAG}": oid}, [oid])
    return parts


def test_a_commit_without_the_files_that_are_in_git(source, target, parts, tmp_path):
    commit = source.git("rev-parse", f"{TAG}~")
    parts = evil_tag(source, parts, commit)
    assert "lists" in refused(target, written(tmp_path / "b.tar", parts), Outside)


# Bombs


def entry(kind: int, size: int, deflated: bytes) -> bytes:
    head, left = bytearray(), size >> 4
    head.append((kind << 4) | (size & 15) | (0x80 if left else 0))
    while left:
        head.append((left & 0x7F) | (0x80 if left > 0x7F else 0))
        left >>= 7
    return bytes(head) + deflated


def zeros(size: int) -> bytes:
    squeeze = zlib.compressobj(1)
    piece = bytes(1 << 20)
    return b"".join([squeeze.compress(piece) for _ in range(size >> 20)]) + squeeze.flush()


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


BIG = 300 << 20
BOMBS = {
    "a-large-blob": lambda: entry(3, BIG, zeros(BIG)),
    "a-blob-larger-than-it-says": lambda: entry(3, 10, zeros(BIG)),
    "a-delta-that-makes-terabytes": lambda: entry(
        7, 20, bytes(20) + zlib.compress(varint(10) + varint(1 << 42) + bytes(10))
    ),
    "a-size-without-an-end": lambda: b"\xbf" + b"\xff" * 40,
}


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_pack_that_explodes_is_refused_in_little_memory(source, target, parts, tmp_path, bomb):
    pack = b"PACK\0\0\0\2\0\0\0\1" + BOMBS[bomb]()
    pack += hashlib.sha1(pack, usedforsecurity=False).digest()
    parts[GIT] = bundle_header({f"refs/tags/{TAG}": tag_object(source)}) + pack
    file = written(tmp_path / "b.tar", parts)
    before = state(target)
    done = subprocess.run(
        [sys.executable, "-m", "dreg", "import", str(file)],
        cwd=target.path, env={**os.environ, **target.environment}, capture_output=True, text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (250 << 20, 250 << 20)),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    assert "no bundle that can be trusted" in done.stderr
    assert state(target) == before


def test_a_manifest_nested_without_end(bundle, target, tmp_path):
    parts = parts_of(bundle)
    parts[MANIFEST] = b"[" * 200_000
    digest = hashlib.sha256(parts[MANIFEST]).hexdigest()
    said = refused(target, written(tmp_path / "b.tar", about(parts, manifest=digest)))
    assert "malformed" in said


def test_header_and_reader_agree():
    from dreg.core.tar import parse

    for size in (0, 1, 511, 512, 8**11 - 1, 8**11, 2**60):
        assert parse(header("git.bundle", size)) == ("git.bundle", size)
    buffer = io.BytesIO(header("files/md5/aa/x", 8**11))
    assert tarfile.TarInfo.frombuf(buffer.read(), "ascii", "strict").size == 8**11
    assert dataclasses.fields(About)
