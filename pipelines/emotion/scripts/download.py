"""Fetch the TSVs that params.yaml lists, checked, into data/emotion/raw/."""

from dreg.stages import download

download.run()
