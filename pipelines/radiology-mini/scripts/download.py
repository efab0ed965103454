"""Fetch the images and captions that params.yaml lists, checked, into data/radiology-mini/raw/."""

from dreg.stages import download

download.run()
