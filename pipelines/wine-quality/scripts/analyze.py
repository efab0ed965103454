"""Measure the splits that dataset.yaml names; write data/wine-quality/metadata.json."""

from dreg.stages import profile

profile.write()
