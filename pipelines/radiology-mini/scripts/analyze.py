"""Measure the splits that dataset.yaml names; write data/radiology-mini/metadata.json."""

from dreg.stages import here, profile, thumbnails
from dreg.stages.conversations import read_prompt

thumbnails.write()  # the first ten, for people who look at its card
profile.write(prompt=read_prompt(here().processed))
