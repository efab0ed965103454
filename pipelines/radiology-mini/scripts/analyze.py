"""Measure the splits that dataset.yaml names; write data/radiology-mini/metadata.json."""

from dreg.stages import here, profile
from dreg.stages.conversations import read_prompt

profile.write(prompt=read_prompt(here().processed))
