"""The receipt in a folder that was filled before: noted anew, as a whole."""

from __future__ import annotations

from pathlib import Path

from dreg.adapters.written import written
from dreg.core.receipt import RECEIPT, Receipt


def write_receipt(target: Path, receipt: Receipt) -> None:
    """Note in the folder what is in it, where that was noted in another way."""
    with written(target / RECEIPT) as file:
        file.write(receipt.to_text().encode())
