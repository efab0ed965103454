"""Objects on their way to the remote: a folder's object after the files it names, none but right bytes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence

from dreg.adapters.dvc import Pipeline
from dreg.adapters.dvc.process import Processes
from dreg.adapters.dvc.reproduce import Attempt
from dreg.adapters.dvc_config import committed_remotes
from dreg.adapters.inspection import Wanted, inspect
from dreg.adapters.looking_up import stored
from dreg.adapters.objects import Room, Store, many
from dreg.core.manifest import manifest_key
from dreg.core.stored import PART, State, part_size
from dreg.core.wording import numbered
from dreg.errors import Outside
from dreg.output import out
from dreg.push.holdings import Holdings, Object, lacks
from dreg.registry import Dataset

MEMORY = 256 * 1024 * 1024  # bytes of objects on their way
PARTS = 6  # of a large object that are in memory: on their way, and being read


def push(
    dataset: Dataset, store: Store, objects: Sequence[Object], processes: Processes
) -> Mapping[str, str]:
    """Write the objects; the ETags that prove their arrival, by key, as far as the store gives any.

    To a remote that only DVC knows it is `dvc push` that writes, and DVC's file system what that
    leaves out: what is there with wrong bytes, or what DVC just believes to be there. Raises Stopped
    once `processes` were; Outside when the remote fails, or when local bytes turn out to be damaged.
    """
    if objects and store.remote.options and not store.remote.is_native:
        absent = {entry.key for entry in lacking(store, objects)}
        wrong = {entry.key for entry in objects} - absent
        _by_dvc(dataset, store, processes)
        left = {entry.key for entry in lacking(store, objects)} | wrong
        objects = [entry for entry in objects if entry.key in left]
    files = [entry for entry in objects if not entry.is_directory]
    folders = [entry for entry in objects if entry.is_directory]
    files.sort(key=lambda entry: -entry.size)  # else a large one that comes last is waited for
    room = Room(MEMORY)
    sent: dict[str, str] = {}
    with out.progress("pushing", sum(entry.size for entry in files), "bytes") as show:

        def advance(number: int) -> None:
            processes.check()
            show(number)

        for group in (files, folders):
            etags = many([functools.partial(_push, store, each, room, advance) for each in group])
            sent.update((e.key, etag) for e, etag in zip(group, etags, strict=True) if etag)
    return sent


def _by_dvc(dataset: Dataset, store: Store, processes: Processes) -> None:
    pipeline = Pipeline(dataset.root, dataset.name)
    Attempt(pipeline, processes, out.note, lambda: None, out.debug).push(store.remote.name)


def lacking(store: Store, objects: Sequence[Object]) -> list[Object]:
    seen = stored(store, [entry.key for entry in objects])
    return [
        entry
        for entry, one in zip(objects, seen, strict=True)
        if one is None or (entry.source and entry.size != one.size)
    ]


def verify(held: Holdings, sent: Mapping[str, str]) -> None:
    """Ask the remote for every object, pushed just now or there before: until the release was
    announced, a garbage collection may have deleted some.

    Raises Outside for objects that are not there as they should be.
    """
    absent, _ = lacks(held.store, held.objects, sent, opaque=held.opaque)
    refuse_absent(held.store, absent)


def write_manifest(store: Store, text: bytes) -> None:
    """Write the text of a manifest, and see that it arrived. Raises Outside."""
    digest = hashlib.sha256(text).hexdigest()
    key = manifest_key(digest)
    store.put_bytes(key, text)
    md5 = hashlib.md5(text, usedforsecurity=False).hexdigest()
    (state,) = inspect(store, [Wanted(key, md5, len(text), digest)], read=True)
    if state is not State.RIGHT:
        raise Outside(
            f"the manifest is {state.words} on {store.location}, though it was just written",
            hint="check the remote: dreg remote check; then run the command again",
        )


def refuse_absent(store: Store, absent: Sequence[Object]) -> None:
    if absent:
        raise Outside(
            f"not on {store.location} as it was pushed: {numbered(len(absent), 'object')}",
            hint="check the remote: dreg remote check; then run the command again",
            details=[entry.path for entry in absent[:10]],
        )


def _push(store: Store, entry: Object, room: Room, advance: Callable[[int], None]) -> str:
    assert entry.source is not None
    size = entry.size if entry.size <= PART else PARTS * part_size(entry.size)
    with room.taken(size):
        said = store.put_file(entry.key, entry.source, advance, md5=entry.md5)
    return said.etag if said else ""


def warn_of_another_remote(dataset: Dataset, store: Store) -> None:
    """Consumers look where the committed configuration says, whatever this run was told."""
    committed = committed_remotes(dataset.root)
    default = committed.by_name.get(committed.default or "")
    if default is not None and default.url != store.remote.url:
        out.warn(
            f"the bytes go to {store.location}, and .dvc/config names `{default.name}`: "
            "consumers need DREG_REMOTE to find them"
        )
