"""`dreg`, and `python -m dreg`."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command line."""
    # While Python imports there is nothing to put away yet: an interrupt ends it, and leaves no traceback.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from dreg.cli import main

    main()


if __name__ == "__main__":
    main()
