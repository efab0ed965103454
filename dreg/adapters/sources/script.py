"""The `script` mirror: a file that its pipeline makes of another, as its publisher would have."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO

from dreg.adapters.sources.cache import Cache, chunks
from dreg.adapters.sources.http import Interrupted, Web, wait_after
from dreg.adapters.sources.unavailable import Mismatch, Unavailable
from dreg.adapters.sources.whole import whole
from dreg.core.sources import Script, Source


def from_script(mirror: Script, source: Source, cache: Cache, web: Web) -> None:
    """Have `mirror` give the source to the cache. Raises Unavailable saying why not."""
    if not Path(mirror.path).is_file():  # a stage runs in its pipeline's folder
        raise Unavailable("there is no such script")
    with (
        tempfile.TemporaryFile(dir=cache.folder) as given,
        tempfile.TemporaryFile(dir=cache.folder) as made,
        tempfile.TemporaryFile() as said,
    ):
        read(mirror.url, given, web)
        given.seek(0)
        command = [sys.executable, mirror.path, source.path]
        ended = subprocess.run(command, stdin=given, stdout=made, stderr=said, check=False)
        if ended.returncode != 0:
            raise Unavailable(f"it ended with {ended.returncode}{last_line(said)}")
        made.seek(0)
        try:
            cache.keep(source.sha256, source.size, chunks(made))
        except Mismatch as error:
            raise Mismatch(f"what it made is another file: {error}") from error


def read(url: str, file: IO[bytes], web: Web) -> None:
    """Write what is at `url` to `file`. Raises Unavailable when several tries failed."""
    with web.asking(url):
        for fruitless in itertools.count(1):
            file.seek(0)
            file.truncate()
            try:
                file.writelines(whole(web.session, url))
                return
            except Interrupted as error:
                wait_after(error, fruitless)


def last_line(said: IO[bytes]) -> str:
    """What a script said last, which is its error in the case of Python."""
    said.seek(0)
    lines = said.read().decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return f": {last}" if last else ""
