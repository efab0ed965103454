"""Measure the splits that dataset.yaml names; write data/fashion-mnist/metadata.json."""

from dreg.stages import profile, thumbnails

thumbnails.write()  # ten of each class, for people who look at its card
profile.write()  # images give `pixel_mean` and `pixel_std`, for pixels from 0 to 1
