"""Fetch the four IDX files that params.yaml lists, checked, into data/fashion-mnist/raw/."""

from dreg.stages import download

download.run()
