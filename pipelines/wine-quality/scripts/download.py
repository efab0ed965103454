"""Fetch the two CSVs that params.yaml lists, checked, into data/wine-quality/raw/."""

from dreg.stages import download

download.run()
