"""DVC as the leader of a process group that ends with whoever started it, even by `kill -9`.

`python -m dreg.adapters.dvc.child LIFELINE ORDERS ARGUMENT...`: nothing is ever written to the pipe LIFELINE, so
that reading from it returns only when the starter is gone. A script that outlived its `dvc`
would go on writing into the outputs of the next run. ORDERS is the socket of a server that forks stages; -1: none.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading


def _end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


def main() -> None:
    """Run DVC's command line."""
    lifeline, orders, arguments = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    threading.Thread(target=_end_with, args=(lifeline,), daemon=True).start()
    sys.argv = ["dvc", *arguments]  # what DVC writes into its locks, for people to read
    from dvc.cli import main as dvc

    from dreg.adapters.dvc.sooner import (
        fork_stages,
        look_often,
        read_once,
        share_blocks_where_that_is_possible,
    )

    look_often()
    read_once()
    share_blocks_where_that_is_possible()
    if orders >= 0:
        fork_stages(socket.socket(fileno=orders))
    sys.exit(dvc(arguments))


if __name__ == "__main__":
    main()
