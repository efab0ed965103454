"""Merging one file as git does."""

from __future__ import annotations

from dreg.adapters.git.process import failure, start
from dreg.adapters.scratch import scratch_folder


def merged(
    ours: bytes, base: bytes, theirs: bytes, names: tuple[str, str, str]
) -> tuple[bytes, int]:
    """Both changes to `base`, and how many times they conflict; conflicts are marked with `names`.

    Raises Outside where git cannot tell.
    """
    with scratch_folder() as scratch:
        paths = []
        for number, content in enumerate((ours, base, theirs)):
            paths.append(scratch / str(number))
            paths[-1].write_bytes(content)
        labels = [part for name in names for part in ("-L", name)]
        arguments = ["merge-file", "-p", "--diff3", *labels, *map(str, paths)]
        done = start(arguments, cwd=scratch)
    if done.returncode < 0 or done.returncode > 127:
        raise failure(arguments, done.stderr.decode(errors="replace"))
    return done.stdout, done.returncode
