"""Fetch the READMEs that sources.yaml lists, checked, into data/opencloudhub-readmes/raw/."""

from dreg.stages import download

download.run()
