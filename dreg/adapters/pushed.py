"""What a work tree remembers of its pushes, so that a push of nothing new need not ask for everything.

DVC remembers likewise. It is no proof, and a release doesn't look at it: objects may have gone since.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from dreg.adapters.dvc.pipeline import scratch
from dreg.adapters.written import written
from dreg.core.remotes import Remote

PROBES = 8  # objects that are asked for besides those that dvc.lock names


@dataclass(frozen=True)
class Pushed:
    """Outputs that were all on a remote. `probes` are some of the objects, with sizes in bytes."""

    remote: str
    outputs: str
    probes: Mapping[str, int]

    @classmethod
    def of(
        cls,
        remote: Remote,
        outputs: Iterable[str],
        named: Mapping[str, int],
        others: Sequence[tuple[str, int]],
    ) -> Pushed:
        """What to remember of `outputs` (md5s in dvc.lock): the objects that these name and some of
        the `others`, which lie below folders, each with its size."""
        some = sorted(others)[:: -(-len(others) // PROBES) or 1]
        return cls(_place(remote), _digest(outputs), {**named, **dict(some)})

    def is_of(self, remote: Remote, outputs: Iterable[str]) -> bool:
        """Whether these are the outputs and the remote."""
        return (self.remote, self.outputs) == (_place(remote), _digest(outputs))


def remembered(root: Path, name: str) -> Pushed | None:
    """The last push of the dataset from the work tree at `root`."""
    try:
        data = json.loads(_file(root, name).read_bytes())
        probes = {str(key): int(size) for key, size in data["probes"].items()}
        return Pushed(str(data["remote"]), str(data["outputs"]), probes)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def remember(root: Path, name: str, pushed: Pushed) -> None:
    """Losing it only costs time."""
    try:
        with written(_file(root, name)) as file:
            file.write(json.dumps(asdict(pushed)).encode())
    except OSError:
        return


def _file(root: Path, name: str) -> Path:
    return scratch(root) / "pushed" / f"{name}.json"


def _place(remote: Remote) -> str:
    return hashlib.sha256(f"{remote.url}\n{remote.endpoint}".encode()).hexdigest()


def _digest(outputs: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(outputs).encode()).hexdigest()
