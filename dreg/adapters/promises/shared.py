"""What is in more than one split: samples by the sample index, values by the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.figures import plain
from dreg.adapters.formats.loose_files import FILE
from dreg.adapters.hashing.fingerprints import fingerprints
from dreg.adapters.hashing.lanes import Lanes
from dreg.adapters.index.keys import key_texts
from dreg.adapters.index.reading import Block, opened_index
from dreg.adapters.promises.repeats import Repeats
from dreg.adapters.promises.scan import Files, Places, named, parts, remember
from dreg.adapters.scratch import scratch_folder
from dreg.core.contract import Contract
from dreg.core.evidence import MOST_NAMED, Evidence, Sample
from dreg.core.types import spelled

Identity = tuple[str, str]  # split; key, or hash in hexadecimal

# Punctuation and spaces of all scripts, and what is not printed; letters, digits and symbols stay.
BETWEEN = r"[\p{P}\p{Z}\p{C}\s]+"


def near_duplicates(
    columns: Sequence[str], contract: Contract, files: Files, root: Path
) -> Mapping[str, Evidence]:
    """By column, the values that are in more than one split; texts in `normal_form`.

    Neither nulls nor texts without a letter or digit count. Raises Outside for files that cannot be
    read.
    """
    places = Places(root)
    with scratch_folder() as folder:
        repeats = {name: Repeats(folder / str(i)) for i, name in enumerate(columns)}
        for part in parts(files, contract, columns):
            places.seen(part)
            for name in columns:
                if name in part.batch.schema.names:
                    remember(repeats[name], part, compared(plain(part.batch.column(name))))
        found = {}
        for name in columns:
            count, pairs = repeats[name].across(list(places.splits.values()), MOST_NAMED)
            found[name] = Evidence(count, named(pairs, places, contract, files, name))
    return found


def compared(array: pa.Array) -> pa.Array:
    """What values are compared by."""
    if spelled(str(array.type)) != "string":
        return array
    texts = normal_form(array)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)


def normal_form(texts: pa.Array) -> pa.Array:
    """Texts without what does not tell them apart: form of characters, case, punctuation, spaces."""
    texts = pc.utf8_normalize(texts, form="NFKC")
    texts = pc.utf8_lower(pc.utf8_upper(texts))  # so both kinds of a small sigma are one
    texts = pc.replace_substring(texts, "ß", "ss")
    return pc.utf8_trim(pc.replace_substring_regex(texts, BETWEEN, " "), " ")


def leaked(index: Path, contract: Contract, files: Files | None, root: Path) -> Evidence:
    """The samples that are in more than one split: of one key where the contract has a key, else of
    one content. Equal contents have equal keys, as a key is part of the content; except for a
    file's name, so where that is the key, files of one content count as well.

    Without `files` they are named by split and key alone. Raises Outside for an index that is
    damaged.
    """
    starts: dict[str, int] = {}
    number = 0
    with scratch_folder() as folder, opened_index(index) as rows:
        ways = [_ids, _contents, _both] if rows.keyed and FILE in contract.key else [_ids]
        repeats = [Repeats(folder / way.__name__) for way in ways]
        for block in rows.blocks(keys=rows.keyed):
            starts.setdefault(block.split, number)
            numbers = np.arange(number, number + len(block), dtype=np.int64)
            for found, way in zip(repeats, ways, strict=True):
                found.add(way(block), numbers)
            number += len(block)
        (count, pairs), *more = (r.across(list(starts.values()), MOST_NAMED) for r in repeats)
        if more:
            (contents, alike), (both, _) = more
            count += max(0, contents - both)
            pairs = sorted({*pairs, *alike})[:MOST_NAMED]
    if not count:
        return Evidence()
    known = _identities(index, {number for pair in pairs for number in pair})
    places = {} if files is None else _places(files, contract, root, set(known.values()))
    samples = []
    for one, other in pairs:
        first, second = (
            places.get(who) or _unplaced(who, contract) for who in (known[one], known[other])
        )
        samples.append(replace(first, like=second.place))
    return Evidence(count, tuple(samples))


def _ids(block: Block) -> Lanes:
    return block.ids()


def _contents(block: Block) -> Lanes:
    return block.first, block.second


def _both(block: Block) -> Lanes:
    first, second = block.ids()
    return first ^ block.first, second ^ block.second


def _identities(index: Path, numbers: set[int]) -> dict[int, Identity]:
    """Split, and key or hash, of the index's samples with these numbers."""
    found, start = dict[int, Identity](), 0
    with opened_index(index) as rows:
        for block in rows.blocks(keys=rows.keyed):
            here = sorted(n for n in numbers if start <= n < start + len(block))
            texts = block.take(np.array([n - start for n in here], np.int64)).texts()
            found |= {n: (block.split, text) for n, text in zip(here, texts, strict=True)}
            start += len(block)
    return found


def _places(
    files: Files, contract: Contract, root: Path, wanted: set[Identity]
) -> dict[Identity, Sample]:
    """Where in the data these samples are: by their keys, else by the hashes of all there is."""
    found: dict[Identity, Sample] = {}
    for part in parts(files, contract, contract.key or None):
        here = sorted(text for split, text in wanted - found.keys() if split == part.split)
        for row, text in _hits(part.batch, contract.key, here) if here else ():
            key = text if contract.key else ""
            place = replace(part.sample(row, root), key=key)
            found.setdefault((part.split, text), place)
        if len(found) == len(wanted):
            break
    return found


def _hits(
    batch: pa.RecordBatch, key: tuple[str, ...], wanted: list[str]
) -> Iterator[tuple[int, str]]:
    if key:
        keys = key_texts(batch, key)
        for row in pc.indices_nonzero(pc.is_in(keys, value_set=pa.array(wanted, keys.type))):
            yield row.as_py(), keys[row.as_py()].as_py()
        return
    first, second = fingerprints(batch)
    among = np.isin(first, np.array([int(text[:16], 16) for text in wanted], np.uint64))
    for at in np.flatnonzero(among).tolist():
        text = f"{int(first[at]):016x}{int(second[at]):016x}"
        if text in wanted:
            yield at, text


def _unplaced(who: Identity, contract: Contract) -> Sample:
    split, text = who
    return Sample(split, key=text if contract.key else "", value="" if contract.key else text)
