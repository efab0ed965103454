"""Measure the splits that dataset.yaml names; write data/emotion/metadata.json."""

from dreg.stages import profile, text

# The profile has the texts' lengths in characters; this adds words_mean, words_p95 and words_max.
profile.write(metrics=text.words("text"))
