"""Two servers that fork: one has imported DVC, for each pipeline, the other what stages need, for each stage.

Importing is most of what a small stage takes. Two, so that a stage finds nothing imported that its script would
not have imported itself, were it started by `dvc repro`.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from dreg.adapters.forking.orders import Forked, Server, forked
from dreg.adapters.forking.server import Order

CHILD = "dreg.adapters.dvc.child"
FOR_DVC = (
    CHILD, "dulwich.worktree", "dvc._debug", "dvc.cachemgr", "dvc.cli.parser", "dvc.commands.repro", "dvc.data_cloud",
    "dvc.repo.artifacts", "dvc.repo.datasets", "dvc.repo.metrics", "dvc.repo.open_repo", "dvc.repo.params",
    "dvc.repo.plots", "dvc.repo.stage", "dvc.rwlock", "dvc.scm", "dvc.stage.cache", "dvc.utils.strictyaml",
    "dvc_data.hashfile.db.local", "dvc_data.hashfile.status", "flatten_dict", "ruamel.yaml",
)  # fmt: skip
# Not dreg.stages: that a script imports it is what makes dreg explain the script's errors.
FOR_STAGES = (
    "PIL.Image", "dreg.adapters.declared_model", "dreg.adapters.engines", "dreg.adapters.index.writing",
    "dreg.adapters.making", "dreg.adapters.merging", "dreg.adapters.promises.shared", "dreg.adapters.sources",
    "pyarrow.compute", "pyarrow.csv", "pyarrow.parquet", "yaml",
)  # fmt: skip


class Servers:
    """Started when the first DVC is wanted, for a registry at `root` and stages in `environment`."""

    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._environment = environment
        self._two: tuple[Server, Server] | None = None
        self._usable = (
            sys.platform == "linux"
        )  # elsewhere, forks of what has imported much do not end well

    def dvc(
        self,
        arguments: Sequence[str],
        saying: int,
        kept: Sequence[int],
        environment: Mapping[str, str],
    ) -> Forked | None:
        """A DVC that writes to `saying` and has the files `kept` open, the first of them its lifeline.

        None if that is not to be had, and it has to be started.
        """
        if not self._usable:
            return None
        if self._two is None:
            self._two = (
                Server(FOR_DVC, self._root, self._environment),
                Server(FOR_STAGES, self._root, self._environment),
            )
        server, stages = self._two
        orders = stages.orders.fileno()
        with Path(os.devnull).open() as nothing:
            order = Order(
                [CHILD, str(kept[0]), str(orders), *arguments],
                str(self._root),
                dict(environment),
                [0, 1, 2, *kept, orders],
                module=CHILD,
            )
            with contextlib.suppress(OSError):
                files = [nothing.fileno(), saying, saying, *kept, orders]
                return forked(server.orders, order, files)
        self._usable = False
        return None

    def end(self) -> None:
        """Once nothing runs any more that was forked."""
        for server in self._two or ():
            server.end()
        self._two = None
        self._usable = False
