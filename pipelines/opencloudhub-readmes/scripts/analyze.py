"""Measure the READMEs that the index lists; write data/opencloudhub-readmes/metadata.json."""

from dreg.stages import profile, text

profile.write(metrics=text.words("document"))
