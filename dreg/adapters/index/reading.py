"""Sample indexes read again: block by block of one split, as they are sorted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from dreg.adapters.hashing.fingerprints import hashes
from dreg.adapters.hashing.lanes import Lanes, Words
from dreg.adapters.yaml_files import shown
from dreg.errors import Outside

ROWS = 1 << 17
COLUMNS = ("split", "key", "hash")


@dataclass(frozen=True)
class Block:
    """Samples of one split in order; `keys` is None where the index has no keys but the hashes."""

    split: str
    first: Words
    second: Words
    keys: pa.Array | None = None

    def __len__(self) -> int:
        return len(self.first)

    def cut(self, start: int, stop: int) -> Block:
        """The samples from `start` to before `stop`."""
        keys = None if self.keys is None else self.keys.slice(start, stop - start)
        return Block(self.split, self.first[start:stop], self.second[start:stop], keys)

    def take(self, places: npt.NDArray[np.int64]) -> Block:
        keys = None
        if self.keys is not None:
            keys = self.keys.take(
                pa.Array.from_buffers(pa.int64(), len(places), [None, pa.py_buffer(places)])
            )
        return Block(self.split, self.first[places], self.second[places], keys)

    def joined(self, other: Block) -> Block:
        """Both, one after the other."""
        keys = None
        if self.keys is not None:
            keys = pa.concat_arrays([self.keys, other.keys])
        return Block(
            self.split,
            np.concatenate([self.first, other.first]),
            np.concatenate([self.second, other.second]),
            keys,
        )

    def below(self, limit: str | int) -> int:
        """How many samples come before `limit`, a key or the first lane of a hash."""
        if self.keys is None:
            return int(np.searchsorted(self.first, np.uint64(limit)))
        low, high = 0, len(self)
        while low < high:
            middle = (low + high) // 2
            if self.keys[middle].as_py() < limit:
                low = middle + 1
            else:
                high = middle
        return low

    @property
    def last(self) -> str | int:
        """What the last sample is sorted by."""
        if self.keys is None:
            return int(self.first[-1])
        key: str = self.keys[-1].as_py()
        return key

    def ids(self) -> Lanes:
        """128 bits for each sample, equal for equal keys: the hash of the key, or of the sample."""
        return (self.first, self.second) if self.keys is None else hashes(self.keys)

    def texts(self) -> list[str]:
        """The keys, as the index has them."""
        if self.keys is not None:
            return list(self.keys.to_pylist())
        pairs = zip(self.first.tolist(), self.second.tolist(), strict=True)
        return [f"{first:016x}{second:016x}" for first, second in pairs]


@dataclass(frozen=True)
class Index:
    """An open index: where it is, how many samples it has, whether it has keys of its own."""

    path: Path
    samples: int
    keyed: bool
    parquet: object

    def blocks(self, *, keys: bool) -> Iterator[Block]:
        """All samples, split by split; with their keys if asked for."""
        columns = [name for name in COLUMNS if keys or name != "key"]
        before: Block | None = None
        with reading(self.path):
            for batch in self.parquet.iter_batches(batch_size=ROWS, columns=columns):  # type: ignore[attr-defined]
                batch.validate(full=True)  # damage may have left text that is none
                _refuse_nulls(batch)
                for block in _blocks(batch):
                    self._in_order(before, block)
                    before = block
                    yield block

    def _in_order(self, before: Block | None, block: Block) -> None:
        """Raises Outside for rows that are not sorted: merged, they would give wrong figures.

        A key is in a split once; samples without a key may be alike.
        """
        if block.keys is None:
            ordered = not (block.first[1:] < block.first[:-1]).any()
        else:
            later, earlier = block.keys.slice(1), block.keys.slice(0, len(block) - 1)
            ordered = not pc.any(pc.less_equal(later, earlier)).as_py()
        if before is not None and before.split == block.split:
            last, start = before.last, block.cut(0, 1).last
            ordered = ordered and (last < start or (last == start and block.keys is None))  # type: ignore[operator]
        elif before is not None:
            ordered = ordered and before.split.encode() < block.split.encode()
        if not ordered:
            raise Outside(
                f"`{shown(self.path)}` is not sorted, or has a key twice, as no sample index does",
                hint=AGAIN,
            )


AGAIN = "it was not written by dreg, or damaged since: dreg run NAME --force"


@contextmanager
def opened_index(path: Path) -> Iterator[Index]:
    """The index at `path`. Raises Outside for a file that is missing, damaged or no index."""
    import pyarrow.parquet as pq

    with reading(path):
        kinds = {field.name: str(field.type) for field in pq.read_schema(path)}
    if kinds != {"split": "string", "key": "string", "hash": "fixed_size_binary[16]"}:
        raise Outside(f"`{shown(path)}` has other columns than a sample index", hint=AGAIN)
    with ExitStack() as stack:
        keyed = False
        with reading(path):
            parquet = stack.enter_context(
                pq.ParquetFile(path, read_dictionary=["split"], pre_buffer=False)
            )
            for batch in parquet.iter_batches(batch_size=1, columns=["key", "hash"]):
                _refuse_nulls(batch)
                keyed = batch["key"][0].as_py() != batch["hash"][0].as_py().hex()
                break
        # Not in `reading`: what goes wrong there is no damage of this file.
        yield Index(path, parquet.metadata.num_rows, keyed, parquet)


@contextmanager
def reading(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise Outside(f"there is no sample index `{shown(path)}`", hint="dreg run NAME") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise Outside(f"`{shown(path)}` is damaged: {reason}", hint=AGAIN) from error


def _refuse_nulls(batch: pa.RecordBatch) -> None:
    if any(column.null_count for column in batch.columns):
        raise pa.ArrowInvalid("a sample without split, key or hash")


def _blocks(batch: pa.RecordBatch) -> Iterator[Block]:
    """The batch, cut where a split ends."""
    splits = batch["split"]
    codes = splits.indices
    kind = np.dtype(str(codes.type))
    places = np.frombuffer(
        codes.buffers()[1], kind, count=len(codes), offset=codes.offset * kind.itemsize
    )
    hashed = batch["hash"]
    octets = np.frombuffer(
        hashed.buffers()[1], np.uint8, count=16 * len(hashed), offset=16 * hashed.offset
    )
    lanes = octets.view(">u8").astype(np.uint64).reshape(-1, 2)
    keys = batch["key"] if "key" in batch.schema.names else None
    ends = [*(np.flatnonzero(np.diff(places)) + 1).tolist(), len(places)]
    start = 0
    for end in ends:
        if end > start:
            name = splits.dictionary[int(places[start])].as_py()
            first, second = (np.ascontiguousarray(lanes[start:end, lane]) for lane in (0, 1))
            part = None if keys is None else keys.slice(start, end - start)
            yield Block(name, first, second, part)
        start = end
