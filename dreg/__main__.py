"""`python -m dreg`."""

from dreg.cli import main

main()
