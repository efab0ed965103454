"""Side-by-side benchmarks: each speed bar beside its peer in one run, as a ratio."""
