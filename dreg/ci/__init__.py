"""Automated runs: the commands that a person runs, as one step, and what a review is told."""
