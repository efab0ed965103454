"""Whether a release's pipeline makes the same bytes again."""
