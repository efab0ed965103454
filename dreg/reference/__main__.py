from __future__ import annotations

import sys

from dreg.reference.pages import main

main(sys.argv[1:])
